"""What a plan looks like to people: lines, units, masks, and nothing that a terminal would act on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from reconciler.model.change import Action, FieldChange, Reason
from reconciler.plan.render.json import document, to_json
from reconciler.plan.render.markdown import to_markdown
from reconciler.plan.render.text import Style, lines, to_text
from reconciler.plan.render.values import field_line, value_text
from reconciler.redact import FIELD_MASK, is_secret
from tests.support.plan_builders import live, plan_for, seen, spec, with_config
from tests.support.plan_sample import SAMPLE, SEEN, plan_with, shown


def test_a_plan_reads_as_in_the_design() -> None:
    assert (
        to_text(SAMPLE)
        == """\
strategies @ 9f3c2ab (main)      live: 3 strategies on default, complete, 0.4 s old

  + eth-maker      create, start           new in Git
      pure_market_making: BTC-USDT on binance
  ~ btc-maker      update (hot)            changed in Git
      config.bid_spread: 0.1 → 0.12 %
  ± sol-arb        stop, delete, create, start   trading_pair cannot change in place
      trading_pair: SOL-USDT → SOL-USDC
  - old-maker      stop, delete            removed from Git
  ! doge-maker     blocked                 live strategy is not ours; adopt: true takes it over

Plan: 1 to create, 1 to update, 1 to replace, 1 to delete, 1 blocked, 12 unchanged.
Open orders are cancelled and placed again: sol-arb.
Open orders are cancelled: old-maker.
"""
    )


def test_a_creation_says_what_will_be_traded_and_with_whose_account() -> None:
    change = msgspec.structs.replace(
        shown("hk", Action.CREATE, Reason.NEW, "create"), desired=spec(account="desk-1")
    )

    assert "\n      pure_market_making: BTC-USDT on binance, account desk-1\n" in to_text(plan_with(change))


def test_many_creations_are_one_line_each_unless_verbose() -> None:
    many = plan_with(*(shown(f"s{n}", Action.CREATE, Reason.NEW, "create") for n in range(41)))

    assert "on binance" not in to_text(many)
    assert to_text(many, verbose=True).count("on binance") == 41


def test_what_waits_for_others_says_so() -> None:
    first, second = (shown(f"s{wave}", Action.CREATE, Reason.NEW, "create", wave=wave) for wave in (0, 1))

    text = to_text(plan_with(first, second))

    assert "new in Git\n" in text
    assert "new in Git (wave 1)\n" in text


def test_a_target_that_nobody_was_heard_of_is_named() -> None:
    unheard = msgspec.structs.replace(SEEN, complete=False, age_s=None)
    change = shown("btc", Action.UNKNOWN, Reason.UNSEEN)

    assert "Nobody has reported on default: is an agent running" in to_text(
        plan_with(change, targets=(unheard,))
    )
    assert "Nobody" not in to_text(plan_with(change))


def test_an_empty_plan_says_so() -> None:
    assert to_text(plan_with()) == (
        "strategies @ 9f3c2ab (main)      live: 3 strategies on default, complete, 0.4 s old\n"
        "\n"
        "Plan: nothing to do, 12 unchanged.\n"
    )


def test_colour_is_only_added_around_the_text() -> None:
    coloured = to_text(SAMPLE, colour=True)

    assert "\x1b[32m  + \x1b[0meth-maker" in coloured
    assert "\x1b" not in to_text(SAMPLE)


def test_every_line_is_spans_of_text_and_style() -> None:
    spans = [span for line in lines(SAMPLE, width=100, verbose=False, tree="strategies") for span in line]

    assert ("  - ", Style.SHRINKS) in spans
    assert "".join(text for text, _ in spans) == to_text(SAMPLE).replace("\n", "")


def test_a_narrow_terminal_gets_the_reason_on_a_line_of_its_own() -> None:
    text = to_text(SAMPLE, width=60)

    assert "  ! doge-maker     blocked\n      live strategy is not ours; adopt: true takes it over\n" in text
    assert text.startswith("strategies @ 9f3c2ab (main)\nlive: 3 strategies on default")


def test_the_working_tree_has_no_ref() -> None:
    assert to_text(msgspec.structs.replace(plan_with(), commit="worktree"), tree="bots").startswith(
        "bots @ worktree  "
    )


@pytest.mark.parametrize(
    ("seen_as", "text"),
    [
        ({"live": 1}, "1 strategy on default, complete, 0.4 s old"),
        ({"complete": False, "age_s": 34.6}, "3 strategies on default, not complete, 35 s old"),
        ({"age_s": 600.0}, "3 strategies on default, complete, 10 min old"),
        ({"age_s": None}, "3 strategies on default, complete, nothing received yet"),
        ({"connected": False}, "default not connected"),
    ],
)
def test_the_header_says_what_was_seen(seen_as: dict[str, Any], text: str) -> None:
    assert f"live: {text}\n" in to_text(plan_with(targets=(msgspec.structs.replace(SEEN, **seen_as),)))


def test_a_strategy_of_another_target_is_named_with_it() -> None:
    other = msgspec.structs.replace(SAMPLE.changes[0], target="hk")

    assert "+ hk/eth-maker" in to_text(plan_with(other))


def test_a_long_name_pushes_only_its_own_line() -> None:
    text = to_text(
        plan_with(shown("n" * 64, Action.CREATE, Reason.NEW, "create"), SAMPLE.changes[0]), width=200
    )

    assert f"  + {'n' * 64}  create   " in text
    assert "  + eth-maker" + " " * 31 + "create, start" in text


def test_a_bots_own_words_follow_the_reason() -> None:
    text = to_text(
        plan_with(shown("mm", Action.BLOCKED, Reason.BOT_ERROR, detail="drawdown limit")), width=300
    )

    assert f"{Reason.BOT_ERROR}: drawdown limit\n" in text


def test_what_is_not_managed_is_one_line_with_a_count_unless_verbose() -> None:
    foreign = [shown(f"f{n}", Action.UNMANAGED, Reason.NOT_OURS_UNMANAGED) for n in range(9)]

    assert "  · 9 unmanaged: f0, f1, f2 and 6 more   not in Git and not ours\n" in to_text(
        plan_with(*foreign)
    )
    assert "  · f8 " in to_text(plan_with(*foreign), verbose=True)


def test_a_few_unknown_strategies_are_named_and_many_are_counted() -> None:
    unknown = [shown(f"u{n}", Action.UNKNOWN, Reason.UNSEEN) for n in range(11)]

    assert "  ? u9 " in to_text(plan_with(*unknown[:10]))
    assert "  ? 11 unknown: u0, u1, u2 and 8 more   live state unknown\n" in to_text(plan_with(*unknown))


def test_a_restart_says_what_it_does_to_open_orders() -> None:
    found = plan_for([with_config(leverage=9)], seen(live(spec())))

    text = to_text(found)

    assert "  ~ mm             stop, update, start (restart)   a changed field needs a restart\n" in text
    assert "      config.leverage: 2 → 9\n" in text
    assert text.endswith("Open orders are cancelled and placed again: mm.\n")


def test_a_pause_cancels_open_orders_too() -> None:
    text = to_text(plan_with(shown("mm", Action.PAUSE, Reason.STATE, "pause")))

    assert text.endswith("Open orders are cancelled: mm.\n")


# Fields.


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (FieldChange("config.a", Decimal("0.10"), Decimal("0.120"), "percent"), "config.a: 0.1 → 0.12 %"),
        (FieldChange("config.a", 30, 45, "seconds"), "config.a: 30 → 45 s"),
        (FieldChange("config.a", Decimal("0.01"), Decimal("0.02"), "base"), "config.a: 0.01 → 0.02 BTC"),
        (FieldChange("config.a", 10, 20, "quote"), "config.a: 10 → 20 USDT"),
        (
            FieldChange("config.a", Decimal("0.001"), Decimal("0.0012"), "fraction"),
            "config.a: 0.001 → 0.0012 (0.1 → 0.12 %)",
        ),
        (
            FieldChange("config.a", None, Decimal("0.001"), "fraction", added=True),
            "config.a: (not set) → 0.001 (0.1 %)",
        ),
        (
            FieldChange("config.a", Decimal("0.1"), None, "percent", removed=True),
            "config.a: 0.1 % → (removed)",
        ),
        (FieldChange("config.a", Decimal("0.1"), None, removed=True), "config.a: 0.1 → (removed)"),
        (FieldChange("config.a", None, 5, added=True), "config.a: (not set) → 5"),
        (FieldChange("config.a", before=True, after=None), "config.a: true → null"),
        (FieldChange("config.a", [1, Decimal("2.0")], {"x": "y"}), 'config.a: [1,2] → {"x":"y"}'),
        (FieldChange("state", "error", "running"), "state: error → running"),
        (FieldChange("config.a", "", " x"), 'config.a: "" → " x"'),
        (FieldChange("config.a", Decimal("1E+30"), Decimal("1E-7")), "config.a: 1E+30 → 0.0000001"),
    ],
)
def test_a_field_is_shown_with_its_unit(field: FieldChange, line: str) -> None:
    assert field_line(field, spec()) == line


def test_without_a_pair_a_unit_keeps_its_own_name() -> None:
    assert field_line(FieldChange("config.a", 1, 2, "base"), None) == "config.a: 1 → 2 base"


def test_a_long_value_is_cut_unless_verbose() -> None:
    assert value_text("x" * 99, verbose=False) == "x" * 59 + "…"
    assert value_text("x" * 99, verbose=True) == "x" * 99


# Secrets and control characters.


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "API_KEY", "secret", "binance_api_secret", "walletPassword", "bot_token", "key"],
)
def test_fields_that_look_like_secrets_are_known(name: str) -> None:
    assert is_secret(name, "5f3a9c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bid_spread", 1),
        ("keyboard", "x"),
        ("token", "BTC"),
        ("base_token", "ETH"),
        ("monkey", 1),
        ("api_key", None),
    ],
)
def test_ordinary_fields_are_no_secrets(name: str, value: Any) -> None:
    assert not is_secret(name, value)


def test_a_secret_is_shown_in_no_form() -> None:
    before = with_config(api_key="5f3a9c", deep={"password": "hunter2"}, venues=[{"secret": "swordfish"}])
    wanted = with_config(api_key="77aa77", deep={"password": "letmein"}, venues=[{"secret": "trustno1"}])
    found = plan_for([wanted], seen(live(before)))

    shown = to_text(found, verbose=True) + to_json(document(found)) + to_markdown(found)

    assert not [
        word for word in ("5f3a9c", "hunter2", "swordfish", "77aa77", "letmein", "trustno1") if word in shown
    ]
    assert f"config.api_key: {FIELD_MASK} → {FIELD_MASK}" in shown


def test_nothing_that_a_bot_says_reaches_the_terminal_as_a_command() -> None:
    text = to_text(
        plan_with(shown("mm", Action.BLOCKED, Reason.BOT_ERROR, detail="\x1b[2J\u202eevil\nPlan: fine"))
    )

    assert "\\u001b[2J\\u202eevil\\u000aPlan: fine" in text


def test_nothing_that_a_file_says_reaches_the_terminal_as_a_command() -> None:
    field = FieldChange("config.a", "\x1b[31m", ["\x9b31m"])

    text = to_text(plan_with(shown("mm", Action.UPDATE, Reason.CHANGED, "update", field)))

    assert all(char.isprintable() or char == "\n" for char in text)
