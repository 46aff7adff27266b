"""What a bot is started with, written and read (reconciler/agent/hummingbot/within/spec.py, words.py)."""

from __future__ import annotations

import json

import pytest

from reconciler.agent.hummingbot.within.spec import (
    CONTROLLER,
    BadSpec,
    Broker,
    Secrets,
    Spec,
    read_secrets,
    read_spec,
)
from reconciler.agent.hummingbot.within.words import Ask, Exit, topic

SPEC = Spec(
    instance_id="desk.maker",
    kind=CONTROLLER,
    strategy_file="maker.yml",
    broker=Broker(host="broker", port=8883, username="agent", tls=True, ca_file="/etc/ca.pem"),
    version="20260922",
    autostart=False,
    constants={"a.module": {"URL": "http://127.0.0.1:1"}},
)
SECRETS = Secrets(keystore_password="sesame", broker_password="broom", connectors={"x": {"api_key": "k"}})


def test_what_is_written_is_read_back() -> None:
    assert read_spec(SPEC.to_json()) == SPEC
    assert read_secrets(SECRETS.to_json()) == SECRETS


def test_what_may_be_left_out_has_its_default() -> None:
    least = {
        "instance_id": "m",
        "kind": "v1",
        "strategy_file": "m.yml",
        "version": "1",
        "broker": {"host": "h", "port": 1},
    }
    spec = read_spec(json.dumps(least))

    assert (spec.autostart, spec.allow_unknown_version, spec.constants) == (True, False, {})
    assert (spec.broker.namespace, spec.broker.username, spec.broker.tls) == ("hbot", None, False)
    assert read_secrets('{"keystore_password": ""}').connectors == {}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"kind": "v3"}, "kind is 'v3'"),
        ({"broker": None}, "broker is missing"),
        ({"broker": {"host": "h"}}, "broker: missing 1 required .* 'port'"),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_wrong_with_launch_json_is_said(change: dict[str, object], wrong: str) -> None:
    with pytest.raises(BadSpec, match=f"launch.json: .*{wrong}"):
        read_spec(json.dumps({**json.loads(SPEC.to_json()), **change}))


@pytest.mark.parametrize(
    "text", ["", "[]", "sesame", '{"password": "sesame"}', '{"keystore_password": "a", "b": "sesame"}']
)
def test_what_is_wrong_with_secrets_is_said_without_them(text: str) -> None:
    with pytest.raises(BadSpec, match="stdin") as error:
        read_secrets(text)

    assert "sesame" not in str(error.value)
    assert "sesame" not in repr(error.value.__cause__)


def test_secrets_do_not_show_in_a_traceback() -> None:
    assert "sesame" not in repr(SECRETS)
    assert "broom" not in repr(SECRETS)


def test_pythons_own_exit_codes_are_none_of_ours() -> None:
    assert not {code.value for code in Exit if code is not Exit.LEFT} & {0, 1, 2}


def test_only_what_may_go_well_later_passes() -> None:
    assert {code for code in Exit if code.passes} == {Exit.LEFT, Exit.NO_BROKER, Exit.ORDERS_LEFT}


def test_each_endpoint_has_a_topic_below_its_bot() -> None:
    assert topic("hbot", "desk.maker", Ask.HALT) == "hbot/desk.maker/reconciler/halt"
    assert len({topic("hbot", "m", ask) for ask in Ask}) == len(Ask)
