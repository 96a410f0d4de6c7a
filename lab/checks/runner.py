"""Asks the checks process, and makes results of its answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from lab.checks.request import Request, read_result
from lab.classroom.results import CheckResult, Outcome
from lab.errors import ProcessError
from lab.system import process
from lab.system.output import append

_TIMEOUT_S = 3600.0


def run_checks(
    request: Request, *, log: Path, tell: Callable[[str, CheckResult | None], None]
) -> dict[str, tuple[CheckResult, ...]]:
    """Run a guide's checks on machines.

    Args:
        request: the checks and the machines.
        log: gets what the checks process says beside its results.
        tell: told of a machine's name and each result, and of None when the machine is through;
            from another thread.

    Returns:
        Each machine's results, in the order in which they were run; none at all where the guide has
        no checks. A machine that the checks process did not get through has an unknown one at the
        end.

    Raises:
        ProcessError: the checks process itself failed before it could say anything.
        LabError: the log cannot be written.
    """
    found: dict[str, list[CheckResult]] = {target.machine: [] for target in request.targets}
    waiting = dict.fromkeys(found)
    if not Path(request.checks).is_dir():
        for machine in waiting:
            tell(machine, None)
        return dict.fromkeys(waiting, ())

    def hear(line: str) -> None:
        event = json.loads(line)
        if event.get("done"):
            waiting.pop(event["machine"], None)
            tell(event["machine"], None)
            return
        result = read_result(event["result"])
        found[event["machine"]].append(result)
        tell(event["machine"], result)

    completed = process.run(
        [sys.executable, "-P", "-m", "lab.checks.session"],
        stdin=request.to_json().encode(),
        log=None,
        on_line=hear,
        timeout_s=_TIMEOUT_S,
        check=False,
    )
    if completed.stderr.strip():
        append(log, completed.stderr)
    if waiting and not any(found.values()):
        raise ProcessError("The checks could not be run", details=completed.tail(), log=log)
    for machine in waiting:
        lost = _lost(process.describe_exit(completed.returncode))
        found[machine].append(lost)
        tell(machine, lost)
        tell(machine, None)
    return {machine: tuple(results) for machine, results in found.items()}


def _lost(how: str) -> CheckResult:
    """Stands for all that a checks process which died on the way did not get to."""
    return CheckResult(
        id="checks",
        step="",
        title="The checks could not be finished",
        outcome=Outcome.UNKNOWN,
        points=None,
        max_points=0.0,
        message=f"the process that runs the checks {how}",
    )
