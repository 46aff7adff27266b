"""What end-to-end tests share: certificates, and transports that are closed whatever happens."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Transport, Will
from reconciler.transport.factory import open_transport


class Certificates:
    """Files of a throw-away authority: `ca`, another one's `stranger`, and pairs signed by `ca`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = self._authority("ca")
        self.stranger = self._authority("stranger")

    def _authority(self, name: str) -> Path:
        """A certificate that signs others."""
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
        )
        return self._folder / f"{name}.crt"

    def pair(self, name: str, alternative: str) -> tuple[Path, Path]:
        """A certificate for `alternative` (`IP:127.0.0.1` or `DNS:name`) and its key."""
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        (self._folder / f"{name}.ext").write_text(
            f"subjectAltName={alternative}\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"
        )
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt"),
        )
        return self._folder / f"{name}.crt", self._folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def transport_to(tmp_path: Path) -> AsyncIterator[Callable[..., Transport]]:
    """`transport_to(settings, name="client", will=None)`: a transport, not yet connected."""
    opened: list[Transport] = []

    def make(settings: BrokerSettings, name: str = "client", will: Will | None = None) -> Transport:
        transport = open_transport(settings, client_id=name, will=will, state_dir=tmp_path / "state")
        opened.append(transport)
        return transport

    yield make
    for transport in opened:
        await transport.close()
