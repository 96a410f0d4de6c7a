"""Asks the checks process, and makes results of its answers."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.checks.evidence import MESSAGE_CHARACTERS, OUTPUT_CHARACTERS, shortened
from lab.checks.request import Request, read_result, unfound
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import Texts, say_in_all
from lab.errors import ProcessError
from lab.system import process
from lab.system.output import append

_TIMEOUT_S = 3600.0


def run_checks(
    request: Request, *, log: Path, tell: Callable[[str, CheckRun | None], None]
) -> dict[str, tuple[CheckRun, ...]]:
    """Run a guide's checks on machines.

    Args:
        request: the checks and the machines.
        log: gets what the checks process says beside its results.
        tell: told of a machine's name and each result, and of None when the machine is through;
            from another thread.

    Returns:
        Each machine's results, in the order in which they were run; none at all where the guide has
        no checks. On a machine that the checks process did not get through, the others are unknown,
        and say what became of that process; a single one stands for all where it came to none.

    Raises:
        Interrupted: lab was.
        LabError: the log cannot be written.
    """
    found: dict[str, list[CheckRun]] = {target.machine: [] for target in request.targets}
    waiting = dict.fromkeys(found)
    rows: list[CheckRun] = []
    if not Path(request.checks).is_dir():
        for machine in waiting:
            tell(machine, None)
        return dict.fromkeys(waiting, ())

    def hear(line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return  # the last words of a process that was killed while it wrote
        if "collected" in event:
            rows.extend(map(read_result, event["collected"]))
            return
        if event.get("done"):
            waiting.pop(event["machine"], None)
            tell(event["machine"], None)
            return
        result = read_result(event["result"])
        found[event["machine"]].append(result)
        tell(event["machine"], result)

    how, words = _ask(request, hear)
    if words.strip():
        append(log, words)
    for machine in waiting:
        for lost in unfound(rows, len(found[machine]), how) if rows else [_lost(how, words)]:
            found[machine].append(lost)
            tell(machine, lost)
        tell(machine, None)
    return {machine: tuple(results) for machine, results in found.items()}


def _ask(request: Request, hear: Callable[[str], None]) -> tuple[Texts, str]:
    """How the checks process ended, and what it said on stderr."""
    try:
        completed = process.run(
            [sys.executable, "-P", "-m", "lab.checks.session"],
            stdin=request.to_json().encode(),
            log=None,
            on_line=hear,
            timeout_s=_TIMEOUT_S * request.patience,
            check=False,
        )
    except ProcessError as error:
        minutes = f"{_TIMEOUT_S * request.patience / 60:.0f}"
        return say_in_all("checks.process_too_long", minutes=minutes), error.details
    code = completed.returncode
    if code >= 0:
        return say_in_all("checks.process_ended", code=code), completed.stderr
    name = str(-code)
    with suppress(ValueError):
        name = signal.Signals(-code).name
    return say_in_all("checks.process_killed", signal=name), completed.stderr


def _lost(how: Texts, words: str) -> CheckRun:
    """Stands for all checks, of a process that died before it had read them.

    Hidden: its last words may name hidden checks.
    """
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    last = f": {lines[-1]}" if lines else ""
    return CheckRun(
        id="checks",
        step="",
        title=say_in_all("checks.unfinished"),
        outcome=Outcome.UNKNOWN,
        points=None,
        max_points=0.0,
        message={
            language: shortened(text + last, MESSAGE_CHARACTERS) for language, text in how.items()
        },
        output=shortened("\n".join(lines[-20:]), OUTPUT_CHARACTERS),
        hidden=True,
    )
