"""How reports look: the table that they share, and cells that obey nothing they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import Box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.report.text import inert_block, inert_line

NARROWEST_NAME = 8

_RULE = "    \n    \n {0}{0} \n    \n    \n    \n    \n    \n"


@dataclass(frozen=True)
class Column:
    """A title and its cells.

    One that `shrinks` gives way when the console is too narrow, that of the highest number first.
    """

    title: str
    cells: tuple[Text, ...]
    right: bool = False
    shrinks: int = 0

    @property
    def width(self) -> int:
        """The columns of a terminal that show it whole."""
        return max(text.cell_len for text in (Text(self.title), *self.cells))


def cell(text: str, style: str = "") -> Text:
    """Return text from outside as one line that is shown as it is."""
    return Text(inert_line(text), style=style)


def block(text: str, *, indent: int, style: str = "") -> Padding:
    """Return text from outside with its lines kept, wrapped and indented as a whole."""
    return Padding(
        Text(inert_block(text).strip("\n"), style=style), (0, 0, 0, indent), expand=False
    )


def marked(mark: Text, text: Text, *, indent: int = 2) -> Padding:
    """Return a mark and a text beside it that stays clear of the mark when it wraps."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, text)
    return Padding(grid, (0, 0, 0, indent), expand=False)


def speaks_unicode(console: Console) -> bool:
    """Tell whether symbols beyond ASCII reach the reader."""
    return not console.options.ascii_only


def natural_width(columns: Sequence[Column], *, gap: int = 2) -> int:
    """Return the width at which no column has to give way."""
    return sum(column.width for column in columns) + gap * (len(columns) - 1)


def table(columns: Sequence[Column], *, console: Console, gap: int = 2) -> Table:
    """Return a table without a frame; what does not fit is folded and never lost."""
    unicode = speaks_unicode(console)
    grid = Table(
        box=Box(_RULE.format("─" if unicode else "-"), ascii=not unicode),
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        header_style="bold",
    )
    widths = [column.width for column in columns]
    excess = max(natural_width(columns, gap=gap) - console.width, 0)
    for place in sorted(range(len(columns)), key=lambda it: -columns[it].shrinks):
        spare = widths[place] - NARROWEST_NAME if columns[place].shrinks else 0
        given = min(max(spare, 0), excess)
        widths[place] -= given
        excess -= given
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=bool(column.shrinks),
            overflow=("ellipsis" if unicode else "crop") if column.shrinks else "fold",
            max_width=width,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*row)
    return grid


def amount(count: int, noun: str) -> str:
    """Return `1 machine`, `2 machines`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listing(words: Sequence[str], *, most: int = 5, between: str = ", ") -> str:
    """Return at most `most` of the words, and how many more there are."""
    shown = between.join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown
