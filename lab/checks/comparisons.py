"""The values that a plain `assert` compared, as pytest hands them out when it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.checks.evidence import as_text
from lab.classroom.wording import LANGUAGES, Texts, say_in_all

# Stands in an assertion's text for the comparison that failed: the last one noted may be another's,
# of an assertion that the check caught.
_MARK = "lab-comparison-"
_FAILED = re.compile(rf"^assert (?:\((?:{_MARK}\d+ and )*)?({_MARK}\d+)\)?$", re.MULTILINE)
_WORDS = {
    "!=": "checks.other_than",
    "is not": "checks.other_than",
    "<": "checks.less_than",
    "<=": "checks.at_most",
    ">": "checks.more_than",
    ">=": "checks.at_least",
}


@dataclass(frozen=True)
class Comparison:
    """What should have been, in words, and what was."""

    expected: Texts
    found: str


class Comparisons:
    """Those of one check."""

    def __init__(self) -> None:
        self._noted: dict[str, Comparison] = {}

    def clear(self) -> None:
        """Forget what was noted: another check begins."""
        self._noted.clear()

    def note(self, operator: str, left: object, right: object) -> str:
        """Note one that does not hold; what stands for it in the assertion's text."""
        mark = f"{_MARK}{len(self._noted) + 1}"
        self._noted[mark] = compared(operator, left, right)
        return mark

    def of(self, assertion: str) -> Comparison | None:
        """The one that an assertion failed for; None where it was not for a comparison alone."""
        found = _FAILED.findall(assertion)
        return self._noted.get(found[-1]) if found else None


def compared(operator: str, left: object, right: object) -> Comparison:
    """A comparison that does not hold, in words.

    What is compared stands on the left, as in `assert found == expected`. Of `in` the constant is
    what the author wrote there: a tuple or a set on the right, else the left side.
    """
    if operator in {"in", "not in"}:
        negated = operator == "not in"
        if isinstance(right, tuple | set | frozenset):
            values = ", ".join(_value(one) for one in right)
            key = "checks.none_of" if negated else "checks.one_of"
            return Comparison(say_in_all(key, values=values), as_text(left))
        key = "checks.nothing_with" if negated else "checks.something_with"
        return Comparison(say_in_all(key, value=_value(left)), as_text(right))
    if operator in _WORDS:
        return Comparison(say_in_all(_WORDS[operator], value=_value(right)), as_text(left))
    return Comparison(dict.fromkeys(LANGUAGES, _value(right)), as_text(left))


def _value(value: object) -> str:
    return as_text(value) or repr(value)
