"""A plan for programs (JSON) and for pull requests (Markdown)."""

from __future__ import annotations

import json
from decimal import Decimal

from reconciler.model.change import Action, FieldChange, Reason
from reconciler.plan.render.json import document, to_json
from reconciler.plan.render.markdown import to_markdown
from tests.support.plan_builders import COMMIT, live, plan_for, seen, spec, with_config
from tests.support.plan_sample import SAMPLE, plan_with, shown

# JSON.


def test_json_has_its_documented_shape_and_its_exit_code() -> None:
    found = plan_for([with_config(bid_spread=Decimal("0.120"))], seen(live(spec())))

    text = to_json(document(found))

    assert json.loads(text) == {
        "format": "reconciler.plan/1",
        "commit": COMMIT,
        "ref": "main",
        "exit_code": 2,
        "refused": "",
        "summary": {
            **dict.fromkeys(("create", "replace", "delete", "start", "resume", "pause", "stop"), 0),
            **dict.fromkeys(("blocked", "waiting", "unknown", "unmanaged", "unchanged"), 0),
            "update": 1,
        },
        "targets": [
            {
                "target": "default",
                "live": 1,
                "connected": True,
                "complete": True,
                "extended": True,
                "age_s": 0.4,
            }
        ],
        "changes": [
            {
                "target": "default",
                "name": "mm",
                "action": "update",
                "reason": "changed",
                "why": "changed in Git",
                "detail": "",
                "cost": "hot",
                "wave": 0,
                "steps": [{"op": "update", "config": {"bid_spread": 0.12}, "config_mode": "merge"}],
                "fields": [
                    {
                        "path": "config.bid_spread",
                        "before": 0.1,
                        "after": 0.12,
                        "unit": "percent",
                        "added": False,
                        "removed": False,
                    }
                ],
                "desired": {
                    "strategy_type": "pure_market_making",
                    "exchange": "binance",
                    "trading_pair": "BTC-USDT",
                    "account": "default",
                    "state": "running",
                },
            }
        ],
    }
    assert '"after": 0.120' in text


# Markdown.


def test_markdown_is_a_heading_a_diff_and_a_warning() -> None:
    assert (
        to_markdown(SAMPLE)
        == """\
### Plan: 1 to create, 1 to update, 1 to replace, 1 to delete, 1 blocked, 12 unchanged

```diff
@@ strategies @ 9f3c2ab (main)      live: 3 strategies on default, complete, 0.4 s old @@
+ eth-maker      create, start           new in Git
    pure_market_making: BTC-USDT on binance
~ btc-maker      update (hot)            changed in Git
    config.bid_spread: 0.1 → 0.12 %
± sol-arb        stop, delete, create, start   trading_pair cannot change in place
    trading_pair: SOL-USDT → SOL-USDC
- old-maker      stop, delete            removed from Git
! doge-maker     blocked                 live strategy is not ours; adopt: true takes it over
```

Open orders are cancelled and placed again: sol-arb.

Open orders are cancelled: old-maker.
"""
    )


def test_what_a_brake_says_is_part_of_every_form() -> None:
    refused = "plan deletes 7 strategies, more than sync.max_deletes = 3 allows"

    told = json.loads(to_json(document(SAMPLE, refused=refused)))

    assert (told["exit_code"], told["refused"]) == (3, refused)
    assert r"**Refused:** plan deletes 7 strategies, more than sync.max\_deletes" in to_markdown(
        SAMPLE, refused=refused
    )


def test_a_long_plan_is_folded() -> None:
    many = [shown(f"s{n}", Action.CREATE, Reason.NEW, "create") for n in range(21)]

    assert "<details>" not in to_markdown(plan_with(*many[:20]))
    assert "<details><summary>21 changes</summary>\n\n```diff\n" in to_markdown(plan_with(*many))


def test_a_plan_too_long_for_a_comment_is_cut_and_says_so() -> None:
    many = [shown(f"s{n:05}", Action.CREATE, Reason.NEW, "create start") for n in range(10_000)]

    text = to_markdown(plan_with(*many))

    told = text.count("\n+ s")
    assert len(text) < 65_536
    assert f"… and {10_000 - told} more lines: reconciler plan shows them all\n```" in text


def test_a_value_cannot_break_out_of_its_code_block() -> None:
    field = FieldChange("config.a", "x", "```\n# Approved")

    text = to_markdown(plan_with(shown("mm", Action.UPDATE, Reason.CHANGED, "update", field)))

    assert text.count("````") == 2
    assert "\n# Approved" not in text
