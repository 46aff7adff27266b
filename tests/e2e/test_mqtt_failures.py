"""The broker fails in every way that it can: what the transport says, and that it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from reconciler.errors import BrokerError, BrokerRefused
from reconciler.settings.model import BrokerSettings
from reconciler.transport.base import Publish, Transport
from reconciler.transport.mqtt.client import MqttTransport
from tests.support.brokers import Mosquitto, free_port, read_packet, scripted_broker
from tests.support.transport_recorder import PATIENCE_S, TransportRecorder

To = Callable[..., Transport]

ACCEPT = bytes.fromhex("2003000000")
"""CONNACK of MQTT 5: success, no properties."""

ACCEPT_311 = bytes.fromhex("20020000")


def at(port: int, timeout_s: float = 5.0) -> BrokerSettings:
    return BrokerSettings(url=f"mqtt://127.0.0.1:{port}", connect_timeout_s=timeout_s)


async def test_a_broker_that_is_down_is_named_with_cause_and_fix(transport_to: To) -> None:
    port = free_port()
    transport = transport_to(at(port))
    tasks = asyncio.all_tasks()

    with pytest.raises(BrokerError, match=f"cannot reach the broker mqtt://127.0.0.1:{port}") as caught:
        await transport.connect()

    assert "start the broker" in caught.value.fix
    assert not isinstance(caught.value, BrokerRefused)
    assert asyncio.all_tasks() == tasks


async def test_an_unknown_host_is_a_broker_error(transport_to: To) -> None:
    transport = transport_to(BrokerSettings(url="mqtt://no-such-host.invalid"))

    with pytest.raises(BrokerError, match=r"cannot reach the broker mqtt://no-such-host\.invalid:1883"):
        await transport.connect()


async def test_a_server_that_says_nothing_is_not_waited_for_longer_than_allowed(transport_to: To) -> None:
    async with scripted_broker(lambda reader, _writer: _read_for_ever(reader)) as port:
        transport = transport_to(at(port, timeout_s=0.3))

        with pytest.raises(BrokerError, match=r"does not answer within 0\.3 s"):
            await transport.connect()


async def _read_for_ever(reader: asyncio.StreamReader) -> None:
    while await reader.read(1000):
        pass


async def test_a_server_that_is_no_broker_is_a_broker_error(transport_to: To) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with scripted_broker(http) as port:
        with pytest.raises(BrokerError, match="did not accept us") as refused:
            await transport_to(at(port)).connect()

    assert "one that speaks TLS wants mqtts:" in refused.value.fix


@pytest.mark.parametrize("refusal", ["2003008400", "20020001", "2003008200"])
async def test_a_broker_that_refuses_mqtt_5_gets_3_1_1(transport_to: To, refusal: str) -> None:
    versions: list[int] = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await read_packet(reader)
        versions.append(connect[6])
        writer.write(bytes.fromhex(refusal) if connect[6] == 5 else ACCEPT_311)
        await _read_for_ever(reader)

    async with scripted_broker(old) as port:
        transport = transport_to(at(port))
        await transport.connect()
        await transport.close()
        await transport.connect()

        assert transport.connected
        assert versions == [5, 4, 4]
        await transport.close()


async def test_a_session_taken_over_is_reported_as_such(transport_to: To) -> None:
    async def evict(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(ACCEPT + bytes.fromhex("e0028e00"))
        await reader.read(1)

    async with scripted_broker(evict) as port:
        transport = transport_to(at(port))
        recorder = TransportRecorder(transport)
        await transport.connect()

        assert "another client has connected with our client id" in await recorder.lost()
        await transport.close()


async def test_a_message_that_we_never_asked_for_is_dropped_and_counted(transport_to: To) -> None:
    async def chatter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(ACCEPT)
        _, subscribe = await read_packet(reader)
        writer.write(bytes([0x90, 4]) + subscribe[:2] + b"\0\0")
        for topic in (b"a/x", b"b/x", b"a/\xff", b"a/y"):
            writer.write(bytes([0x30, 2 + len(topic) + 1, 0, len(topic)]) + topic + b"\0")
        await _read_for_ever(reader)

    async with scripted_broker(chatter) as port:
        transport = transport_to(at(port))
        recorder = TransportRecorder(transport)
        await transport.connect()
        await transport.subscribe(["a/+"], qos=0)

        assert [message.topic for message in await recorder.received(2)] == ["a/x", "a/y"]
        assert isinstance(transport, MqttTransport)
        assert transport.strays == 1
        await transport.close()


def _electing(failures: dict[str, int], code: int = 0x80) -> Callable[..., Awaitable[None]]:
    """A broker that answers the first subscriptions to each filter with `code`: `failures` says how many; it counts down."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, connect = await read_packet(reader)
        mqtt5 = connect[6] == 5
        writer.write(ACCEPT if mqtt5 else ACCEPT_311)
        while True:
            first, body = await read_packet(reader)
            if first >> 4 != 8:
                continue
            at, codes = 3 if mqtt5 else 2, bytearray()
            while at < len(body):
                end = at + 2 + int.from_bytes(body[at : at + 2])
                topic = body[at + 2 : end].decode()
                failures[topic] = failures.get(topic, 0) - 1
                codes.append(code if failures[topic] >= 0 else 1)
                at = end + 1
            answer = body[:2] + (b"\0" if mqtt5 else b"") + codes
            writer.write(bytes([0x90, len(answer)]) + answer)

    return serve


async def test_a_subscription_that_fails_while_a_cluster_elects_is_sent_again(transport_to: To) -> None:
    failures = {"a": 2, "b": 0}
    async with scripted_broker(_electing(failures)) as port:
        transport = transport_to(at(port))
        await transport.connect()

        await transport.subscribe(["a", "b"])

        assert failures == {"a": -1, "b": -1}  # only what failed was sent again
        await transport.close()


async def test_a_subscription_that_fails_until_the_time_is_up_is_called_an_access_list(
    transport_to: To,
) -> None:
    failures = {"a": 1_000, "b": 0}
    async with scripted_broker(_electing(failures)) as port:
        transport = transport_to(at(port))
        await transport.connect()

        with pytest.raises(BrokerError, match=r"refused the subscription to a$") as caught:
            await transport.subscribe(["a", "b"], timeout_s=0.3)

        assert "access list" in caught.value.fix
        assert failures["a"] < 999
        await transport.close()


async def test_a_subscription_that_is_not_authorised_is_not_sent_again(transport_to: To) -> None:
    failures = {"a": 1}
    async with scripted_broker(_electing(failures, code=0x87)) as port:
        transport = transport_to(at(port))
        await transport.connect()

        with pytest.raises(BrokerError, match="refused the subscription to a"):
            await transport.subscribe(["a"])

        assert failures == {"a": 0}
        await transport.close()


async def test_a_connection_that_ends_between_two_subscriptions_ends_the_waiting(transport_to: To) -> None:
    async def fail_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(ACCEPT)
        _, subscribe = await read_packet(reader)
        writer.write(bytes([0x90, 4]) + subscribe[:2] + b"\0\x80")

    async with scripted_broker(fail_and_leave) as port:
        transport = transport_to(at(port))
        await transport.connect()

        with pytest.raises(BrokerError, match="closed the connection; not subscribed"):
            await transport.subscribe(["a"])
        await transport.close()


async def test_each_new_reason_why_reconnecting_fails_is_reported_once(transport_to: To) -> None:
    answers = [ACCEPT, *["20030087", "20030086", "20030087", "20030086"], ACCEPT]
    connects = 0

    async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        await read_packet(reader)
        answer = answers[min(connects, len(answers) - 1)]
        connects += 1
        writer.write(answer if isinstance(answer, bytes) else bytes.fromhex(f"{answer}00"))
        if connects > len(answers) - 1:
            await _read_for_ever(reader)

    async with scripted_broker(moody) as port:
        transport = transport_to(at(port))
        recorder = TransportRecorder(transport)
        await transport.connect()
        await recorder.lost()
        await recorder.back()

        lost = [
            reason.partition(" refused us: ")[2] for connected, reason in recorder.connection if not connected
        ]
        assert connects == len(answers)
        assert lost == ["", "Not authorized", "Bad user name or password"]
        await transport.close()


async def _deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts every client, and answers nothing more."""
    await read_packet(reader)
    writer.write(ACCEPT)
    await _read_for_ever(reader)


async def test_a_publish_without_acknowledgement_ends_as_unknown(transport_to: To) -> None:
    async with scripted_broker(_deaf) as port:
        transport = transport_to(at(port))
        await transport.connect()

        with pytest.raises(BrokerError, match=r"no acknowledgement .* in 0\.05 s; whether .* is unknown"):
            await transport.publish(Publish("a", b"x"), timeout_s=0.05)
        with pytest.raises(BrokerError, match=r"no answer .* to a subscription in 0\.05 s"):
            await transport.subscribe(["a"], timeout_s=0.05)
        await transport.close()


async def test_a_post_without_acknowledgement_ends_as_unknown(transport_to: To) -> None:
    async with scripted_broker(_deaf) as port:
        transport = transport_to(at(port))
        await transport.connect()
        ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        transport.post(Publish("a", b"x"), timeout_s=0.05, on_done=ended.set_result)
        outcome = await asyncio.wait_for(ended, PATIENCE_S)

        assert isinstance(outcome, BrokerError)
        assert "whether the message arrived is unknown" in str(outcome)
        await transport.close()


async def test_no_more_goes_out_than_the_broker_allows_in_flight(transport_to: To) -> None:
    received: list[bytes] = []

    async def narrow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(bytes.fromhex("2006000003210002"))
        while True:
            received.append((await read_packet(reader))[1])

    async with scripted_broker(narrow) as port:
        transport = transport_to(at(port))
        await transport.connect()
        work = [asyncio.ensure_future(transport.publish(Publish("a", b"x"), timeout_s=0.2)) for _ in range(5)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)

        assert len(received) == 2
        assert sum("was not sent" in str(outcome) for outcome in outcomes) == 3
        await transport.close()


async def test_a_broker_killed_in_mid_publish_leaves_no_publish_hanging(
    transport_to: To, mosquitto: Mosquitto
) -> None:
    transport = transport_to(at(mosquitto.port))
    recorder = TransportRecorder(transport)
    await transport.connect()
    work = [asyncio.ensure_future(transport.publish(Publish(f"a/{n}", b"x" * 20_000))) for n in range(1000)]
    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)

    mosquitto.kill()
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    await recorder.lost()

    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert 0 < len(failed) < len(work)
    assert all(isinstance(error, BrokerError) for error in failed)


async def test_a_broker_that_comes_back_finds_us_subscribed(transport_to: To, mosquitto: Mosquitto) -> None:
    transport = transport_to(at(mosquitto.port))
    recorder = TransportRecorder(transport)
    await transport.connect()
    await transport.subscribe(["a/+"])

    mosquitto.stop()
    reason = await recorder.lost()
    mosquitto.start()
    await recorder.back()
    await transport.publish(Publish("a/b", b"again"))

    assert "closed the connection" in reason
    assert [message.payload for message in await recorder.received()] == [b"again"]


async def test_a_message_larger_than_the_broker_takes_is_refused_before_it_is_sent(
    transport_to: To, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory("listener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 5000")
    transport = transport_to(at(broker.port))
    await transport.connect()

    with pytest.raises(BrokerError, match="10000 bytes are more than"):
        await transport.publish(Publish("a", b"x" * 10_000))

    assert transport.connected
    await transport.publish(Publish("a", b"x" * 1_000))
