"""The grain of the code: how deep imports go, how long functions and files are, names that are unique."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.support.code_shape import (
    PACKAGE,
    ROOT,
    code_length,
    longest_chain,
    modules,
    public_classes,
    used_once,
)

DEEPEST = 13
LONGEST_FUNCTION = 50
LONGEST_TEST_FILE = 500
MOST_USED_ONCE = 0.12


def _depth(chain: tuple[str, ...]) -> int:
    return len(chain) - 1


def test_imports_of_the_package_are_no_deeper_than_13() -> None:
    chain = max(map(longest_chain, modules()), key=len)

    assert _depth(chain) <= DEEPEST, f"{_depth(chain)} imports: {' > '.join(chain)}"


@pytest.mark.parametrize(("name", "deepest"), [("reconcile", 8), ("apply", 6)])
def test_imports_of_a_pass_are_no_deeper(name: str, deepest: int) -> None:
    chain = longest_chain(f"{PACKAGE}.{name}")

    assert _depth(chain) <= deepest, f"{_depth(chain)} imports: {' > '.join(chain)}"


def test_no_function_is_longer_than_50_lines() -> None:
    long = [
        f"{module.path}:{function.lineno}: {function.name}: {code_length(function)} lines"
        for module in modules().values()
        for function in module.functions
        if code_length(function) > LONGEST_FUNCTION
    ]

    assert not long, "\n".join(long)


def test_no_more_than_12_of_100_functions_are_private_and_used_once() -> None:
    """One whose name states a rule may be; all others are read better where they are used."""
    once = [name for module in modules().values() for name in used_once(module)]
    functions = sum(1 for module in modules().values() for _ in module.functions)

    share = len(once) / functions
    assert share <= MOST_USED_ONCE, f"{share:.1%} of {functions}:\n" + "\n".join(once)


def test_no_two_public_classes_have_one_name() -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules().values():
        for name in public_classes(module):
            where[name].append(module.path)

    twice = [f"{name}: {', '.join(paths)}" for name, paths in where.items() if len(paths) > 1]
    assert not twice, "\n".join(twice)


def test_no_file_of_tests_is_longer_than_500_lines() -> None:
    files = [path for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts]
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}

    long = [f"{path}: {length} lines" for path, length in lengths.items() if length > LONGEST_TEST_FILE]
    assert not long, "\n".join(long)
