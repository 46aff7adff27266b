"""Gathers whether the broker can be reached and lets this agent work. One visit, which no bot and no reconciler minds."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator

from reconciler.agent.doctor.facts import Broker, Port
from reconciler.agent.doctor.judging import REACHABLE
from reconciler.agent.doctor.subject import Subject
from reconciler.errors import ReconcilerError
from reconciler.protocol.messages import MalformedMessage, decode_presence
from reconciler.protocol.topics import Kind, Topics
from reconciler.redact import masked_url
from reconciler.transport.address import PORTS, parse_address, split_url
from reconciler.transport.base import Message, Transport
from reconciler.transport.opening import open_transport

VISIT_S = 30.0
"""For everything at the broker; it answers within milliseconds, over a bad line within seconds."""

QUIET_S = 0.3
"""Retained presences come in one go after the subscription."""

TRIAL = b"doctor"
"""No answer that anybody could read: reconcilers ignore it (live.py), and it is not retained."""


async def port(subject: Subject) -> Port:
    """Knock at the broker's address."""
    broker = subject.settings.broker
    try:
        if split_url(broker.url).scheme not in PORTS:
            return Port(address=masked_url(broker.url), embedded=True)
        address = parse_address(broker)
        async with asyncio.timeout(broker.connect_timeout_s):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except ReconcilerError as error:
        return Port(address=masked_url(broker.url), error=str(error))
    except TimeoutError:
        return Port(address=str(address), error=f"no answer within {broker.connect_timeout_s:g} s")
    except OSError as error:
        return Port(address=str(address), error=error.strerror or str(error))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Port(address=str(address))


async def broker(subject: Subject) -> Broker:
    """Connect as the agent would, subscribe to what it hears, publish where it answers.

    Mosquitto takes a subscription to what its access list forbids and hands nothing over: whether commands come
    through shows only when there are some.
    """
    settings = subject.settings
    address = masked_url(settings.broker.url)
    if split_url(settings.broker.url).scheme not in PORTS:
        return Broker(
            address=address, error=f"{address} was not asked: bots could not reach it", fix=REACHABLE
        )
    try:
        topics = Topics(settings.root)
        async with asyncio.timeout(VISIT_S), _visit(subject) as transport:
            others = _Others(topics, transport)
            await transport.subscribe([f"{topics.root}/strategy/+", topics.presence("+")])
            began = time.perf_counter()
            await transport.publish(topics.reply_to(f"doctor-{secrets.token_hex(4)}"), TRIAL)
            round_trip_s = time.perf_counter() - began
            await asyncio.sleep(QUIET_S)
    except TimeoutError:
        return Broker(address=address, error=f"{address}: not done within {VISIT_S:g} s")
    except ReconcilerError as error:
        return Broker(address=address, error=str(error), fix=error.fix)
    except ValueError as error:
        return Broker(address=address, error=str(error), fix="mend --root")
    return Broker(
        address=address,
        username=parse_address(settings.broker).username,
        round_trip_s=round_trip_s,
        others=tuple(others.online),
    )


@contextlib.asynccontextmanager
async def _visit(subject: Subject) -> AsyncIterator[Transport]:
    settings = subject.settings
    transport = open_transport(
        settings.broker,
        client_id=f"{settings.name}-doctor-{secrets.token_hex(3)}",
        state_dir=settings.shared_dir,
    )
    try:
        await transport.connect()
        yield transport
    finally:
        await transport.close()


class _Others:
    """Who says, or is said, to be online."""

    def __init__(self, topics: Topics, transport: Transport) -> None:
        self.online: dict[str, None] = {}
        self._topics = topics
        transport.on_message(self._on_message)

    def _on_message(self, message: Message) -> None:
        address = self._topics.read(message.topic)
        if address is None or address.kind is not Kind.PRESENCE or not message.payload:
            return
        with contextlib.suppress(MalformedMessage):
            if decode_presence(message.payload).state == "online":
                self.online[address.name] = None
