"""Live progress: rows on a terminal that is left as it was found, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable

import pytest

from lab.report.console import console_for
from lab.report.progress import LiveProgress

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run(progress: LiveProgress, clock: Clock) -> None:
    progress.note("building box debian-12: unpacking (120 packages)")
    progress.note("building box debian-12: unpacking (120 packages)")
    progress.started(2, "bringing up hellopython")
    progress.machine("hellopython-ana", "booting")
    progress.machine("hellopython-luis", "booting")
    clock.now_s += 5
    progress.machine("hellopython-ana", "step python 1/10")
    clock.now_s += 70
    progress.done("hellopython-ana", ok=True, summary="10 steps")
    progress.done("hellopython-luis", ok=False, summary="step app failed")


def on_a_terminal(act: Callable[[LiveProgress, Clock], None]) -> str:
    """What a terminal receives while `act` tells progress; its error is swallowed."""
    master, slave = os.openpty()
    received: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(master, 65536):
                received.append(chunk)
        except OSError:
            # This is how Linux says that the other side of a terminal was closed.
            pass

    reader = threading.Thread(target=read)
    reader.start()
    clock = Clock()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        console = console_for(stream, {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"})
        try:
            with LiveProgress(console, clock=clock) as progress:
                act(progress, clock)
        except (KeyboardInterrupt, RuntimeError):
            pass
    reader.join(timeout=10)
    os.close(master)
    return b"".join(received).decode()


def test_elsewhere_it_is_a_line_a_completion_and_a_note() -> None:
    stream, clock = io.StringIO(), Clock()

    with LiveProgress(console_for(stream, {"COLUMNS": "20"}), clock=clock) as progress:
        run(progress, clock)

    assert stream.getvalue().splitlines() == [
        "building box debian-12: unpacking (120 packages)",
        "bringing up hellopython (2)",
        "[1/2] ok hellopython-ana: 10 steps (1 min 15 s)",
        "[2/2] FAILED hellopython-luis: step app failed (1 min 15 s)",
    ]


def test_a_row_has_name_activity_and_elapsed_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    console = console_for(stream, {"COLUMNS": "80"})
    progress = LiveProgress(console, clock=clock)
    progress.started(30, "bringing up")
    for number in range(10):
        progress.machine(f"m{number}", "booting")
        clock.now_s += 1
    progress.machine("m0", "step python 1/10")
    progress.note("baking")
    stream.truncate(0)
    stream.seek(0)

    console.print(progress)

    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines == [
        "baking  0 s",
        "m0  step python 1/10  10 s",
        *(f"m{n}  booting            {10 - n} s" for n in range(1, 8)),
        lines[-1],
    ]
    assert lines[-1].endswith("0/30, 2 more running, 10 s: bringing up")


def test_a_row_never_takes_two_lines() -> None:
    stream = io.StringIO()
    console = console_for(stream, {"COLUMNS": "40"})
    progress = LiveProgress(console)
    progress.machine("hellopython-" + "a" * 31, "step " + "x" * 60)
    progress.note("n" * 90)

    console.print(progress)

    assert len(stream.getvalue().splitlines()) == 3  # the plain note, and two rows


def test_on_a_terminal_only_failures_stay_and_the_cursor_is_shown() -> None:
    received = on_a_terminal(run)

    assert "✗ hellopython-luis: step app failed (1 min 15 s)" in received
    assert "10 steps" not in received
    assert received.rfind(SHOW_CURSOR) > received.rfind(HIDE_CURSOR)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_leaves_the_terminal_sane(error: type[BaseException]) -> None:
    def act(progress: LiveProgress, _clock: Clock) -> None:
        progress.started(2, "bringing up")
        progress.machine("ana", "booting")
        raise error

    received = on_a_terminal(act)

    assert received.rfind(SHOW_CURSOR) > received.rfind(HIDE_CURSOR)


def test_a_kill_leaves_the_cursor_visible() -> None:
    seen: list[str] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = LiveProgress(console_for(stream, {"TERM": "xterm"}))
    progress.started(2, "bringing up")
    seen.append(stream.getvalue())
    progress.finished()

    assert seen[0].rfind(SHOW_CURSOR) > seen[0].rfind(HIDE_CURSOR)


def test_finished_is_harmless_twice_and_a_new_stage_can_follow() -> None:
    def act(progress: LiveProgress, clock: Clock) -> None:
        run(progress, clock)
        progress.finished()
        progress.finished()
        run(progress, clock)

    assert on_a_terminal(act).count("✗ hellopython-luis") == 2


def test_a_dumb_terminal_gets_plain_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with LiveProgress(console_for(stream, {"TERM": "dumb"})) as progress:
        progress.started(1, "bringing up")
        progress.machine("ana", "booting")
        progress.done("ana", ok=True, summary="ready")

    assert stream.getvalue() == "bringing up (1)\n[1/1] ok ana: ready (0 s)\n"
