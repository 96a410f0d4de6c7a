"""The machine that a guide is proven on: its steps are run there, twice, and its checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lab.checks.request import Request, Target
from lab.checks.runner import run_checks
from lab.classroom.guide import Guide, Step, variables
from lab.classroom.runs import CheckRun
from lab.machines import kit
from lab.machines.fleet import Machine
from lab.machines.inventory import Inventory, differences, restarted, stopped, take_inventory
from lab.workflow.guide_findings import Again, Round
from lab.workflow.scratch import Scratch


class Bench:
    """A scratch machine with a guide to try on it.

    Args:
        scratch: the machine.
        machine: the same, with the guide's steps and the student's variables.
        log: gets what the checks process says beside its results.
    """

    def __init__(self, scratch: Scratch, machine: Machine, *, log: Path) -> None:
        self._folder = scratch.folder
        self._ip = scratch.ip
        self._machine = machine
        self._log = log
        self._kit = kit.pack_kit(machine, scratch.folder)
        self._seen: Inventory | None = None

    @property
    def _guide(self) -> Guide:
        return self._machine.guide

    def check(self, tell: Callable[[str], None]) -> tuple[CheckRun, ...]:
        """All checks of the guide on the machine as it is.

        Raises:
            LabError: lab was interrupted, or the log cannot be written.
        """
        machine, student = self._machine, self._machine.student
        request = Request(
            project=str(self._folder.project),
            checks=str(self._guide.checks),
            steps=tuple(step.name for step in self._guide.steps),
            targets=(
                Target(
                    machine=machine.name,
                    address=self._ip,
                    login=student.login,
                    name=student.name,
                    email=student.email,
                    vhost=student.vhost,
                    vars=variables(self._guide, machine.lab, student),
                ),
            ),
            jobs=1,
            patience=machine.patience,
        )

        def hear(_: str, check: CheckRun | None) -> None:
            if check is not None:
                tell(f"check {check.id}")

        return run_checks(request, log=self._log, tell=hear)[machine.name]

    def try_step(self, step: Step, tell: Callable[[str], None]) -> Round:
        """Run a step, all checks, and the step again; after the last step's second run, all checks.

        What the second run of another step breaks shows in the checks of the step after it. A file
        that changes while only checks run is not held against the second run: a database writes to
        its files whenever it likes.

        Raises:
            ConnectionLost: the machine is gone.
            LabError: something on the way failed.
        """
        began = time.monotonic()
        ran = self._run(step, tell)
        if ran.failed_step:
            return Round(
                step=step.name,
                exit_code=ran.exit_code,
                tail=ran.tail,
                seconds=time.monotonic() - began,
            )
        first = self._take(tell)
        checks = self.check(tell)
        before = self._take(tell)
        unsettled = self._unsettled()
        tell("running it again")
        repeated = self._run(step, tell, force=True)
        after = self._take(tell)
        restless = {*differences(first, before)}
        is_last = step == self._guide.steps[-1]
        again = Again(
            exit_code=repeated.exit_code,
            tail=repeated.tail,
            changed=tuple(
                line for path, line in differences(before, after).items() if path not in restless
            ),
            restarted=restarted(before, after),
            stopped=stopped(before, after),
            same_state=bool(repeated.failed_step)
            or before.states.get(step.name) == after.states.get(step.name),
            checks=self.check(tell) if is_last else (),
        )
        return Round(
            step=step.name,
            checks=checks,
            again=again,
            unsettled=unsettled,
            seconds=time.monotonic() - began,
        )

    def _run(
        self, step: Step, tell: Callable[[str], None], *, force: bool = False
    ) -> kit.StepsOutcome:
        return kit.run_steps(
            self._machine, self._folder, self._kit, tell=tell, force=force, only=(step.name,)
        )

    def _take(self, tell: Callable[[str], None]) -> Inventory:
        tell("looking at what is there")
        self._seen = take_inventory(self._machine, self._folder, before=self._seen)
        return self._seen

    def _unsettled(self) -> tuple[str, ...]:
        """The steps that `lab up` would take for broken now."""
        reports = kit.look(self._machine, self._folder)
        return tuple(report.step for report in reports if report.reason == "broken")
