"""A file that was read: its data, where everything in it stands, and what is wrong so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from lab.classroom.problems import Place, Problem, excerpt

Value: TypeAlias = "bool | str | list[Value] | dict[str, Value] | None"
Location: TypeAlias = tuple[str | int, ...]

_LINE_CHARS = 2000
_CREDENTIALS = re.compile(r"(?<=://)\S*(?=@)")


class Written(str):
    """A plain scalar that some YAML reader would take for a number, a date or a boolean.

    It holds exactly what was written: text wants it so, and a number can be read from it.
    """

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a YAML file says, and where.

    `complete` is False when the syntax is broken, so that `data` says nothing.Below the
    locations in `refused` the data is not what was meant, and nothing more should be said about it.
    """

    name: str
    lines: tuple[str, ...]
    data: Value = None
    complete: bool = True
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    refused: set[Location] = field(default_factory=set)
    secrets: list[tuple[int, range]] = field(default_factory=list)
    secret_line: re.Pattern[str] | None = None
    problems: list[Problem] = field(default_factory=list)

    def problem(self, location: Location, text: str, *, at_key: bool = False) -> Problem:
        """`text` placed at the value or key at `location`, or at the nearest thing above it."""
        return self.problem_at(self.place(location, at_key=at_key), text)

    def problem_at(self, place: Place, text: str) -> Problem:
        """`text` with `place`, its line and a caret; secrets on that line are masked."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        # All of a line of a megabyte is not worth looking at.
        cut = max(0, place.column - 1 - _LINE_CHARS // 2)
        line = line[cut : cut + _LINE_CHARS]
        return Problem(
            file=self.name,
            line=place.line,
            column=place.column,
            text=text,
            excerpt=excerpt(
                line,
                replace(place, column=place.column - cut),
                masked=self._masked(line, place.line, cut),
            ),
        )

    def _masked(self, line: str, number: int, cut: int) -> list[range]:
        """Which characters of `line`, cut off before character `cut`, nobody may see."""
        masked = [
            range(max(0, span.start - cut), max(0, span.stop - cut))
            for known, span in self.secrets
            if known == number
        ]
        if not masked and self.secret_line is not None:
            # Broken syntax: the value was never read, so everything after the key is taken for it.
            masked = [range(*match.span(1)) for match in self.secret_line.finditer(line)]
        return masked + [
            range(*match.span())
            for match in _CREDENTIALS.finditer(line)
            if not any(match.start() in span for span in masked)
        ]

    def place(self, location: Location, *, at_key: bool = False) -> Place:
        """Where `location` stands, or the nearest thing above it when it is not in the file."""
        places = (self.keys, self.values) if at_key else (self.values, self.keys)
        for found in places:
            if location in found:
                return found[location]
        return self.place(location[:-1], at_key=True) if location else Place(line=1, column=1)
