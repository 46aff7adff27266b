"""The TLS side of `mqtts:`: which authorities we trust and which certificate we show."""

from __future__ import annotations

import ssl

from reconciler.errors import SettingsError
from reconciler.settings.model import TlsSettings


def make_context(tls: TlsSettings) -> ssl.SSLContext:
    """Verify the broker's certificate and host name, always; made anew per connection, so renewed files count.

    Raises:
        SettingsError: a file cannot be read or is not what it should be.
    """
    context = _trusting(tls.ca_file)
    if tls.cert_file is not None:
        _show(context, tls.cert_file, tls.key_file)
    return context


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one too
        raise SettingsError(
            f"broker.tls.ca_file {ca_file}: {error.strerror or error}",
            fix="name a readable PEM file with the certificates of the authorities to trust",
        ) from error


def _show(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_prompt)
    except OSError as error:
        raise SettingsError(
            f"broker.tls.cert_file {cert_file} with key_file {key_file}: {error.strerror or error}",
            fix="name a readable PEM certificate and its key, without a passphrase",
        ) from error


def _no_prompt() -> str:
    """A key with a passphrase would make OpenSSL ask on the terminal; an empty one makes it fail."""
    return ""
