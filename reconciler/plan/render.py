"""The door to what a plan looks like: text, JSON, Markdown, and the exit code that goes with each of them. Pure."""

from __future__ import annotations

from reconciler.plan.document import PlanDocument, document, to_json
from reconciler.plan.markdown import to_markdown
from reconciler.plan.summary import counts, exit_code, sentence
from reconciler.plan.text import Line, Span, Style, lines, to_text

__all__ = [
    "Line",
    "PlanDocument",
    "Span",
    "Style",
    "counts",
    "document",
    "exit_code",
    "lines",
    "sentence",
    "to_json",
    "to_markdown",
    "to_text",
]
