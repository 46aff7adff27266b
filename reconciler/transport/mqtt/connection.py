"""
One connection to a broker, from the TCP handshake to its end. When it ends, everything about it ends: whoever
waits for an answer is told at once, and nothing is carried over to the next one.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Sequence
from functools import partial

from reconciler.errors import BrokerError, SettingsError
from reconciler.settings.model import TlsSettings
from reconciler.transport.address import BrokerAddress, MqttVersion
from reconciler.transport.base import ClientIdentity, Message, OnDone, Publish, PublishResult
from reconciler.transport.mqtt.inflight import InflightMessage, InflightWindow
from reconciler.transport.mqtt.paho import LARGEST, ConnectAck, PacketCodec, acknowledgement_name
from reconciler.transport.mqtt.refusals import FAILURE, refused, tls_refused, unanswered
from reconciler.transport.mqtt.stream import BufferedStream

IN_FLIGHT = 100
"""Unacknowledged publishes at a time, if the broker allows as many; more gains nothing."""

OVERHEAD = 1_024
"""Bytes allowed for a packet's header and properties when we compare it to the broker's limit."""

LEAVE_S = 2.0
"""How long a good-bye may take."""

NO_SUBSCRIBERS = 0x10
ACCEPTED = PublishResult()


async def open_connection(
    address: BrokerAddress,
    version: MqttVersion,
    who: ClientIdentity,
    *,
    tls: TlsSettings,
    deliver: Callable[[Message], None],
) -> Connection:
    """Connect and be accepted. It takes as long as it takes: give it a timeout.

    Raises:
        VersionRefused: another version may do.
        BrokerRefused, BrokerError: as `Transport.connect`.
        SettingsError: a TLS file cannot be used.
    """
    wire = BufferedStream()
    await _reach(address, wire, tls)
    connection = Connection(wire, address, version, deliver)
    try:
        await connection.be_accepted(who)
    except BaseException:
        wire.abort()
        raise
    return connection


async def _reach(address: BrokerAddress, wire: BufferedStream, tls: TlsSettings) -> None:
    context = make_context(tls) if address.tls else None
    shutdown_s = LEAVE_S / 2 if context else None
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: wire, address.host, address.port, ssl=context, ssl_shutdown_timeout=shutdown_s
        )
    except ssl.SSLError as error:
        raise tls_refused(address, error) from error
    except OSError as error:
        raise BrokerError(
            f"cannot reach the broker {address}: {error.strerror or error}",
            fix="start the broker, or set broker.url to where it is",
        ) from error


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


class Connection:
    """An open connection; `ended` gets the reason when it is over. It never comes back."""

    def __init__(
        self,
        wire: BufferedStream,
        address: BrokerAddress,
        version: MqttVersion,
        deliver: Callable[[Message], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.version = version
        self.on_message = deliver
        self._address = address
        self._wire = wire
        self._why = ""
        self._answer: asyncio.Future[ConnectAck] = self._loop.create_future()
        self._subacks: dict[int, asyncio.Future[list[int]]] = {}
        self._largest = LARGEST

    # Coming and going.

    async def be_accepted(self, who: ClientIdentity) -> None:
        """Introduce ourselves and wait for the answer."""
        self._packets = PacketCodec(self._wire, self._address, self.version, who, self)
        self._window = InflightWindow(
            lambda message, packet_id: self._packets.publish(message, packet_id=packet_id),
            new_id=self._packets.new_id,
            in_use=self._subacks.__contains__,
            clock=self._loop.time,
        )
        self._wire.attach(read=self._packets.read, write=self._packets.write, ended=self._on_end)
        self._timer = self._loop.call_later(1.0, self._keep_alive)
        self._packets.connect()
        answer = await self._answer
        if answer.code >= FAILURE:
            raise refused(self._address, self.version, answer.code, answer.name)
        self._window.limit = min(IN_FLIGHT, answer.receive_maximum)
        self._largest = answer.largest

    async def close(self) -> None:
        """Say good-bye, so that the broker publishes no will."""
        self._why = self._why or "we left"
        self._packets.leave()
        try:
            await asyncio.wait([self.ended], timeout=LEAVE_S)
        finally:
            self._wire.abort()

    def _keep_alive(self) -> None:
        self._timer = self._loop.call_later(1.0, self._keep_alive)
        self._packets.keep_alive()
        self._window.expire(self._silent())

    def _on_end(self, error: Exception | None) -> None:
        """Everyone who waits for the broker learns that it will not answer."""
        self._timer.cancel()
        reason = self._why or (
            f"the connection broke: {error}" if error else "the broker closed the connection"
        )
        self.ended.set_result(reason)
        _fail(self._answer, unanswered(self._address, self.version, error, reason))
        self._window.close(reason)
        for suback in self._subacks.values():
            _fail(suback, BrokerError(f"{reason}; not subscribed"))
        self._subacks.clear()

    # What we send.

    async def publish(self, message: Publish, *, timeout_s: float) -> PublishResult:
        """See `Transport.publish`."""
        done: asyncio.Future[PublishResult] = self._loop.create_future()
        inflight = InflightMessage(message, partial(_tell, done), math.inf)
        deadline = self._loop.time() + timeout_s
        self._put(inflight)
        try:
            if message.qos == 0:
                await self._wire.drained(deadline)
            async with asyncio.timeout_at(deadline):
                return await done
        except TimeoutError:
            raise self._window.give_up(inflight, f"{self._silent()} in {timeout_s:g} s") from None

    def post(self, message: Publish, *, timeout_s: float, on_done: OnDone | None) -> None:
        """See `Transport.post`."""
        self._put(InflightMessage(message, on_done, timeout_s))

    def _put(self, inflight: InflightMessage) -> None:
        """Send a message, at QoS 1 as soon as it is its turn.

        Raises:
            BrokerError: nothing was sent.
        """
        message = inflight.message
        size = len(message.payload)
        if len(message.topic) + size + OVERHEAD > self._largest:
            raise BrokerError(f"{size} bytes are more than {self._address} takes ({self._largest})")
        if self.ended.done():
            raise BrokerError(f"{self.ended.result()}; the message was not sent")
        if message.qos == 0:
            self._packets.publish(message, packet_id=0)
            inflight.end(ACCEPTED)
        else:
            self._window.put(inflight)

    def _silent(self) -> str:
        return f"no acknowledgement from {self._address}"

    async def subscribe(self, filters: Sequence[tuple[str, int]], timeout_s: float) -> None:
        """Subscribe to each filter with its QoS and wait for the answer.

        Raises:
            BrokerError: no answer, or some filters refused; they are named.
        """
        suback = self._subacks[self._packets.subscribe(filters)] = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout_s):
                codes = await suback
        except TimeoutError:
            raise BrokerError(
                f"no answer from {self._address} to a subscription in {timeout_s:g} s"
            ) from None
        denied = [text for (text, _), code in zip(filters, codes, strict=True) if code >= FAILURE]
        if denied:
            raise BrokerError(
                f"the broker {self._address} refused the subscription to {', '.join(denied)}",
                fix="let this user read these topics in the broker's access list",
            )

    # What the broker says.

    def on_answer(self, answer: ConnectAck) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)

    def on_acknowledged(self, packet_id: int, code: int) -> None:
        acknowledged = self._window.acknowledged(packet_id)
        if acknowledged is not None:
            acknowledged.end(self._outcome(acknowledged.message.topic, code) if code else ACCEPTED)

    def _outcome(self, topic: str, code: int) -> PublishResult | BrokerError:
        if code < FAILURE:
            return PublishResult(no_subscribers=code == NO_SUBSCRIBERS)
        reason = acknowledgement_name(code)
        return BrokerError(f"the broker {self._address} refused a message to {topic}: {reason}")

    def on_subscribed(self, packet_id: int, codes: list[int]) -> None:
        suback = self._subacks.pop(packet_id, None)
        if suback is not None and not suback.done():
            suback.set_result(codes)

    def on_leaving(self, reason: str) -> None:
        """Keep the reason; the wire tells of the end itself."""
        self._why = self._why or reason


def _tell(ended: asyncio.Future[PublishResult], outcome: PublishResult | BrokerError) -> None:
    """Pass on how a message ended, unless nobody waits for it any more."""
    if ended.done():
        return
    if isinstance(outcome, BrokerError):
        ended.set_exception(outcome)
    else:
        ended.set_result(outcome)


def _fail(future: asyncio.Future[ConnectAck] | asyncio.Future[list[int]], error: BrokerError) -> None:
    """Tell who waits; nobody may, as after a timeout."""
    if not future.done():
        future.set_exception(error)
