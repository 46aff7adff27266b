"""
One connection to a broker, from the TCP handshake to its end.

Rule 1: when it ends, everything about it ends: each waiting call gets its error at once, and nothing is carried over to
the next connection.
Rule 2: a call fails before anything is sent, or its error says that the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Sequence

from reconciler.aio import Backoff, report_exception
from reconciler.errors import BrokerError, BrokerRefused, SettingsError
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Message, OnDone, Publish, PublishResult
from reconciler.transport.mqtt.inflight import InflightMessage, InflightWindow
from reconciler.transport.mqtt.paho import LARGEST_PACKET, ConnectAck, PacketCodec, acknowledgement_name
from reconciler.transport.mqtt.refusals import FAILURE, PASSING, TLS_FIX, refused, unanswered
from reconciler.transport.mqtt.stream import BufferedStream

MAX_IN_FLIGHT = 100
"""Unacknowledged publishes at a time, if the broker allows as many; more gains nothing."""

OVERHEAD = 1_024
"""Bytes allowed for a packet's header and properties when its size is compared to the broker's limit."""

SUBSCRIBE_PAUSE_S = (0.1, 1.0)
"""The first and the longest pause before a subscription is sent again that failed for a reason that may pass."""

DISCONNECT_S = 2.0
"""How long disconnecting may take."""

NO_SUBSCRIBERS = 0x10
ACCEPTED = PublishResult()


async def open_connection(
    address: BrokerAddress,
    version: MqttVersion,
    identity: ClientIdentity,
    *,
    tls: TlsSettings,
    deliver: Callable[[Message], None],
) -> Connection:
    """Connect and wait for the broker's acceptance, without a time limit of its own.

    Raises:
        VersionRefused: another version may do.
        BrokerRefused, BrokerError: as `Transport.connect`.
        SettingsError: a TLS file cannot be used.
    """
    stream = BufferedStream()
    context = make_context(tls) if address.tls else None
    shutdown_s = DISCONNECT_S / 2 if context else None
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: stream, address.host, address.port, ssl=context, ssl_shutdown_timeout=shutdown_s
        )
    except ssl.SSLError as error:
        raise _tls_refused(address, error) from error
    except OSError as error:
        raise BrokerError(
            f"cannot reach the broker {address}: {error.strerror or error}",
            fix="start the broker, or set broker.url to where it is",
        ) from error
    connection = Connection(stream, address, version, deliver)
    try:
        await connection.handshake(identity)
    except BaseException:
        stream.abort()
        raise
    return connection


def make_context(tls: TlsSettings) -> ssl.SSLContext:
    """Verify the broker's certificate and host name, always. Called for each connection, so that renewed files count.

    Raises:
        SettingsError: a file cannot be read or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:  # ssl.SSLError is one too
        raise SettingsError(
            f"broker.tls.ca_file {tls.ca_file}: {error.strerror or error}",
            fix="name a readable PEM file with the certificates of the authorities to trust",
        ) from error
    if tls.cert_file is not None:
        try:
            # A key with a passphrase would make OpenSSL ask on the terminal; an empty one makes it fail.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
        except OSError as error:
            raise SettingsError(
                f"broker.tls.cert_file {tls.cert_file} with key_file {tls.key_file}: {error.strerror or error}",
                fix="name a readable PEM certificate and its key, without a passphrase",
            ) from error
    return context


def _tls_refused(address: BrokerAddress, error: ssl.SSLError) -> BrokerRefused:
    """The error for a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerRefused(
            f"the certificate of {address} cannot be trusted: {error.verify_message}",
            fix="set broker.tls.ca_file to the authority that signed it, and broker.url to the name it is for",
        )
    return BrokerRefused(f"no TLS with {address}: {error.reason or error}", fix=TLS_FIX)


class Connection:
    """An open connection; `ended` gets the reason when it is over. It never reconnects."""

    def __init__(
        self,
        stream: BufferedStream,
        address: BrokerAddress,
        version: MqttVersion,
        deliver: Callable[[Message], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.version = version
        self.on_message = deliver
        self._address = address
        self._stream = stream
        self._reason = ""
        self._connect_ack: asyncio.Future[ConnectAck] = self._loop.create_future()
        self._subscribe_acks: dict[int, asyncio.Future[list[int]]] = {}
        self._largest_packet = LARGEST_PACKET

    # Connecting and disconnecting

    async def handshake(self, identity: ClientIdentity) -> None:
        """Send CONNECT and wait for its answer.

        Raises:
            VersionRefused, BrokerRefused, BrokerError: the broker refused, or ended the connection.
        """
        self._packets = PacketCodec(self._stream, self._address, self.version, identity, self)
        self._window = InflightWindow(
            self._packets.publish,
            new_id=self._packets.new_id,
            in_use=self._subscribe_acks.__contains__,
            clock=self._loop.time,
            on_error=report_exception,
        )
        self._stream.attach(read=self._packets.read, write=self._packets.write, ended=self._on_end)
        self._timer = self._loop.call_later(1.0, self._keep_alive)
        self._packets.connect()
        ack = await self._connect_ack
        if ack.code >= FAILURE:
            raise refused(self._address, self.version, ack.code, ack.name)
        self._window.limit = min(MAX_IN_FLIGHT, ack.receive_maximum)
        self._largest_packet = ack.largest_packet

    async def close(self) -> None:
        """Disconnect, so that the broker publishes no will."""
        self._reason = self._reason or "we left"
        self._packets.leave()
        try:
            await asyncio.wait([self.ended], timeout=DISCONNECT_S)
        finally:
            self._stream.abort()

    def _keep_alive(self) -> None:
        self._timer = self._loop.call_later(1.0, self._keep_alive)
        self._packets.keep_alive()
        self._window.expire(self._silent())

    def _silent(self) -> str:
        return f"no acknowledgement from {self._address}"

    def _on_end(self, error: Exception | None) -> None:
        """End everything about this connection (rule 1)."""
        self._timer.cancel()
        reason = self._reason or (
            f"the connection broke: {error}" if error else "the broker closed the connection"
        )
        self.ended.set_result(reason)
        if not self._connect_ack.done():
            self._connect_ack.set_exception(
                _tls_refused(self._address, error)
                if isinstance(error, ssl.SSLError)
                else unanswered(self._address, self.version, error, reason)
            )
        self._window.close(reason)
        for ack in self._subscribe_acks.values():
            if not ack.done():
                ack.set_exception(BrokerError(f"{reason}; not subscribed"))
        self._subscribe_acks.clear()

    # Sending

    async def publish(self, message: Publish, *, timeout_s: float) -> PublishResult:
        """See `Transport.publish`."""
        done: asyncio.Future[PublishResult] = self._loop.create_future()

        def on_done(outcome: PublishResult | BrokerError) -> None:
            if done.done():
                return  # the caller was cancelled
            if isinstance(outcome, BrokerError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)

        inflight = InflightMessage(message, on_done, math.inf)
        deadline = self._loop.time() + timeout_s
        self._send(inflight)
        try:
            if message.qos == 0:
                await self._stream.drained(deadline)
            async with asyncio.timeout_at(deadline):
                return await done
        except TimeoutError:
            raise self._window.give_up(inflight, f"{self._silent()} in {timeout_s:g} s") from None

    def post(self, message: Publish, *, timeout_s: float, on_done: OnDone | None) -> None:
        """See `Transport.post`."""
        self._send(InflightMessage(message, on_done, timeout_s))

    def _send(self, inflight: InflightMessage) -> None:
        """Send a message, at QoS 1 as soon as there is room for it.

        Raises:
            BrokerError: nothing was sent.
        """
        message = inflight.message
        size = len(message.payload)
        if len(message.topic) + size + OVERHEAD > self._largest_packet:
            raise BrokerError(f"{size} bytes are more than {self._address} takes ({self._largest_packet})")
        if self.ended.done():
            raise BrokerError(f"{self.ended.result()}; the message was not sent")
        if message.qos == 0:
            self._packets.publish(message, 0)
            inflight.end(ACCEPTED, report_exception)
        else:
            self._window.put(inflight)

    async def subscribe(self, filters: Sequence[tuple[str, int]], timeout_s: float) -> None:
        """Subscribe to each filter with its QoS and wait for the answer.

        Filters that fail for a reason that may pass, as while a cluster of brokers elects a leader, are sent again
        until `timeout_s`: MQTT 3.1.1 has the same code (0x80) for that and for an access list.

        Raises:
            BrokerError: no answer, or some filters refused; they are named.
        """
        deadline = self._loop.time() + timeout_s
        pauses = Backoff(first_s=SUBSCRIBE_PAUSE_S[0], longest_s=SUBSCRIBE_PAUSE_S[1])
        wanted = list(filters)
        while wanted:
            if self.ended.done():
                raise BrokerError(f"{self.ended.result()}; not subscribed")
            ack = self._subscribe_acks[self._packets.subscribe(wanted)] = self._loop.create_future()
            try:
                async with asyncio.timeout_at(deadline):
                    codes = await ack
            except TimeoutError:
                raise BrokerError(
                    f"no answer from {self._address} to a subscription in {timeout_s:g} s"
                ) from None
            wanted = [wish for wish, code in zip(wanted, codes, strict=True) if code >= FAILURE]
            pause_s = pauses.next_s()
            may_pass = all(code in PASSING for code in codes if code >= FAILURE)
            if wanted and not (may_pass and self._loop.time() + pause_s < deadline):
                raise BrokerError(
                    f"the broker {self._address} refused the subscription to {', '.join(text for text, _ in wanted)}",
                    fix="let this user read these topics in the broker's access list",
                )
            if wanted:
                await asyncio.wait([self.ended], timeout=pause_s)

    # Receiving: `PacketHandler`

    def on_connect_ack(self, ack: ConnectAck) -> None:
        if not self._connect_ack.done():
            self._connect_ack.set_result(ack)

    def on_publish_ack(self, packet_id: int, code: int) -> None:
        inflight = self._window.acknowledged(packet_id)
        if inflight is None:
            return
        outcome: PublishResult | BrokerError = ACCEPTED
        if code >= FAILURE:
            reason = acknowledgement_name(code)
            outcome = BrokerError(
                f"the broker {self._address} refused a message to {inflight.message.topic}: {reason}"
            )
        elif code == NO_SUBSCRIBERS:
            outcome = PublishResult(no_subscribers=True)
        inflight.end(outcome, report_exception)

    def on_subscribe_ack(self, packet_id: int, codes: list[int]) -> None:
        ack = self._subscribe_acks.pop(packet_id, None)
        if ack is not None and not ack.done():
            ack.set_result(codes)

    def on_disconnect(self, reason: str) -> None:
        """Keep the reason; the stream reports the end itself."""
        self._reason = self._reason or reason
