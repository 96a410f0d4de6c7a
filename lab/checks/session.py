"""The checks process: collects a guide's checks once, then runs them on many machines, a fork each.

Started by `lab.checks.runner` as `python -m lab.checks.session`, with a `Request` on stdin; answers
with events on stdout. A fork costs milliseconds where a process that imports pytest anew would cost
half a second of CPU.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest
from _pytest.assertion import util as assertion_util
from _pytest.runner import runtestprotocol

from lab.checks import outcomes
from lab.checks.comparisons import Comparisons
from lab.checks.fixtures import MachineFixtures
from lab.checks.request import (
    Request,
    Target,
    collected_event,
    done_event,
    result_event,
    unfound,
)
from lab.checks.spec import KNOWN, CheckSpec, problems_of, read_spec
from lab.classroom.runs import CheckRun
from lab.classroom.wording import FALLBACK, Texts, say_in_all
from lab.errors import LabError
from lab.machines.ssh import Shell
from lab.system.files import LabFolder

# No check takes longer than a reboot and a few waits; a machine that says nothing for so long says
# nothing more.
SILENCE_S = 300.0
_MARK = "check"
_FRAME = re.compile(r'(\S.*):(\d+): in .*|E +File "(.+)", line (\d+).*')
_ERROR = re.compile(r"E   (\S.*)")


class ChecksPlugin:
    """Collects the checks, and runs them on every machine instead of once."""

    def __init__(self, request: Request, events: IO[str]) -> None:
        self._request = request
        self._events = events
        self._fixtures = MachineFixtures()
        self._comparisons = Comparisons()
        self._specs: dict[str, CheckSpec] = {}
        self._broken: list[tuple[str, str]] = []
        self._error: BaseException | None = None
        # What every machine is to have a result for, in order, as it is where nobody could look.
        self.rows: tuple[CheckRun, ...] = ()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the mark and the fixtures known."""
        config.pluginmanager.register(self._fixtures, "lab-machine-fixtures")
        config.addinivalue_line("markers", f"{_MARK}({', '.join(KNOWN)}): a check of the guide")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that could not be read; its checks are unknown, the others go on."""
        if report.failed:
            why = in_short(str(report.longrepr), Path(self._request.checks))
            self._broken.append((report.nodeid, why))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read every check's mark, and put the checks into the order of the guide's steps.

        Within a step they stay as they are written.
        """
        steps = self._request.steps
        for item in list(items):
            try:
                marker = item.get_closest_marker(_MARK)
                if marker is None:
                    raise ValueError(f"{item.nodeid} has no mark `check`")
                self._specs[item.nodeid] = read_spec(marker.kwargs, where=item.nodeid, steps=steps)
            except ValueError as error:
                self._broken.append((item.nodeid, str(error)))
                items.remove(item)
        items.sort(key=lambda item: steps.index(self._specs[item.nodeid].step))
        for problem in problems_of([self._specs[item.nodeid] for item in items]):
            self._broken.append(("checks", problem))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run each machine's checks in a fork of this process, as many at a time as asked for."""
        specs = [self._specs[item.nodeid] for item in session.items]
        self.rows = (*self._unreadable(), *(outcomes.unknown(spec, {}) for spec in specs))
        self.tell(collected_event(self.rows))
        waiting = list(self._request.targets)
        pipes = selectors.DefaultSelector()
        running: dict[int, _Fork] = {}
        while waiting or running:
            while waiting and len(running) < self._request.jobs:
                fork = _Fork(self, session.items, waiting.pop(0))
                running[fork.pipe.fileno()] = fork
                pipes.register(fork.pipe, selectors.EVENT_READ)
            for key, _ in pipes.select(timeout=1.0):
                running[key.fd].read()
            for descriptor, fork in list(running.items()):
                if fork.ended():
                    pipes.unregister(fork.pipe)
                    del running[descriptor]
                    self._finish(fork)
        return True

    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Keep the exception itself: a report holds only its text.

        What goes wrong before or after the test itself is no word on the student's work.
        """
        if call.excinfo is None or self._error is not None:
            return
        error = call.excinfo.value
        own = call.when == "call" or isinstance(error, LabError)
        self._error = error if own else RuntimeError(f"{call.when}: {error}")

    @property
    def patience(self) -> float:
        """See `Request.patience`."""
        return self._request.patience

    def check_machine(self, items: Sequence[pytest.Item], target: Target) -> Iterator[CheckRun]:
        """All results of one machine, in order."""
        yield from self._unreadable()
        shell = Shell(
            LabFolder(Path(self._request.project)),
            target.machine,
            patience=self._request.patience,
        )
        self._fixtures.point_at(target, shell)
        # pytest's own way to it, its hook, also writes a diff of both values: of two large ones
        # that takes minutes.
        assertion_util._reprcompare = self._comparisons.note
        known: dict[str, CheckRun] = {}
        for item in items:
            spec = self._specs[item.nodeid]
            if target.unreachable:
                result = outcomes.unknown(spec, target.unreachable)
            else:
                result = outcomes.behind_others(spec, known) or self._run(item, spec)
            known[spec.id] = result
            yield result
        shell.close()

    def _run(self, item: pytest.Item, spec: CheckSpec) -> CheckRun:
        self._error = None
        self._fixtures.transcript.clear()
        self._comparisons.clear()
        started = time.monotonic()
        # Everything is torn down after each: the next one to run is not known, it may be blocked.
        runtestprotocol(item, log=False, nextitem=None)
        return outcomes.result_of(
            spec,
            self._error,
            seconds=time.monotonic() - started,
            compared=self._comparisons.of(str(self._error)),
            transcript=self._fixtures.transcript.text(),
        )

    def _unreadable(self) -> Iterator[CheckRun]:
        for where, why in self._broken:
            title = say_in_all("checks.unreadable", where=where)
            # Its words may well name a hidden check, or be one's own.
            spec = CheckSpec(id=where, step="", title=title, points=0.0, hidden=True)
            yield outcomes.unknown(spec, {FALLBACK: why})

    def _finish(self, fork: _Fork) -> None:
        """Tell all that a fork found; what it did not get to is unknown."""
        for lost in unfound(self.rows, fork.told, fork.why_it_ended()):
            self.tell(result_event(fork.target.machine, lost))
        self.tell(done_event(fork.target.machine))

    def tell(self, event: str) -> None:
        """Send an event to the process that asked."""
        self._events.write(event + "\n")
        self._events.flush()


def in_short(told: str, checks: Path) -> str:
    """Where in the guide's checks and why a file could not be read, out of pytest's words."""
    place, why = "", ""
    for line in told.splitlines():
        # A frame of the traceback, or what Python says of a syntax error.
        if frame := _FRAME.fullmatch(line):
            # pytest writes a path from where it runs, with `..` in it.
            path, folder = Path(frame[1] or frame[3]).resolve(), checks.resolve()
            if path.is_relative_to(folder):
                place = f"{path.relative_to(folder)}:{frame[2] or frame[4]}: "
            why = ""
        elif error := _ERROR.fullmatch(line):
            why = why or error[1]
    lines = [line for line in told.splitlines() if line.strip()]
    return place + (why or (lines[-1].strip() if lines else "it could not be read"))


class _Fork:
    """A child process that checks one machine, and the pipe on which it tells what it found."""

    def __init__(self, plugin: ChecksPlugin, items: Sequence[pytest.Item], target: Target) -> None:
        self.target = target
        self.told = 0
        self._plugin = plugin
        self._buffer = b""
        self._closed = False
        self._heard = time.monotonic()
        self._silenced = False
        self._silence_s = SILENCE_S * plugin.patience
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            _be_the_child(plugin, items, target, writer)
        os.close(writer)
        self.pipe = os.fdopen(reader, "rb", buffering=0)

    def read(self) -> None:
        """Take in what the child has written, and hand on its whole lines."""
        chunk = os.read(self.pipe.fileno(), 65536)
        self._heard = time.monotonic()
        self._closed = not chunk
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            self.told += 1
            self._plugin.tell(line.decode())

    def ended(self) -> bool:
        """Whether the child is through, or has been silent for too long and was ended."""
        if not self._closed and time.monotonic() - self._heard > self._silence_s:
            self._silenced = True
            os.kill(self._pid, signal.SIGKILL)
            self._closed = True
        if self._closed:
            os.waitpid(self._pid, 0)
            self.pipe.close()
        return self._closed

    def why_it_ended(self) -> Texts:
        """Why some checks have no result."""
        if self._silenced:
            return say_in_all("checks.silent", seconds=f"{self._silence_s:.0f}")
        return say_in_all("checks.fork_died")


def _be_the_child(
    plugin: ChecksPlugin, items: Sequence[pytest.Item], target: Target, writer: int
) -> None:
    """Check one machine, write the results to the pipe, and end: never return into pytest."""
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(quiet, descriptor)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            for result in plugin.check_machine(items, target):
                pipe.write(f"{result_event(target.machine, result)}\n")
                pipe.flush()
    except BaseException as error:  # noqa: BLE001 (a fork must not return: its parent's work would be done twice)
        print(f"{target.machine}: {error!r}", file=sys.stderr)
    finally:
        os._exit(0)


def main() -> int:
    """Answer the request on stdin; pytest's exit code."""
    request = Request.from_json(sys.stdin.read())
    # Events have the real stdout to themselves; what a check's file prints while it is read goes to
    # stderr.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.dont_write_bytecode = True
    arguments = [
        request.checks,
        f"--rootdir={request.checks}",
        "--confcutdir=" + request.checks,
        "-c", os.devnull,
        "--import-mode=importlib",
        "--continue-on-collection-errors",
        "-p", "no:cacheprovider",
        "-p", "no:terminal",
        "-s",
    ]  # fmt: skip
    return int(pytest.main(arguments, plugins=[ChecksPlugin(request, events)]))


if __name__ == "__main__":
    sys.exit(main())
