"""schemas/asyncapi.yaml and the code agree: what is sent is in the document, what it shows is accepted."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT7

from reconciler.model.change import ConfigMode, Op, Step
from reconciler.model.report import Level
from reconciler.model.spec import NAME, StrategySpec
from reconciler.model.state import Condition, Lifecycle
from reconciler.protocol.batches import (
    pack_commands,
    pack_responses,
    unpack_commands,
    unpack_responses,
)
from reconciler.protocol.canonical import inventory_digest, spec_hash
from reconciler.protocol.codes import ErrorCode, Reaction, reaction
from reconciler.protocol.commands import build
from reconciler.protocol.messages import (
    AgentInventory,
    AgentPresence,
    CommandMessage,
    CommandMeta,
    LogRecord,
    Notification,
    Performance,
    Position,
    Reply,
    ReplyMeta,
    Status,
    StatusMeta,
    decode_command,
    encode,
)
from reconciler.protocol.reports import (
    decode_inventory,
    decode_log,
    decode_performance,
    decode_presence,
    decode_reply,
    decode_status,
)
from reconciler.protocol.signing import sign
from reconciler.protocol.topics import Topics

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "schemas" / "asyncapi.yaml").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
MESSAGES = DOCUMENT["components"]["messages"]
REGISTRY: Registry[Any] = Registry().with_resource("urn:wire", DRAFT7.create_resource(DOCUMENT))
TOPICS = Topics("hummingbot")


def validator(schema: str) -> jsonschema.Draft7Validator:
    reference = {"$ref": f"urn:wire#/components/schemas/{schema}"}
    return jsonschema.Draft7Validator(reference, registry=REGISTRY)


# What we send.

SPEC = StrategySpec(
    "mm-btc", "pure_market_making", "binance", "BTC-USDT", {"bid_spread": Decimal("0.10"), "order_levels": 2}
)
HASH = spec_hash(SPEC)
STEPS = {op: Step(op, spec_hash=None if op is Op.DELETE else HASH) for op in Op} | {
    Op.CREATE: Step(Op.CREATE, spec=SPEC, spec_hash=HASH),
    Op.UPDATE: Step(
        Op.UPDATE, config={"bid_spread": Decimal("0.2")}, config_mode=ConfigMode.MERGE, spec_hash=HASH
    ),
}
META = CommandMeta(
    v=1,
    request_id="r",
    reply_to=TOPICS.reply_to("ctl"),
    idempotency_key="k",
    commit="9f3c2ab",
    owner="ctl",
    epoch=9,
    expires_at="2026-11-23T05:01:00Z",
)


def command(op: Op, meta: CommandMeta | None) -> CommandMessage:
    return build(STEPS[op], SPEC.name, meta)[1]


def signed(op: Op) -> CommandMessage:
    return sign(TOPICS.command(op), command(op, META), api_key="ctl", api_secret="secret")


def schema_of(op: Op, *, extended: bool) -> str:
    kind = {Op.CREATE: "Create", Op.UPDATE: "Update"}.get(op, "ByName")
    return f"{kind}Extended" if extended else kind


ANSWERS = [
    Reply(status="success", message="done", meta=ReplyMeta(request_id="r", op="stop", strategy_name="mm")),
    Reply(status="error", message="no", error_code="NOT_FOUND", meta=ReplyMeta(request_id="s")),
]

SENT: list[tuple[str, msgspec.Struct | bytes]] = [
    ("CommandBatch", pack_commands((op, encode(signed(op))) for op in Op)),
    ("ResponseBatch", pack_responses(encode(answer) for answer in ANSWERS)),
    *((schema_of(op, extended=False), command(op, None)) for op in Op),
    *((schema_of(op, extended=True), command(op, CommandMeta(v=1, request_id="r"))) for op in Op),
    *((schema_of(op, extended=True), signed(op)) for op in Op),
    ("Success", Reply(status="success", message="done", data={"strategy_name": "mm", "strategy_id": "mm"})),
    (
        "Success",
        Reply(
            status="success",
            message="done",
            meta=ReplyMeta(
                request_id="r",
                op="start",
                strategy_name="mm",
                spec_hash=HASH,
                phase="accepted",
                replayed=True,
                retryable=True,
                retry_after_s=1.5,
            ),
        ),
    ),
    *(
        ("Error", Reply(status="error", message="no", error_code=code, details={"epoch": 9}))
        for code in ErrorCode
    ),
    *(("Status", Status(strategy_name="mm", state=state)) for state in Lifecycle),
    ("AgentStatus", Status(strategy_name="mm", state=Lifecycle.STARTING, agent="a", session="s", seq=1)),
    (
        "AgentStatus",
        Status(
            strategy_name="mm",
            state=Lifecycle.ERROR,
            strategy_id="mm",
            strategy_type="pmm",
            exchange="binance",
            trading_pair="BTC-USDT",
            config={"bid_spread": Decimal("0.1")},
            message="killed",
            timestamp="2026-11-23T05:01:00Z",
            agent="a",
            session="s",
            seq=7,
            spec_hash=HASH,
            account="default",
            observed_at="2026-11-23T05:01:00Z",
            conditions=(Condition("OrdersMayBeOpen", reason="Killed"),),
            meta=StatusMeta(owner="ctl", commit="9f3c2ab", epoch=9),
        ),
    ),
    ("Performance", Performance(strategy_name="mm", timestamp="2026-11-23T05:01:00Z")),
    (
        "Performance",
        Performance(
            strategy_name="mm",
            timestamp="2026-11-23T05:01:00Z",
            net_pnl_quote=Decimal("-1.5"),
            open_orders=2,
            positions=(
                Position(exchange="binance", trading_pair="BTC-USDT", side="long", amount=Decimal("0.1")),
            ),
        ),
    ),
    (
        "LogRecord",
        LogRecord(strategy_name="mm", timestamp="2026-11-23T05:01:00Z", message="hello", logger="pmm"),
    ),
    ("AgentPresence", AgentPresence(agent="a", state="online", session="s", capabilities=("x",), epoch=9)),
    ("AgentPresence", AgentPresence(agent="a", state="offline", session="s")),
    (
        "AgentInventory",
        AgentInventory(agent="a", session="s", seq=1, count=1, digest=inventory_digest(["mm"])),
    ),
    *(
        ("Notification", Notification(message="m", level=level, timestamp="2024-03-20T10:00:00Z"))
        for level in Level
    ),
]


@pytest.mark.parametrize(("schema", "message"), SENT)
def test_what_we_send_is_what_the_document_says(schema: str, message: msgspec.Struct | bytes) -> None:
    payload = message if isinstance(message, bytes) else encode(message)

    validator(schema).validate(json.loads(payload))


def test_every_kind_of_message_is_sent_in_these_tests() -> None:
    sent = {schema for schema, _ in SENT}
    payloads = {
        message["payload"]["$ref"].split("/")[-1]
        for message in MESSAGES.values()
        if "$ref" in message["payload"]
    }

    assert payloads - sent == {"Snapshot"}, "we never send a snapshot: our agents have inventories"


@pytest.mark.parametrize("schema", ["Create", "Update", "ByName", "Notification"])
def test_a_given_payload_has_no_key_beyond_the_given_ones(schema: str) -> None:
    assert SCHEMAS[schema]["additionalProperties"] is False
    assert set(SCHEMAS[schema]["required"]) == set(SCHEMAS[schema]["properties"])


# What we accept.


def status_of(payload: bytes) -> Any:
    report = decode_status(payload)
    assert not report.unreadable
    return report.statuses


def by_name(payload: bytes) -> CommandMessage:
    commands = [decode_command(op, payload) for op in Op if op not in {Op.CREATE, Op.UPDATE}]
    assert commands.count(commands[0]) == len(commands)
    return commands[0]


ACCEPTS: dict[str, Any] = {
    "create": lambda payload: decode_command(Op.CREATE, payload),
    "createExtended": lambda payload: decode_command(Op.CREATE, payload),
    "update": lambda payload: decode_command(Op.UPDATE, payload),
    "updateExtended": lambda payload: decode_command(Op.UPDATE, payload),
    "byName": by_name,
    "byNameExtended": by_name,
    "commandBatch": lambda payload: [
        decode_command(Op(level), command) for level, command in unpack_commands(payload)
    ],
    "responseBatch": lambda payload: [decode_reply(response) for response in unpack_responses(payload)],
    "success": decode_reply,
    "error": decode_reply,
    "status": status_of,
    "snapshot": status_of,
    "agentStatus": lambda payload: status_of(payload)[0],
    "performance": decode_performance,
    "log": decode_log,
    "presence": decode_presence,
    "inventory": decode_inventory,
    "notification": msgspec.json.Decoder(Notification).decode,
}
EXAMPLES = [
    pytest.param(name, example["payload"], id=f"{name}-{example['name']}")
    for name, message in MESSAGES.items()
    for example in message.get("examples", [])
]


def test_every_message_has_an_example_and_a_reader() -> None:
    assert {name for name, message in MESSAGES.items() if message.get("examples")} == ACCEPTS.keys()
    assert MESSAGES.keys() - ACCEPTS.keys() == {"deleted"}


@pytest.mark.parametrize(("name", "payload"), EXAMPLES)
def test_what_the_document_shows_is_accepted(name: str, payload: Any) -> None:
    schema = MESSAGES[name]["payload"]["$ref"].split("/")[-1]
    validator(schema).validate(payload)

    assert ACCEPTS[name](json.dumps(payload).encode()) is not None


SEVERAL = {"status", "snapshot", "commandBatch", "responseBatch"}


@pytest.mark.parametrize(("name", "payload"), [p for p in EXAMPLES if p.values[0] not in SEVERAL])
def test_no_key_of_an_example_is_lost_in_reading(name: str, payload: dict[str, Any]) -> None:
    read = ACCEPTS[name](json.dumps(payload).encode())

    again = json.loads(encode(read))
    assert {key: again.get(key) for key in payload} == payload | _defaults_left_out(payload)


def _defaults_left_out(payload: dict[str, Any]) -> dict[str, Any]:
    """Keys at their default are not written, so an example that shows one reads back without it."""
    changes: dict[str, Any] = {}
    if payload.get("meta", {}).get("phase") == "applied":
        changes["meta"] = {key: value for key, value in payload["meta"].items() if key != "phase"}
    if "conditions" in payload:
        changes["conditions"] = payload["conditions"]
    return changes


# The same words.


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("CommandMeta", CommandMeta),
        ("ReplyMeta", ReplyMeta),
        ("AgentStatus", Status),
        ("StatusMeta", StatusMeta),
        ("Condition", Condition),
        ("Performance", Performance),
        ("Position", Position),
        ("LogRecord", LogRecord),
        ("Notification", Notification),
        ("AgentPresence", AgentPresence),
        ("AgentInventory", AgentInventory),
        ("CreateExtended", CommandMessage),
    ],
)
def test_a_schema_has_the_keys_that_the_code_knows(schema: str, kind: type[msgspec.Struct]) -> None:
    assert set(SCHEMAS[schema]["properties"]) == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_success_and_error_together_have_the_keys_of_a_reply() -> None:
    documented = {*SCHEMAS["Success"]["properties"], *SCHEMAS["Error"]["properties"]}

    assert documented == {field.encode_name for field in msgspec.structs.fields(Reply)}


@pytest.mark.parametrize(
    ("enum", "values"),
    [
        (SCHEMAS["State"]["enum"], Lifecycle),
        (SCHEMAS["Op"]["enum"], Op),
        (SCHEMAS["CommandMeta"]["properties"]["config_mode"]["enum"], ConfigMode),
        (SCHEMAS["Notification"]["properties"]["level"]["enum"], Level),
    ],
)
def test_an_enum_has_the_values_that_the_code_knows(enum: list[str], values: Any) -> None:
    assert set(enum) == {value.value for value in values}


def test_names_have_one_pattern() -> None:
    assert SCHEMAS["Name"]["pattern"] == f"^{NAME.pattern}$"


def test_error_codes_are_grouped_as_the_code_reacts_to_them() -> None:
    groups = {
        "TerminalCode": Reaction.TERMINAL,
        "LookAgainCode": Reaction.LOOK_AGAIN,
        "RetryCode": Reaction.RETRY,
        "ConvergedCode": Reaction.CONVERGED,
    }
    documented = {code: expected for name, expected in groups.items() for code in SCHEMAS[name]["enum"]}

    assert documented.keys() == set(ErrorCode)
    for code, expected in documented.items():
        reactions = {reaction(op, code) for op in Op}
        assert expected in reactions
        assert reactions <= {expected, Reaction.CONVERGED, Reaction.LOOK_AGAIN}


def test_the_channels_are_the_topics() -> None:
    topics = Topics("ROOT")
    addresses = {
        *(topics.command(op) for op in Op),
        topics.response,
        topics.reply_to("{controller}"),
        topics.batch,
        topics.batch_of(topics.reply_to("{controller}")),
        topics.status,
        topics.status_of("{strategy_name}"),
        topics.performance,
        topics.logs,
        topics.notification("telegram"),
        topics.notification("discord"),
        topics.presence("{agent}"),
        topics.inventory("{agent}"),
    }

    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {
        address.replace("ROOT", "{root}") for address in addresses
    }


def test_every_channel_is_somebodys_to_send_and_somebodys_to_receive() -> None:
    used: dict[str, set[str]] = {name: set() for name in DOCUMENT["channels"]}
    for operation in DOCUMENT["operations"].values():
        used[operation["channel"]["$ref"].split("/")[-1]].add(operation["action"])

    people = {"telegram", "discord"}
    assert {name: actions for name, actions in used.items() if name not in people} == {
        name: {"send", "receive"} for name in used if name not in people
    }
    assert all(used[name] == {"send"} for name in people), "people read them; no program of ours does"
