"""Writes docs/differences/*.md: every value tried that Hummingbot takes and we refuse, by reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from reconciler.catalog import Catalog
from reconciler.catalog.loading import HUMMINGBOT_VERSION, examples_dir, load_catalog
from reconciler.catalog.mapping import to_hummingbot
from reconciler.model.spec import StrategySpec
from reconciler.sources.check import check
from tests.oracle import REFUSED, Oracle, controllers, open_oracle
from tests.oracle.comparing import Verdict, as_sent, is_held, shown, validators_agree, values_for
from tests.oracle.reasons import listing

DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences"


def specs(which: str) -> list[StrategySpec]:
    """The examples of the v1 strategies, or of the controllers: what each value is tried in."""
    catalog = load_catalog()
    files = sorted((examples_dir() / "strategies").glob("*.yaml"))
    found = [spec for file in files for spec in check(file.read_bytes(), file.name, catalog).specs]
    wanted = which == "controllers"
    return [spec for spec in found if (catalog.layout(spec.strategy_type).kind == "controller") == wanted]


def compare(oracle: Oracle, which: str) -> Iterator[Verdict]:
    """Try values of all kinds in every field."""
    catalog = load_catalog()
    for spec in specs(which):
        for field in catalog.fields(spec.strategy_type):
            if field != catalog.layout(spec.strategy_type).pair:
                yield from _field(oracle, catalog, spec, field)


def _field(oracle: Oracle, catalog: Catalog, spec: StrategySpec, field: str) -> Iterator[Verdict]:
    kind = spec.strategy_type
    data = to_hummingbot(
        catalog, kind, name="it", exchange=spec.exchange, trading_pair=spec.trading_pair, config=spec.config
    ).data
    values = values_for(catalog, kind, field)
    sent = [as_sent(catalog, spec, field, value) for value in values]
    held = oracle.results(kind, dict(data), field, [value for _, value, _ in sent])
    nothing_is_fine = field in catalog.layout(kind).rendered
    required = field in catalog.schema(kind).get("required", ())
    for value, (ours, meant, left_out), holds in zip(values, sent, held, strict=True):
        theirs = is_held(meant, holds) or (meant is None and nothing_is_fine and holds != REFUSED)
        theirs = theirs and not (meant is None and required)  # nothing, where a strategy cannot do without
        theirs = theirs or left_out  # it is not given the value, and takes its default
        agree = validators_agree(catalog, spec, field, meant)
        yield Verdict(kind, field, shown(value), ours, theirs, shown(holds)[:60], agree)


def differences(which: str, verdicts: Iterable[Verdict]) -> str:
    """One file: how many values were tried, and all on which Hummingbot and we differ."""
    tried = list(verdicts)
    differing = [one for one in tried if not one.agree]
    head = (
        f"# Values of {which} strategies that Hummingbot {HUMMINGBOT_VERSION} takes and we refuse\n\n"
        f"Tried: {len(tried):,} values. Hummingbot and we differ on {len(differing):,}, all of which we refuse; "
        "the values are chosen to provoke that. Written by `python -m tests.oracle`.\n\n"
    )
    return head + listing(differing, load_catalog())


def main() -> None:
    DIFFERENCES.mkdir(parents=True, exist_ok=True)
    with open_oracle() as oracle:
        for which in ["v1"] if controllers() is None else ["v1", "controllers"]:
            text = differences(which, compare(oracle, which))
            (DIFFERENCES / f"{which}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
