"""Inputs that nobody would write, for whatever reads strategy files: seeded, so that a failure comes again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from reconciler.catalog.loading import load_catalog

PROJECT = Path(__file__).parents[2]

TOKENS = (
    b"a", b"config", b"strategy_type", b"pure_market_making", b"state", b"labels", b"0", b"1", b"-", b"- ", b":", b": ",
    b"? ", b"?", b",", b"[", b"]", b"{", b"}", b"'", b'"', b"#", b" #", b"&a ", b"*a ", b"!t ", b"!!str ", b"<<: ", b"|\n", b">\n",
    b"%", b"%YAML 1.2\n", b"---\n", b"...\n", b"\n", b"\n  ", b"\n    ", b"\t", b" ", b"\r\n", b"\\", b'"\\x', b"~", b"@", b"`",
    b".nan", b"1e400", b"1_0", b"0x", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xf0\x9f\x90\x88", b"\0", b"\xff",
)  # fmt: skip
"""Where a reader of YAML decides something."""

SLIPS = (
    "1e309", "-1e-309", "1e400", "-0", "-0.0", "00", "1e+1", "9" * 18, "9" * 19, "9" * 40, "9" * 41, "9" * 5000,
    "0x" + "f" * 30, "0o777", "0." + "0" * 38 + "1", "1e400%", "9e399 bps", "'%'", "bps", "-5%", "0%", "9" * 999 + "%",
    "١٢٣", "1e９", "１", "½", ".inf", "-.INF", ".NaN", "1_000", "true", "null", "~", "", "no", "2026-11-23", "12:30:45",
    "0b1", "1.2.3", "+.5e-3", "[]", "{}", "[1, 2]", "{a: 1}", "[[[[]]]]", "[a, a]", "[1, 1.0]", "[{a: 1}, {a: 1.0}]",
    '"\\u0000"', '"\\U0010FFFF"', '"\\e[31m"', '"\\n::error::x"', '"\\u2028"', "\u202etxet", "e\u0301" * 30, "\U0001f408" * 20,
    "a" * 300, "'" + "b" * 5000 + "'", "config.bid_spread", "config..", "0.1,0.2", "BTC-USDT", "binance",
)  # fmt: skip
"""YAML, written where another value stands."""

SINS = (
    "|\n  x", "> \n  y", "'", '"', '"\\ud83d\\ude00"', "\ufeff", "\ufffe", "&x 1", "*x", "!!binary aGk=", "!<tag:x> 1", "<<",
    "? x", "- x", "@x", "%x", "[", "}", "a: b",
)  # fmt: skip
"""What is refused wherever it stands, or changes what follows."""

PLAIN = ("0.1", "1", "30", "0.1%", "10bps", "true", "false", "text")


def value(rng: random.Random) -> str:
    """Something to write as a value."""
    return rng.choice(rng.choices((PLAIN, SLIPS, SINS), weights=(4, 5, 1))[0])


def sources() -> list[bytes]:
    """Strategy files that the project has: the bad ones once, the good ones more often."""
    bad, good = ((PROJECT / "tests" / "cases" / folder).glob("*.yaml") for folder in ("bad", "good"))
    texts = [file.read_bytes() for file in (*sorted(bad), *sorted(good) * 4, *examples())]
    assert len(texts) > len(examples()) > 0
    return texts


def examples() -> list[Path]:
    """The strategies among the examples."""
    files = sorted((PROJECT / "examples").rglob("*.yaml"))
    return [file for file in files if b"\nstrategy_type:" in file.read_bytes()]


# -- out of nothing


def noise(rng: random.Random) -> bytes:
    """Bytes of any kind."""
    return rng.randbytes(rng.randrange(120))


def tokens(rng: random.Random) -> bytes:
    """What YAML is made of, in any order."""
    return b"".join(rng.choices(TOKENS, k=rng.randrange(1, 40)))


def characters(rng: random.Random) -> bytes:
    """Fields whose names and values are any characters at all."""
    lines = (f"{_word(rng)}: {_word(rng)}" for _ in range(rng.randrange(1, 6)))
    return "\n".join(lines).encode(errors="surrogatepass")


def _word(rng: random.Random) -> str:
    highest = rng.choice((0x7F, 0xFF, 0x2FFF, 0x10FFFF))
    return "".join(chr(rng.randrange(highest)) for _ in range(rng.randrange(12)))


def nested(rng: random.Random) -> bytes:
    """Lists and mappings within one another, as deep as it is allowed and deeper."""
    depth = rng.randrange(1, 50)
    if rng.randrange(4) == 0:
        return b"".join(rng.choices((b"- ", b"? "), k=depth)) + b"1"
    opening = rng.choices((b"[", b"[b, ", b"{a: ", b"{b, a: ", b"{? "), k=depth)
    closing = [b"]" if part[:1] == b"[" else b"}" for part in reversed(opening)]
    whole = b"a: " * rng.randrange(2) + b"".join(opening) + b"1" + b"".join(closing)
    return whole[: len(whole) - (rng.randrange(5) == 0)]


def fields(rng: random.Random) -> bytes:
    """A strategy of a known type with fields that it has, and values that they may not have."""
    catalog = load_catalog()
    kind = rng.choice(catalog.types)
    known = list(catalog.fields(kind))
    there = rng.sample(known, rng.randrange(min(len(known), 8) + 1))
    head = f"strategy_type: {kind}\nexchange: binance\ntrading_pair: BTC-USDT\nconfig:\n"
    return (head + "".join(f"  {name}: {value(rng)}\n" for name in there)).encode()


# -- out of real files


def flipped(rng: random.Random, text: bytes) -> bytes:
    """A few bits are others."""
    found = bytearray(text)
    for _ in range(rng.randrange(1, 6)):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def truncated(rng: random.Random, text: bytes) -> bytes:
    """The beginning, the end, or what is between two places."""
    first, second = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    return rng.choice((text[:first], text[first:], text[first:second], text[:first] + text[second:]))


def shuffled(rng: random.Random, text: bytes) -> bytes:
    """Lines swapped, doubled, left out, or moved sideways."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.randrange(1, 4)):
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        change = rng.randrange(4)
        if change == 0:
            lines[here], lines[there] = lines[there], lines[here]
        elif change == 1:
            lines.insert(there, lines[here])
        elif change == 2:
            lines[here] = b" " * rng.randrange(5) + lines[here].lstrip()
        elif len(lines) > 1:
            del lines[here]
    return b"".join(lines)


def revalued(rng: random.Random, text: bytes) -> bytes:
    """Some values are others, which look almost right or not at all."""
    lines = text.decode(errors="surrogateescape").split("\n")
    for _ in range(rng.randrange(1, 4)):
        here = rng.randrange(len(lines))
        name, colon, _ = lines[here].partition(":")
        lines[here] = f"{name}{colon} {value(rng)}"
    return "\n".join(lines).encode(errors="surrogateescape")


def renamed(rng: random.Random, text: bytes) -> bytes:
    """A field has the name of another one, or an impossible one."""
    lines = text.decode(errors="surrogateescape").split("\n")
    here = rng.randrange(len(lines))
    indent = lines[here][: len(lines[here]) - len(lines[here].lstrip())]
    name = rng.choice((rng.choice(lines).strip().partition(":")[0], value(rng)))
    lines[here] = f"{indent}{name}:{lines[here].partition(':')[2]}"
    return "\n".join(lines).encode(errors="surrogateescape")


def spliced(rng: random.Random, text: bytes) -> bytes:
    """The beginning of the file, and bytes that YAML decides by, in the middle of it."""
    here = rng.randrange(len(text) + 1)
    return text[:here] + b"".join(rng.choices(TOKENS, k=rng.randrange(1, 4))) + text[here:]


INVENTIONS: dict[str, Callable[[random.Random], bytes]] = {
    made.__name__: made for made in (noise, tokens, characters, nested, fields)
}
MUTATIONS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    made.__name__: made for made in (flipped, truncated, shuffled, revalued, renamed, spliced)
}


def inputs(kind: str, count: int, seed: int) -> Iterator[bytes]:
    """`count` inputs of a kind; the same ones for the same seed."""
    rng = random.Random(f"{kind} {seed}")
    if kind in INVENTIONS:
        yield from (INVENTIONS[kind](rng) for _ in range(count))
    else:
        texts = sources()
        yield from (_mutated(kind, rng, rng.choice(texts)) for _ in range(count))


def _mutated(kind: str, rng: random.Random, text: bytes) -> bytes:
    """A mutation of a kind, at times on top of others."""
    while text and rng.randrange(4) == 0:
        text = rng.choice(list(MUTATIONS.values()))(rng, text)
    return MUTATIONS[kind](rng, text) if text else text
