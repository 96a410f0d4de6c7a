"""Problems in what a teacher wrote: each with its place and a caret, all in one error."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.errors import ConfigError

MAX_SHOWN = 50
EXCERPT_COLUMNS = 96
TAB = "    "
MASK = "***"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something stands in a file: line and column count from 1, `width` in characters."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong. `column` is None where only the line is known (a roster)."""

    file: str
    line: int
    column: int | None = None
    text: str
    excerpt: str = ""

    def __str__(self) -> str:
        """The place and the sentence, then the line with its caret when there is one."""
        column = "" if self.column is None else f":{self.column}"
        head = f"{self.file}:{self.line}{column}: {self.text}"
        return f"{head}\n{self.excerpt}" if self.excerpt else head


def config_error(problems: Iterable[Problem], *, hint: str) -> ConfigError:
    """One error that holds all of `problems`, file by file, in the order of the lines."""
    files: dict[str, list[Problem]] = {}
    for problem in problems:
        files.setdefault(problem.file, []).append(problem)
    ordered = [
        problem
        for found in files.values()
        for problem in sorted(found, key=lambda problem: (problem.line, problem.column or 0))
    ]
    parts = [
        f"{file} has {len(found)} problem{'' if len(found) == 1 else 's'}"
        for file, found in files.items()
    ]
    shown = [str(problem) for problem in ordered[:MAX_SHOWN]]
    if len(ordered) > MAX_SHOWN:
        shown.append(f"... and {len(ordered) - MAX_SHOWN} more")
    return ConfigError(", ".join(parts), details="\n".join(shown), hint=hint)


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """The end of a sentence, `; did you mean ...?`, or nothing when no option comes close."""
    close = difflib.get_close_matches(word, sorted(options), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def listed(texts: Iterable[str]) -> str:
    """Texts as a part of a sentence, each quoted."""
    return ", ".join(map(quoted, texts))


def quoted(text: str, *, limit: int = 60) -> str:
    """`text` in backticks, made safe for a terminal, cut when it is long."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"`{''.join(_shown(char) for char in cut)}`"


def excerpt(line: str, place: Place, *, masked: Sequence[range] = ()) -> str:
    """The line and under it a caret, four columns in, trimmed around the caret when it is long.

    Args:
        line: the line as it stands in the file.
        place: what the caret points at.
        masked: ranges of character indexes (from 0) that hold secrets.
    """
    if not line.strip():
        return ""
    cells = _cells(line, masked)
    start = min(place.column - 1, len(cells))
    stop = min(max(place.column - 1 + place.width, start + 1), max(len(cells), start + 1))
    left, right = _window(cells, start)
    before = "…" if left else ""
    after = "…" if right < len(cells) else ""
    indent = _columns(before) + sum(_columns(cell) for cell in cells[left:start])
    carets = max(1, sum(_columns(cell) for cell in cells[start : min(stop, right)]))
    shown = before + "".join(cells[left:right]) + after
    return f"    {shown.rstrip()}\n    {' ' * indent}{'^' * carets}"


def _cells(line: str, masked: Sequence[range]) -> list[str]:
    """What stands for each character on the screen; a secret is one mask and then nothing."""
    cells = [_shown(char) for char in line]
    for span in masked:
        for index in span:
            if index < len(cells):
                cells[index] = MASK if index == span.start else ""
    return cells


def _window(cells: list[str], start: int) -> tuple[int, int]:
    """The part of the line to show, as indexes: a third of it before the caret."""
    if sum(_columns(cell) for cell in cells) <= EXCERPT_COLUMNS:
        return 0, len(cells)
    left, room = start, EXCERPT_COLUMNS // 3
    while left and room >= _columns(cells[left - 1]):
        left -= 1
        room -= _columns(cells[left])
    right, room = left, EXCERPT_COLUMNS
    while right < len(cells) and room >= _columns(cells[right]):
        room -= _columns(cells[right])
        right += 1
    return left, right


def _shown(char: str) -> str:
    if char == "\t":
        return TAB
    # Control and format characters (ESC, bidi overrides) would act on a terminal.
    return "\N{REPLACEMENT CHARACTER}" if _is_unsafe(char) else char


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _columns(text: str) -> int:
    return sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
