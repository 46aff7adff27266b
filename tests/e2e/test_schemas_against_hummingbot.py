"""Our verdicts on tens of thousands of values next to the real Hummingbot's; and the examples, loaded by it.

`python -m tests.oracle` writes the lists of differences in docs/differences again; look at what changed before you
commit them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.catalog.loading import examples_dir, load_catalog
from reconciler.catalog.mapping import from_hummingbot, to_hummingbot, to_yaml
from reconciler.model.spec import StrategySpec
from reconciler.sources.check import check
from tests.oracle import NO_CONTROLLERS, Oracle, controllers, open_oracle
from tests.oracle.__main__ import DIFFERENCES, compare, specs
from tests.oracle.comparing import Verdict, is_held
from tests.oracle.reasons import overlay, reason

pytestmark = [
    pytest.mark.hummingbot,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
KINDS = [
    "v1",
    pytest.param("controllers", marks=pytest.mark.skipif(controllers() is None, reason=NO_CONTROLLERS)),
]
EXAMPLES = sorted((examples_dir() / "strategies").glob("*.yaml"))


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with open_oracle() as opened:
        yield opened


@pytest.fixture(scope="module")
def verdicts(oracle: Oracle) -> dict[str, list[Verdict]]:
    there = ["v1"] if controllers() is None else ["v1", "controllers"]
    return {which: list(compare(oracle, which)) for which in there}


@pytest.mark.parametrize("which", KINDS)
def test_no_value_is_valid_that_hummingbot_refuses_or_changes(verdicts, which: str) -> None:
    assert [str(one) for one in verdicts[which] if one.ours and not one.theirs] == []


@pytest.mark.parametrize("which", KINDS)
def test_every_value_that_only_hummingbot_takes_has_a_reason(verdicts, which: str) -> None:
    rules, catalog = overlay(), load_catalog()

    assert [str(one) for one in verdicts[which] if not one.agree and not reason(one, catalog, rules)] == []


@pytest.mark.parametrize("which", KINDS)
def test_what_is_read_from_the_code_agrees_with_it_on_99_of_100_values(verdicts, which: str) -> None:
    """Apart from what the overlay refuses on purpose, each value of which is listed."""
    rules, catalog = overlay(), load_catalog()
    on_purpose = ("a bound of the overlay", "a name:", "narrowed by the overlay")
    judged = [
        one for one in verdicts[which] if one.agree or not reason(one, catalog, rules).startswith(on_purpose)
    ]

    agreeing = sum(one.agree for one in judged)
    assert len(judged) > 10_000
    assert agreeing / len(judged) >= 0.99


@pytest.mark.parametrize("which", KINDS)
def test_the_list_of_differences_is_complete(verdicts, which: str) -> None:
    from tests.oracle.__main__ import differences

    written = (DIFFERENCES / f"{which}.md").read_text(encoding="utf-8")
    assert differences(which, verdicts[which]) == written, "if this is meant: python -m tests.oracle"


@pytest.mark.parametrize("which", KINDS)
def test_both_validators_say_the_same_of_every_value(verdicts, which: str) -> None:
    catalog = load_catalog()
    for spec in specs(which):
        schema_says = catalog.is_valid(spec.strategy_type, spec.config)
        assert schema_says == (catalog.violations(spec.strategy_type, spec.config) == [])
    assert [str(one) for one in verdicts[which] if not one.validators_agree] == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_loaded_without_a_word_and_comes_back_as_it_was_written(
    oracle: Oracle, file: Path
) -> None:
    spec = _spec(file)
    catalog = load_catalog()
    if catalog.layout(spec.strategy_type).kind == "controller" and controllers() is None:
        pytest.skip(NO_CONTROLLERS)
    written = to_hummingbot(
        catalog,
        spec.strategy_type,
        name=file.stem,
        exchange=spec.exchange,
        trading_pair=spec.trading_pair,
        config=spec.config,
    )

    loaded = oracle.load(spec.strategy_type, to_yaml(written))

    assert loaded["said"] == []
    assert loaded["kept"]
    values = loaded["values"]
    for name in set(written.data) - {"template_version"} - set(catalog.layout(spec.strategy_type).rendered):
        assert is_held(written.data[name], values[name]), name
    assert from_hummingbot(catalog, spec.strategy_type, written.data) == (
        spec.exchange if catalog.layout(spec.strategy_type).exchange else "",
        spec.trading_pair if catalog.layout(spec.strategy_type).pair else "",
        spec.config,
    )


def _spec(file: Path) -> StrategySpec:
    (spec,) = check(file.read_bytes(), file.name, load_catalog()).specs
    return spec
