"""Bytes → YAML events: libyaml's parser, or PyYAML's own where libyaml was not built in. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import yaml

NextEvent: TypeAlias = Callable[[], Any]
"""Gives one event after the other, StreamEndEvent last; raises yaml.YAMLError where the text is no YAML."""


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's parser, without the half characters that libyaml refuses too."""

    def __init__(self, text: bytes) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)

    def next_event(self) -> Any:  # noqa: ANN401  (events have no common type)
        event = self.get_event()  # type: ignore[no-untyped-call]
        value = getattr(event, "value", None)
        if value is not None and any("\ud800" <= character <= "\udfff" for character in value):
            problem = "found invalid Unicode character escape code"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return event


def pure_events(text: bytes) -> NextEvent:
    """Events from PyYAML's own parser, about thirty times slower."""
    return _PureParser(text).next_event


def _libyaml() -> Any:  # noqa: ANN401  (the stubs leave its parser out)
    try:
        from yaml import cyaml
    except ImportError:  # PyYAML was compiled without it
        return None
    return vars(cyaml)["CParser"]


_CParser = _libyaml()


def events(text: bytes) -> NextEvent:
    """Events from the fastest parser that there is."""
    if _CParser is None:
        return pure_events(text)
    next_event: NextEvent = _CParser(text).get_event
    return next_event
