"""The live display of a run: moving rows on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lab.report.layout import cell, speaks_unicode
from lab.report.text import inert_line

MOST_ROWS = 8

_REFRESHES_PER_SECOND = 4
_BAR_WIDTH = 24
_MINUTE_S = 60


@dataclass(frozen=True)
class _Running:
    activity: str
    since_s: float


@dataclass(frozen=True)
class _State:
    """All that is drawn; replaced and never changed: the redrawing thread sees a whole state."""

    what: str = ""
    total: int = 0
    done: int = 0
    failed: int = 0
    note: str = ""
    note_since_s: float = 0.0
    since_s: float = 0.0
    running: tuple[tuple[str, _Running], ...] = ()


class LiveProgress:
    """Shows how far the machines are; give it to a workflow as its observer.

    On a terminal: a row for each of at most eight running machines with its elapsed seconds, and a
    bar for them all; the failed ones stay above as lines, the rest is wiped when done. Elsewhere:
    one line a completion and a note, without control codes. Its methods are for the main thread.

    Args:
        console: from `console_for`, on stderr: stdout is for data.
        clock: seconds that only grow.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._state = _State()
        self._live: Live | None = None
        self._moves = console.is_terminal and not console.is_dumb_terminal

    def __enter__(self) -> Self:
        """Return itself; the rows appear with the first thing to show."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back, whatever ended the run."""
        self.finished()

    def started(self, total: int, what: str) -> None:
        """Begin a stage of `total` machines; `what` says what happens to them."""
        self._state = _State(what=inert_line(what), total=total, since_s=self._clock())
        self._show()
        self._say(f"{self._state.what} ({total})")

    def machine(self, name: str, activity: str) -> None:
        """Machine `name` is now doing `activity`."""
        running = dict(self._state.running)
        before = running.get(name)
        since_s = before.since_s if before else self._clock()
        running[name] = _Running(inert_line(activity), since_s)
        self._state = replace(self._state, running=tuple(running.items()))
        self._show()

    def done(self, name: str, *, ok: bool, summary: str) -> None:
        """Machine `name` has come to its end, well or not."""
        running = dict(self._state.running)
        ended = running.pop(name, None)
        self._state = replace(
            self._state,
            done=self._state.done + 1,
            failed=self._state.failed + (not ok),
            running=tuple(running.items()),
        )
        self._show()
        took = f" ({_duration(self._clock() - ended.since_s)})" if ended else ""
        line = f"{inert_line(name)}: {inert_line(summary)}{took}"
        if not self._moves:
            place = f"[{self._state.done}/{max(self._state.total, self._state.done)}]"
            self._say(f"{place} {'ok' if ok else 'FAILED'} {line}", style="" if ok else "red")
        elif not ok:
            sign = "✗" if speaks_unicode(self._console) else "x"
            self._console.print(Text(f"{sign} {line}", style="red"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Tell about work for all the machines, such as building a box; empty when it is over."""
        told = inert_line(text)
        if told == self._state.note:
            return
        self._state = replace(self._state, note=told, note_since_s=self._clock())
        self._show()
        if told:
            self._say(told)

    def finished(self) -> None:
        """Wipe the rows and give the terminal back; harmless when there is nothing to wipe."""
        live, self._live = self._live, None
        self._state = _State()
        if live is None:
            return
        try:
            live.stop()
        finally:
            # A second Ctrl-C can hit while the rows are wiped.
            self._console.show_cursor(show=True)

    def _say(self, line: str, *, style: str = "") -> None:
        if not self._moves:
            self._console.print(Text(line, style=style), soft_wrap=True)

    def _show(self) -> None:
        if not self._moves or self._live is not None:
            return
        self._live = Live(
            console=self._console,
            get_renderable=self.__rich__,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        # Rich hides the cursor, and a program that is killed outright cannot bring it back.
        self._console.show_cursor(show=True)

    def __rich__(self) -> RenderableType:
        """Return the rows as they are now, for rich to draw."""
        state, now_s = self._state, self._clock()
        lines: list[RenderableType] = []
        if state.note:
            lines.append(_one_line(f"{state.note}  {_duration(now_s - state.note_since_s)}"))
        rows = _grid()
        for name, running in state.running[:MOST_ROWS]:
            elapsed = Text(_duration(now_s - running.since_s), style="dim")
            rows.add_row(cell(name, "bold"), cell(running.activity), elapsed)
        if state.running:
            lines.append(rows)
        if state.total:
            lines.append(_bar(state, now_s))
        return Group(*lines)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(no_wrap=True, justify="right")
    return grid


def _bar(state: _State, now_s: float) -> RenderableType:
    bar = ProgressBar(
        total=state.total,
        completed=min(state.done, state.total),
        width=_BAR_WIDTH,
        complete_style="green",
        finished_style="green",
        style="dim",
    )
    unseen = len(state.running) - MOST_ROWS
    told = [f"{state.done}/{state.total}"]
    told += [f"{state.failed} failed"] if state.failed else []
    told += [f"{unseen} more running"] if unseen > 0 else []
    told += [_duration(now_s - state.since_s)]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, width=_BAR_WIDTH)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(bar, Text(f"{', '.join(told)}: {state.what}"))
    return grid


def _one_line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _duration(seconds: float) -> str:
    whole = max(int(seconds), 0)
    minutes, rest = divmod(whole, _MINUTE_S)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
