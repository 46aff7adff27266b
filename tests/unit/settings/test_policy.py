"""`policy` of reconciler.yaml: tables of rows, each mistake with place and fix, and typos that would guard nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from reconciler.catalog.loading import load_catalog
from reconciler.errors import SettingsError
from reconciler.settings.loading import Loaded, load_settings
from reconciler.settings.model import FeeRow, LimitRow, PolicySettings, TotalRow
from reconciler.sources.policy.rules import PolicyRules

EVERYTHING = """\
policy:
  severity: warning
  exclusive_markets: error
  max_leverage: 5
  allowed_exchanges: [binance, kucoin*]
  allowed_strategy_types: pure_market_making
  required_labels: [desk, env]
  require_owner: true
  max_total_amount:
    - {exchange: binance, trading_pair: BTC-USDT, base: 2.5}
    - {trading_pair: "*-USDT", quote: 10000, severity: error}
  limits:
    - field: config.order_amount
      max: 0.5
    - {field: config.bid_spread, exchange: binance, min: 0.05%, max: 2 %}
  fees:
    binance: {maker: 0.1%, taker: 12bps}
    default: {maker: -0.01%}
"""


def load(text: str, folder: Path, *flags: tuple[str, str], **environ: str) -> Loaded:
    file = folder / "reconciler.yaml"
    file.write_text(text)
    return load_settings(file, environ=environ, flags=dict(flags))


def refusal(text: str, folder: Path, **environ: str) -> str:
    with pytest.raises(SettingsError) as error:
        load(text, folder, **environ)
    return str(error.value)


def test_without_a_policy_no_rule_is_set(tmp_path: Path) -> None:
    policy = load("", tmp_path).settings.policy

    assert policy == PolicySettings()
    assert not PolicyRules(policy, load_catalog()).are_set


def test_every_key_arrives(tmp_path: Path) -> None:
    assert load(EVERYTHING, tmp_path).settings.policy == PolicySettings(
        severity="warning",
        exclusive_markets="error",
        max_leverage=Decimal(5),
        allowed_exchanges=("binance", "kucoin*"),
        allowed_strategy_types=("pure_market_making",),
        required_labels=("desk", "env"),
        require_owner=True,
        max_total_amount=(
            TotalRow(exchange="binance", trading_pair="BTC-USDT", base=Decimal("2.5")),
            TotalRow(trading_pair="*-USDT", quote=Decimal(10000), severity="error"),
        ),
        limits=(
            LimitRow(field="config.order_amount", max="0.5"),
            LimitRow(field="config.bid_spread", exchange="binance", min="0.05%", max="2 %"),
        ),
        fees={
            "binance": FeeRow(maker=Decimal("0.1"), taker=Decimal("0.12")),
            "default": FeeRow(maker=Decimal("-0.01")),
        },
    )


def test_rows_are_shown_with_their_origin(tmp_path: Path) -> None:
    shown = {key: (value, origin) for key, value, origin in load(EVERYTHING, tmp_path).describe()}

    assert shown["policy.allowed_exchanges"][0] == "binance, kucoin*"
    assert shown["policy.limits.0.max"][0] == "0.5"
    assert shown["policy.limits.0.max"][1].endswith("reconciler.yaml:14:12")
    assert shown["policy.max_total_amount.0.severity"] == ("", "default")
    assert shown["policy.max_total_amount.1.quote"][0] == "10000"
    assert shown["policy.fees.binance.taker"][0] == "0.12%"
    assert shown["policy.fees.default.taker"] == ("", "default")


def test_a_variable_or_a_flag_changes_a_row(tmp_path: Path) -> None:
    loaded = load(
        EVERYTHING,
        tmp_path,
        ("policy.fees.kucoin.maker", "0.2%"),
        RECONCILER_POLICY__LIMITS__0__MAX="0.7",
        RECONCILER_POLICY__MAX_LEVERAGE="3",
    )

    policy = loaded.settings.policy
    assert policy.limits[0] == LimitRow(field="config.order_amount", max="0.7")
    assert policy.max_leverage == 3
    assert policy.fees["kucoin"] == FeeRow(maker=Decimal("0.2"))


def test_more_than_ten_rows_stay_in_order(tmp_path: Path) -> None:
    rows = "".join(f"    - {{base: {number}}}\n" for number in range(1, 13))
    policy = load(f"policy:\n  max_total_amount:\n{rows}", tmp_path).settings.policy

    assert [row.base for row in policy.max_total_amount] == list(range(1, 13))


@pytest.mark.parametrize("text", ["limits: []", "limits: null", "fees: {}", "max_total_amount: []"])
def test_an_empty_table_has_no_rows(tmp_path: Path, text: str) -> None:
    assert load(f"policy: {{{text}}}", tmp_path).settings.policy == PolicySettings()


@pytest.mark.parametrize(
    ("text", "place", "what", "fix"),
    [
        ("limits: 5", "1:18", "policy.limits: is not a setting but a section", "a list of rows"),
        ("limits: [1]", "1:19", "is no row", "`key: value` in each row"),
        ("limits: [{}]", "1:19", "policy.limits.0: says neither min nor max", "add min: or max:"),
        ("limits: [{min: 1}]", "1:19", "policy.limits.0: names no field", "config.order_amount"),
        ("limits: [{field: config.a, min: 1}, {}]", "1:46", "policy.limits.1: names no field", "add field"),
        ("limits: [{field: amount, max: 1}]", "1:27", "'amount' is not a field of config", "write config."),
        ("limits: [{field: config.a, max: much}]", "1:42", "'much' is not a number", "such as 0.5"),
        ("limits: [{field: config.a, max: 1e3}]", "1:42", "'1e3' is not a number", "such as 0.5"),
        ("limits: [{field: config.a, min: 2, max: 1}]", "1:42", "2 is above max, 1", "a min below max"),
        ("limits: [{field: config.a, min: 2%, max: 1%}]", "1:42", "2% is above max, 1%", "a min below max"),
        ("limits: [{feld: config.a, min: 2}]", "1:20", "no such setting", "did you mean policy.limits.0.field?"),
        ("limits: {a: {min: 1}}", "1:19", "no such setting", "a list of rows"),
        ("limits: [{field: config.a, min: 1, severity: off}]", "1:55", "not allowed", "warning, error"),
        ("max_total_amount: [{base: 0}]", "1:36", "'0' is not a number above 0", "such as 2.5"),
        ("max_total_amount: [{base: 1%}]", "1:36", "'1%' is not a number above 0", "such as 2.5"),
        ("max_total_amount: [{exchange: Binance, base: 1}]", "1:40", "'Binance' is not an exchange", "binance"),
        ("max_total_amount: [{trading_pair: BTC, base: 1}]", "1:44", "'BTC' is not a trading pair", "BTC-USDT"),
        ("fees: {binance: {maker: 0.1}}", "1:34", "'0.1' is not a fee", "0.1% or 10bps"),
        ("fees: {binance: {}}", "1:26", "says neither maker nor taker", "add maker: or taker:"),
        ("fees: {Binance: {maker: 1%}}", "1:17", "no such setting", "name exchanges"),
        ("fees: [{maker: 1%}]", "1:16", "is not a setting but a section", "name exchanges"),
        ("fees: {binance: 0.1%}", "1:26", "is not a setting but a section", "key: value"),
        ("allowed_exchanges: []", "1:29", "names nothing", "leave the key out"),
        ("allowed_exchanges: [a b]", "1:29", "'a b' is not a name", "plain names"),
        ("required_labels: [{desk: x}]", "1:28", "is not a setting", "plain words"),
        ("max_leverage: -1", "1:24", "not a number above 0", "above 0"),
        ("exclusive_markets: yes", "1:29", "not allowed", "off, warning, error"),
        ("severity: off", "1:20", "not allowed", "warning, error"),
        ("max_leverag: 1", "1:10", "no such setting", "did you mean policy.max_leverage?"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_place_and_fix(
    tmp_path: Path, text: str, place: str, what: str, fix: str
) -> None:
    message = refusal(f"policy: {{{text}}}\n", tmp_path)

    assert f"reconciler.yaml:{place}: " in message
    assert what in message
    assert fix in message


def test_a_variable_that_names_no_row_is_refused(tmp_path: Path) -> None:
    message = refusal("", tmp_path, RECONCILER_POLICY__LIMITS__FIRST__MAX="1")

    assert "policy.limits.first.max: there is no such setting" in message


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        (PolicySettings(limits=(LimitRow(field="config.order_amout", max="1"),)), "did you mean config.order_amount?"),
        (PolicySettings(limits=(LimitRow(field="config.order_amount", max="1%"),)), "which order_amount does not take"),
        (PolicySettings(limits=(LimitRow(field="config.leverage", exchange="binanc", max="1"),)), "did you mean binance?"),
        (PolicySettings(max_total_amount=(TotalRow(exchange="kucoins", base=Decimal(1)),)), "did you mean kucoin?"),
        (PolicySettings(fees={"krakn": FeeRow(maker=Decimal(1))}), "policy.fees.krakn: Hummingbot knows no exchange krakn"),
    ],
)  # fmt: skip
def test_a_rule_that_could_never_apply_is_refused(policy: PolicySettings, what: str) -> None:
    with pytest.raises(SettingsError) as error:
        PolicyRules(policy, load_catalog())

    assert what in str(error.value)


def test_patterns_and_the_default_fee_name_no_exchange() -> None:
    policy = PolicySettings(
        max_total_amount=(TotalRow(exchange="nothing*", base=Decimal(1)),),
        fees={"default": FeeRow(maker=Decimal(1))},
    )

    assert PolicyRules(policy, load_catalog()).are_set


def test_every_example_of_the_documentation_is_a_policy_that_applies(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    keys = {key for example in examples for key in load(example, tmp_path).origins}
    for example in examples:
        PolicyRules(load(example, tmp_path).settings.policy, load_catalog())
    assert {key.split(".")[1] for key in keys} == {
        field.name for field in msgspec.structs.fields(PolicySettings)
    }
