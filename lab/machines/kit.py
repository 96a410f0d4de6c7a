"""The kit: what a guest is given to run its steps, and the running of it over SSH.

It holds the runner, what steps may source, the settings and the guide without its checks.
"""

from __future__ import annotations

import hashlib
import io
import math
import shlex
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lab.classroom.shipped import shipped
from lab.errors import ConnectionLost, MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine, assignments
from lab.machines.guest_settings import OFFLINE
from lab.machines.steps import CACHE, PlannedStep, StepReport, parse_report, steps_that_stand
from lab.system import process
from lab.system.files import LabFolder

LOOK_TIMEOUT_S = 120.0
# A step that compiles on a slow machine behind a slow mirror takes minutes, not an hour.
STEPS_TIMEOUT_S = 3600.0
# A guest that boots lets nobody in at first, even though its SSH server answers.
PATIENCE_S = 30.0
# What a step ends with that took too long: `timeout`'s own, in the runner or in the step.
_TIMED_OUT = 124
_RETRY_S = 0.2
_KIT = "/var/lib/lab/kit"
# Checks are run from here. In a machine its student could read them, the hidden ones too.
_CHECKS = ("guide", "checks")
# Of every kit, beside the guide: the runner, what applies the settings, and what steps may source.
_SHARED = ("run-steps", "settings.sh", "apt-install.sh", "student-account.sh")
# Creating files is what a class does most of at the host's disk: a kit that is there already stays.
_INSTALL = f"""
set -euo pipefail
kit={_KIT}
if [ "$(cat $kit/digest 2>/dev/null)" != "$digest" ]; then
    install -d -m 0755 /var/lib/lab
    rm -rf $kit.new
    mkdir $kit.new
    tar --extract --no-same-owner --directory $kit.new
    echo "$digest" >$kit.new/digest
    rm -rf $kit
    mv $kit.new $kit
fi
exec </dev/null
"""


@dataclass(frozen=True, kw_only=True)
class StepsOutcome:
    """What became of a machine's steps.

    Which stand, how many ran now, and the one that failed, if any.
    """

    stand: tuple[str, ...]
    ran: int
    failed_step: str = ""
    exit_code: int = 0
    tail: tuple[str, ...] = ()

    @property
    def how_it_failed(self) -> str:
        """In words that go on from the failed step's name."""
        if self.exit_code == _TIMED_OUT:
            return "ran out of time"
        return f"ended with exit code {self.exit_code}"


def pack_kit(machine: Machine, folder: LabFolder) -> bytes:
    """A tar archive of the machine's kit; the same for all machines of a lab."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        sources = [
            *((path, path.name) for path in shared_files()),
            (machine.guide.folder, "guide"),
            (settings_folder(folder, machine.lab.name), "settings"),
        ]
        for source, name in sources:
            archive.add(source, arcname=name, filter=_for_guests)
    return buffer.getvalue()


def shared_files() -> tuple[Path, ...]:
    """The files of every kit: the runner, what applies the settings, and what steps may source."""
    return tuple(shipped("provision") / name for name in _SHARED)


def settings_folder(folder: LabFolder, lab: str) -> Path:
    """Where a lab's guest settings are written on the host."""
    return folder.root / "guest" / lab


def patience_words(patience: float) -> dict[str, str]:
    """What the scripts in a slow guest multiply their time limits by; bash has no fractions."""
    return {"LAB_PATIENCE": str(math.ceil(patience))} if patience > 1 else {}


def run_steps(
    machine: Machine,
    folder: LabFolder,
    kit: bytes,
    *,
    tell: Callable[[str], None],
    force: bool = False,
    only: tuple[str, ...] = (),
) -> StepsOutcome:
    """Bring the kit into the guest and run the steps that are not done.

    There is one connection for all of it.

    Args:
        machine: whose steps.
        folder: the project's `.lab/`; the machine's log there gets what the steps print.
        kit: from `pack_kit`.
        tell: told of each step as it begins.
        force: run steps that are done again.
        only: the names of the steps to run, instead of all.

    Raises:
        ConnectionLost: the guest cannot be reached.
        MachineError: the guest could not take the kit.
    """
    steps = [step for step in machine.steps if not only or step.name in only]
    order = [step.name for step in machine.steps]
    reports: list[StepReport] = []

    def hear(line: str) -> None:
        report = parse_report(line)
        # Other words may come before the runner's: a greeting, what `sudo` has to say.
        if report is None or report.step not in order:
            return
        reports.append(report)
        if report.word == "start":
            tell(f"step {report.step} {order.index(report.step) + 1}/{len(order)}")

    how = {"LAB_FORCE": "1"} if force else {}
    if (settings_folder(folder, machine.lab.name) / OFFLINE).exists():
        # A boot can have changed what a step owns since lab saw that none has to be run.
        how["LAB_REFUSED"] = " ".join(step.name for step in steps if step.downloads)
    script = f"digest={hashlib.sha256(kit).hexdigest()}\n{_INSTALL}" + "\n".join(
        _commands(machine, steps, how, "$kit/run-steps")
    )
    deadline = time.monotonic() + PATIENCE_S * machine.patience
    while True:
        try:
            completed = ssh.run_as_root(
                folder,
                machine,
                script,
                stdin=kit,
                log=folder.log_of(machine.name),
                on_line=hear,
                timeout_s=STEPS_TIMEOUT_S,
            )
        except ConnectionLost:
            if reports or time.monotonic() > deadline:
                raise
            process.pause(_RETRY_S)
        else:
            break
    failed = next(
        (report for report in reports if report.word == "ended" and report.exit_code), None
    )
    if not completed.ok and failed is None:
        raise MachineError(
            f"The steps could not be {'finished' if reports else 'started'} on {machine.name}",
            details=completed.tail(),
            hint="Its disk may be full; see the log."
            if reports
            else "User vagrant must be allowed all by sudo without a password there; "
            f"or make the machine anew: lab destroy {machine.name}, lab up {machine.name}",
            log=folder.log_of(machine.name),
        )
    return StepsOutcome(
        stand=steps_that_stand(reports),
        ran=sum(report.word == "ended" for report in reports),
        failed_step=failed.step if failed else "",
        exit_code=failed.exit_code if failed else 0,
        tail=tuple(completed.stderr.strip().splitlines()[-12:]) if failed else (),
    )


def look(machine: Machine, folder: LabFolder) -> tuple[StepReport, ...]:
    """What a running machine's own records say of its steps; nothing is run or written there.

    lab's runner does it, whichever one the machine has.

    Raises:
        ConnectionLost: the guest cannot be reached.
        MachineError: it gives no answer that can be understood.
        ProcessError: it does not answer in time.
    """
    lines = _commands(
        machine, machine.steps, {"LAB_LOOK": "1", "LAB_KIT": _KIT}, '-c "$runner" run-steps'
    )
    completed = ssh.run_as_root(
        folder,
        machine,
        "set -euo pipefail\nrunner=$(cat)\n" + "\n".join(lines),
        stdin=(shipped("provision") / "run-steps").read_bytes(),
        timeout_s=LOOK_TIMEOUT_S,
    )
    reports = [report for line in completed.stdout.splitlines() if (report := parse_report(line))]
    if [report.step for report in reports] != [step.name for step in machine.steps]:
        raise MachineError(
            f"{machine.name} does not say how far its steps are", details=completed.tail(3)
        )
    return tuple(reports)


def _commands(
    machine: Machine, steps: Sequence[PlannedStep], how: Mapping[str, str], runner: str
) -> list[str]:
    """A call of the runner for each scope, as its steps have the same variables.

    The class's steps come first, then the student's: a guide has no other order.
    """
    lines = []
    for scope in ("class", "student"):
        arguments = [step.argument for step in steps if step.scope == scope]
        if arguments:
            variables = machine.environment_of(next(step for step in steps if step.scope == scope))
            words = assignments(
                {"LAB_REPORT": "1", **patience_words(machine.patience), **how, **variables}
            )
            lines.append(f"{words} bash {runner} {shlex.join(arguments)}")
    return lines


def _for_guests(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = PurePosixPath(entry.name).parts
    if CACHE in parts or parts[:2] == _CHECKS:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry
