"""What examples/deploy says, taken apart: units, Dockerfiles, the compose file, command lines of ours in all of them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DOCKERFILES = sorted((DEPLOY / "containers").glob("*.Dockerfile"))

Directives = dict[str, list[str]]


def unit(name: str) -> Directives:
    """Every directive of a unit file with its values, sections aside."""
    found: Directives = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def dockerfile(file: Path) -> list[tuple[str, str]]:
    """(instruction, its text) in order; continued lines are one."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest) for line in lines if line.strip() for word, _, rest in [line.partition(" ")]]


def values(file: Path, instruction: str) -> list[str]:
    return [rest for word, rest in dockerfile(file) if word == instruction]


def as_list(text: str) -> list[str]:
    """An exec form as its words."""
    words: list[str] = json.loads(text)
    return words


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "containers" / "compose.yaml").read_text())
    return document


def command_lines() -> list[list[str]]:
    """All that our files have a machine type after `reconciler`."""
    texts = [line for file in UNITS for line in unit(file.name).get("ExecStart", [])]
    for file in DOCKERFILES:
        started = [as_list(values(file, word)[-1]) for word in ("ENTRYPOINT", "CMD")]
        texts.append(shlex.join(started[0] + started[1]))
        for text in values(file, "RUN") + values(file, "HEALTHCHECK"):
            shell = text.rpartition("CMD ")[2] if "CMD " in text else text
            texts += [shlex.join(as_list(shell))] if shell.startswith("[") else re.split(r"&&|;", shell)
    readme = (DEPLOY / "README.md").read_text().replace("\\\n", " ")
    texts += [
        line for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) for line in block.splitlines()
    ]
    return [words for text in texts if (words := _after_our_name(text))]


def _after_our_name(text: str) -> list[str]:
    words = [word for word in shlex.split(text.partition(" >")[0]) if word]
    at = next((n for n, word in enumerate(words) if word.rpartition("/")[2] == "reconciler" and n < 12), None)
    return [] if at is None or len(words) == at + 1 or _is_no_call(words, at) else words[at + 1 :]


def _is_no_call(words: list[str], at: int) -> bool:
    """Our name also names a user, a folder and a service."""
    before = words[at - 1] if at else ""
    callers = {"", "--", "/var/lib/reconciler-agent"}
    return before not in callers and not words[at].startswith("/opt/reconciler/bin/")
