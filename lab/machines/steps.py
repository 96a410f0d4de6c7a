"""The guide's steps.

What went into each (its digest), how they are run in a guest, what became of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.classroom.guide import Guide, Step

# What Python leaves beside a file that it has run: no part of a guide.
CACHE = "__pycache__"
_DIGEST_LENGTH = 16
_ENDED = re.compile(r"ended (\S+) ([0-9]{1,3}) ([0-9]{1,9}(?:\.[0-9]{1,9})?)")
# Why `run-steps` would run a step: it never ran, was cut off, or failed; its script or variables
# are others than then, or what it owns has been changed in the machine since.
REASONS = ("new", "cut-off", "failed", "changed", "broken")


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A step for one machine.

    `digest` names all that went into it: script, files, variables, and every step before it. So an
    edited step is run again, and so is what follows it. `downloads` says whether it needs the
    internet.
    """

    name: str
    scope: str
    digest: str
    downloads: bool = False

    @property
    def argument(self) -> str:
        """How `run-steps` in the guest is told of the step."""
        return f"{self.name}:{self.digest}"


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What `run-steps` says of a step.

    `start`, `kept`, `ended` with an exit code and seconds, or `todo` with one of `REASONS`.
    """

    word: str
    step: str
    exit_code: int = 0
    seconds: float = 0.0
    reason: str = ""


def plan_steps(
    guide: Guide,
    contents: Mapping[str, str],
    class_variables: Mapping[str, str],
    student_variables: Mapping[str, str],
) -> tuple[PlannedStep, ...]:
    """The guide's steps in order, each with its digest (the first 16 hex digits of a SHA-256).

    Args:
        guide: whose steps.
        contents: from `read_contents`; a class of five hundred reads each script once.
        class_variables: what the class steps are given.
        student_variables: what the student steps are given besides.
    """
    planned = []
    before = hashlib.sha256()
    for step in guide.steps:
        before.update(contents[step.name].encode())
        variables = (
            class_variables if step.scope == "class" else {**class_variables, **student_variables}
        )
        for name, value in sorted(variables.items()):
            before.update(f"{name}={value}\0".encode())
        planned.append(
            PlannedStep(
                name=step.name,
                scope=step.scope,
                digest=before.hexdigest()[:_DIGEST_LENGTH],
                downloads=step.downloads,
            )
        )
    return tuple(planned)


def read_contents(guide: Guide) -> dict[str, str]:
    """The SHA-256 of each step's script and of the files it says it reads, by the step's name."""
    return {step.name: _digest_of(step) for step in guide.steps}


def parse_report(line: str) -> StepReport | None:
    """One line that `run-steps` wrote to stdout, or None for a line that is not its own."""
    match line.split():
        case [("start" | "kept") as word, step]:
            return StepReport(word=word, step=step)
        case ["todo", step, reason] if reason in REASONS:
            return StepReport(word="todo", step=step, reason=reason)
        case words if match := _ENDED.fullmatch(" ".join(words)):
            return StepReport(
                word="ended", step=match[1], exit_code=int(match[2]), seconds=float(match[3])
            )
        case _:
            return None


def steps_that_stand(reports: Sequence[StepReport]) -> tuple[str, ...]:
    """The names of the steps that stand, of those that were reported on."""
    return tuple(
        report.step
        for report in reports
        if report.word == "kept" or (report.word == "ended" and report.exit_code == 0)
    )


def _below(path: Path) -> list[Path]:
    """What a folder of the guide holds, as the kit takes it."""
    return sorted(
        entry for entry in path.rglob("*") if CACHE not in entry.relative_to(path.parent).parts
    )


def _digest_of(step: Step) -> str:
    state = step.script.with_suffix(".state.sh")
    digest = hashlib.sha256()
    for path in (step.script, *([state] if state.exists() else []), *step.files):
        for file in _below(path) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(path.parent)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
