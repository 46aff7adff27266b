"""Every mistake in a strategy file, at its place and with its fix; every good file as a spec."""

from __future__ import annotations

import random
from decimal import Decimal

import msgspec
import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import Severity
from reconciler.model.spec import Suspend, Wish
from reconciler.sources.check import check

HEAD = "strategy_type: pure_market_making\nexchange: binance\ntrading_pair: BTC-USDT\n"
ENCODER = msgspec.json.Encoder(decimal_format="number")
CONFIG = "config:\n  bid_spread: 0.1\n  ask_spread: 0.1\n  order_amount: 0.01\n  order_refresh_time: 30\n"


def checked(text: str):
    return check(text.encode(), "strategies/btc.yaml", load_catalog())


def problems(text: str, severity=Severity.ERROR):
    return [problem for problem in checked(text).problems if problem.severity is severity]


def config(**fields: str) -> str:
    given = {
        "bid_spread": "0.1",
        "ask_spread": "0.1",
        "order_amount": "0.01",
        "order_refresh_time": "30",
    } | fields
    return HEAD + "config:\n" + "".join(f"  {key}: {value}\n" for key, value in given.items() if value != "-")


def test_a_plain_file_is_a_spec_with_defaults_and_without_a_name() -> None:
    (spec,) = checked(HEAD + CONFIG).specs

    assert (spec.name, spec.state, spec.target, spec.account, spec.wave) == (
        "",
        Wish.RUNNING,
        "default",
        "default",
        0,
    )
    assert spec.config["bid_spread"] == Decimal("0.1")


@pytest.mark.parametrize("text", ["", "\n", "# all of it is a comment\n", "---\n---\n", "\ufeff"])
def test_an_emptied_file_is_no_wish_to_delete_its_strategy(text: str) -> None:
    found = checked(text)

    assert [(problem.severity, problem.what) for problem in found.problems] == [
        (Severity.ERROR, "there is no strategy in this file")
    ]
    assert found.broken == ("",)


def test_every_optional_field_arrives() -> None:
    text = (
        HEAD
        + "strategy_name: x\nstate: paused\ntarget: eu\naccount: desk\nlabels: {a: b}\ndescription: d\nowner: o\n"
        + "wave: -2\nprotect: true\nsuspend: {reason: r, until: 2026-12-24T00:00:00Z}\n"
        + "ignore_drift: [config.order_amount]\nadopt: true\n"
        + CONFIG
    )

    (spec,) = checked(text).specs

    assert (spec.name, spec.state, spec.target, spec.account) == ("x", Wish.PAUSED, "eu", "desk")
    assert (spec.labels, spec.description, spec.owner, spec.wave) == ({"a": "b"}, "d", "o", -2)
    assert (spec.protect, spec.adopt, spec.ignore_drift) == (True, True, ("config.order_amount",))
    assert spec.suspend == Suspend("r", "2026-12-24T00:00:00Z")


@pytest.mark.parametrize(
    ("written", "number"),
    [("0.1%", "0.1"), ("10bps", "0.10"), ("10 bps", "0.10"), ("0.1", "0.1"), ("'0.25%'", "0.25")],
)
def test_units_become_hummingbots_own(written: str, number: str) -> None:
    (spec,) = checked(config(bid_spread=written)).specs

    assert spec.config["bid_spread"] == Decimal(number)


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "what", "fix"),
    [
        (HEAD + "stat: x\n" + CONFIG, 4, 1, "stat", "no such field", "did you mean state?"),
        (
            HEAD + "state: paussed\n" + CONFIG,
            4,
            8,
            "state",
            "'paussed' is not allowed",
            "running, paused, stopped",
        ),
        (
            HEAD.replace("BTC-USDT", "btcusdt") + CONFIG,
            3,
            15,
            "trading_pair",
            "there is no - between",
            "BASE-QUOTE",
        ),
        (
            HEAD.replace("pure_m", "pur_m") + CONFIG,
            1,
            16,
            "strategy_type",
            "not a strategy type",
            "pure_market_making?",
        ),
        (HEAD, 1, 1, "config", "needs this field", "add config"),
        (HEAD + "labels: {a: 1}\n" + CONFIG, 4, 13, "labels.a", "1 is not text", 'quotes: "1"'),
        (HEAD + "strategy_name: a b\n" + CONFIG, 4, 16, "strategy_name", "right form", "letters, digits"),
        (
            HEAD + "suspend: {reason: r, until: soon}\n" + CONFIG,
            4,
            29,
            "suspend.until",
            "RFC 3339",
            "2026-12-24",
        ),
        (
            HEAD + "ignore_drift: [config.order_amout]\n" + CONFIG,
            4,
            16,
            "ignore_drift.0",
            "no field",
            "order_amount?",
        ),
        (
            config(bid_spred="1"),
            9,
            3,
            "config.bid_spred",
            "pure_market_making has no such",
            "did you mean bid_spread?",
        ),
        (config(bid_spread="200%"), 5, 15, "config.bid_spread", "out of range", "above 0 and below 100"),
        (config(order_amount="5%"), 7, 17, "config.order_amount", "does not take", "without % or bps"),
        (config(bid_spread="0,1"), 5, 15, "config.bid_spread", "is not a number", "0.1% or 10bps"),
        (
            config(order_refresh_time="30s"),
            8,
            23,
            "config.order_refresh_time",
            "not a number",
            "seconds alone",
        ),
        (config(market="X-Y"), 9, 3, "config.market", "no such", "trading_pair at the top"),
        (HEAD + "bid_spread: 1\n" + CONFIG, 4, 1, "bid_spread", "no such field", "move it below config"),
        (HEAD + "state:\n" + CONFIG, 4, 7, "state", "nothing is not allowed", "running, paused, stopped"),
        (HEAD + 'trading_pair: "A-B\\n"\n' + CONFIG, 4, 1, "trading_pair", "second time", "remove one"),
        (
            HEAD.replace("BTC-USDT", '"A-B\\n"') + CONFIG,
            3,
            15,
            "trading_pair",
            "a sign that no asset has",
            "BASE-QUOTE",
        ),
        (
            HEAD + "ignore_drift: [config.order_amount.x]\n" + CONFIG,
            4,
            16,
            "ignore_drift.0",
            "has nothing below it",
            "write config.order_amount",
        ),
        (config(order_levels="1.5"), 9, 17, "config.order_levels", "not a whole number", "whole number"),
        (config(bid_spread="-"), 4, 1, "config.bid_spread", "needs this field", "add bid_spread"),
        (
            config(ping_pong_enabled="yep"),
            9,
            22,
            "config.ping_pong_enabled",
            "'yep' is not true",
            "true or false",
        ),
        (
            HEAD.replace("binance", "binanze") + CONFIG,
            2,
            11,
            "exchange",
            "cannot trade on",
            "did you mean binance?",
        ),
    ],
)
def test_a_mistake_is_reported_with_place_and_fix(text, line, column, path, what, fix) -> None:  # noqa: PLR0913, PLR0917  (a row of the table)
    (problem,) = problems(text)

    assert (problem.location.line, problem.location.column, problem.path) == (line, column, path)
    assert what in problem.what
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("field", "text", "read"),
    [
        ("ping_pong_enabled", "yes", "true"),
        ("ping_pong_enabled", "No", "false"),
        ("ping_pong_enabled", '"true"', "true"),
        ("order_levels", '"2"', "2"),
        ("bid_spread", '"0.10"', "0.1"),
    ],
)
def test_a_text_that_hummingbot_would_read_is_read_with_a_warning(field: str, text: str, read: str) -> None:
    values = {"bid_spread": "0.2"} | {field: text}

    (warning,) = problems(config(**values), Severity.WARNING)
    (spec,) = checked(config(**values)).specs

    assert (warning.path, warning.fix) == (f"config.{field}", f"write {field}: {read}")
    assert not isinstance(spec.config[field], str)


def test_all_mistakes_of_a_file_come_in_its_order() -> None:
    found = problems(config(bid_spread="0", ask_spread="x").replace("binance", "Binance"))

    assert [problem.location.line for problem in found] == [2, 5, 6]


def test_a_field_that_another_calls_for_is_required() -> None:
    (problem, *_) = problems(config(price_source="custom_api"))

    assert problem.path == "config.price_source_custom_api"


def test_an_absurd_spread_is_a_warning_that_says_both_readings() -> None:
    (warning,) = problems(config(bid_spread="0.001"), Severity.WARNING)

    assert warning.what == "0.001 means 0.001 %, not 0.1 %"
    assert warning.fix == "if 0.1 % was meant, write 0.1 or 0.1%; if not, write 0.001% to say so"
    assert len(checked(config(bid_spread="0.001")).specs) == 1


@pytest.mark.parametrize("spread", ["0.001%", "0.01", "0.010", "1"])
def test_a_spread_with_its_unit_or_not_below_a_hundredth_of_a_percent_is_not_absurd(spread: str) -> None:
    assert not problems(config(bid_spread=spread), Severity.WARNING)


def test_a_share_below_one_percent_is_absurd_too() -> None:
    (warning,) = problems(config(inventory_target_base_pct="0.5"), Severity.WARNING)

    assert warning.what == "0.5 means 0.5 %, not 50 %"


def test_the_given_example_without_refresh_time_stays_valid_and_30_s_is_written_out() -> None:
    text = config(order_refresh_time="-")

    (warning,) = problems(text, Severity.WARNING)

    assert (warning.path, warning.what) == ("config.order_refresh_time", "left out; 30 is used")
    assert checked(text).specs[0].config["order_refresh_time"] == 30


def stream(*documents: str) -> str:
    return "---\n".join(f"strategy_name: {name}\n{HEAD}{CONFIG}" for name in documents)


def test_one_bad_document_does_not_hide_the_others() -> None:
    result = checked(stream("good", "bad\nstate: x", "refused\nowner: &me you"))

    assert [spec.name for spec in result.specs] == ["good"]
    assert result.broken == ("bad", "refused")
    assert [problem.location.line for problem in result.problems] == [12, 23]


def test_what_the_reader_refuses_does_not_hide_what_else_is_wrong() -> None:
    found = problems(HEAD + "state: x\nwave: 1\nwave: 2\n" + CONFIG.replace("0.1", "wide", 1))

    assert [problem.path for problem in found] == ["state", "wave", "config.bid_spread"]


def test_a_mistake_is_reported_once_though_reader_and_schema_find_it() -> None:
    (problem,) = problems(config(bid_spread="*spread"))

    assert problem.what == "alias *spread"


def test_fields_that_a_merge_key_would_bring_are_not_called_missing() -> None:
    (problem,) = problems(HEAD + "config:\n  <<: {}\n  bid_spread: 0.1\n")

    assert problem.what == "merge key <<"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (HEAD + "state: x\n" + CONFIG, ""),
        ("strategy_name: eth\nstate: x\n" + HEAD + CONFIG, "eth"),
        ("strategy_name: eth\nowner: *x\n" + HEAD + CONFIG, "eth"),
        ("strategy_nam: eth\n" + HEAD + CONFIG, None),
        ("name: eth\n" + HEAD + CONFIG, None),
        ("strategy_name: e th\n" + HEAD + CONFIG, None),
        ("strategy_name: 5\n" + HEAD + CONFIG, None),
        ("strategy_name: &x eth\n" + HEAD + CONFIG, None),
        ("strategy_name: eth\nstrategy_name: btc\n" + HEAD + CONFIG, None),
        ("<<: {strategy_name: eth}\n" + HEAD + CONFIG, None),
        ("? {}\n: eth\n" + HEAD + CONFIG, None),
        ("- strategy_name: eth\n", None),
        ("strategy_name: eth\nconfig: [\n", None),
    ],
)
def test_a_broken_document_says_whose_it_is_only_if_no_mistake_can_hide_that(text: str, broken) -> None:
    assert checked(text).broken == (broken,)


def test_whole_numbers_in_any_form_are_waves() -> None:
    (spec,) = checked(HEAD + "wave: 1e1\n" + CONFIG).specs

    assert (spec.wave, type(spec.wave)) == (10, int)


@pytest.mark.parametrize(
    "amount", ["100000000000000000000", "1e-400", "0.1234567890123456789012345678901234567"]
)
def test_results_can_be_kept_and_sent_whatever_numbers_they_have(amount: str) -> None:
    result = checked(config(order_amount=amount))

    assert result.specs[0].config["order_amount"] == Decimal(amount)
    assert msgspec.msgpack.encode(result)
    assert msgspec.json.Decoder(type(result), float_hook=Decimal).decode(ENCODER.encode(result)) == result


def test_a_file_of_mistakes_is_answered_with_the_first_hundred_of_a_kind() -> None:
    text = HEAD + CONFIG + "labels:\n" + "".join(f"  k{number}: {number}\n" for number in range(5000))

    found = problems(text)

    assert len(found) == 101
    assert "more than 100 mistakes" in found[0].what


def test_no_damage_to_a_good_file_raises_anything() -> None:
    chance = random.Random(20261123)
    good = stream(
        "one\nlabels: {a: 'b'}\nsuspend: {reason: r}", "two\nignore_drift: [config.order_amount]"
    ).encode()
    pieces = [
        b"\t",
        b":",
        b"&a",
        b"*a",
        b"{",
        b"]",
        b"\n",
        b"- ",
        b"!",
        b"\x00",
        b"%",
        b"|",
        b"1_0",
        b"? ",
        b"<<: ",
        b"9" * 50,
    ]
    for _ in range(1500):
        text = bytearray(good)
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(text))
            text[place : place + chance.randint(0, 3)] = chance.choice(pieces)
        result = check(bytes(text), "f.yaml", load_catalog())
        assert result.specs or result.broken
        assert bool(result.broken) == any(p.severity is Severity.ERROR for p in result.problems)
