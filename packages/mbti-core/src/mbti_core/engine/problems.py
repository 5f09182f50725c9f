"""What is wrong with a spec, said for a person: each problem with its path, expected before got."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mbti_core.errors import ConfigError, near_names

Where = tuple[str | int, ...]


class Problem(NamedTuple):
    """One mistake: where in the spec, and what was expected and got."""

    path: Where
    text: str


class SpecError(ConfigError):
    """All mistakes of a spec at once.

    Args:
        problems: Every mistake found.
        where: Says where a path stands, e.g. ``run.yaml:6`` or ``--set attack.size``; by default nothing.
    """

    def __init__(self, problems: list[Problem], where: Callable[[Where], str] = lambda path: "") -> None:
        self.problems, self.where = problems, where
        super().__init__("\n".join(self._line(problem) for problem in problems))

    def _line(self, problem: Problem) -> str:
        place, name = self.where(problem.path), ".".join(str(p) for p in problem.path)
        named = place.endswith(f" {name}")  # as '--set attack.size'
        return ": ".join(filter(None, (place, "" if named else name, problem.text)))


_EXPECTED: Mapping[str, str] = {
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "literal_error": "{expected}",
    "greater_than_equal": "{kind} of at least {ge}",
    "greater_than": "{kind} above {gt}",
    "less_than_equal": "{kind} of at most {le}",
    "less_than": "{kind} below {lt}",
}


def _expected(error: ErrorDetails) -> str | None:
    template, context = _EXPECTED.get(error["type"]), error.get("ctx", {})
    kind = "an integer" if all(isinstance(bound, int) for bound in context.values()) else "a number"
    plain = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
    return template.format(kind=kind, **plain) if template else None


def problems_of(error: ValidationError, at: Where, fields: Mapping[str, Any]) -> list[Problem]:
    """Turn a pydantic error into problems below the path ``at``; ``fields`` are the keys that exist there."""
    found: dict[Where, list[str]] = {}
    got: dict[Where, Any] = {}
    for detail in error.errors():
        loc = detail["loc"]
        path = (*at, *loc[:1]) if loc and loc[0] in fields else (*at, *loc)
        got[path] = detail.get("input")
        if detail["type"] == "extra_forbidden":
            hint = near_names(str(loc[-1]), fields) or f"The keys here are {', '.join(sorted(fields)) or 'none'}."
            text = f"unknown key. {hint}"
        elif detail["type"] == "missing":
            text = "missing; this key is required."
        else:
            text = _expected(detail) or detail["msg"].removeprefix("Value error, ")
        found.setdefault(path, []).append(text)
    return [Problem(path, _sentence(texts, got[path])) for path, texts in found.items()]


def _sentence(texts: list[str], got: Any) -> str:
    if texts[0].startswith(("unknown key", "missing")):
        return texts[0]
    return f"expected {' or '.join(dict.fromkeys(texts))}, got {got!r}."
