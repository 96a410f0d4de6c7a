"""`lab guide test`: proves a guide on a machine of its own.

Its checks are run before any step and after each, and each step is run twice.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.classroom.classes import Lab, MachineSize, Student
from lab.classroom.config import load_classroom
from lab.classroom.guide import Guide, Step, load_guide
from lab.classroom.proofs import GuideProof, StepProof
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.errors import LabError, ProcessError
from lab.machines import ssh
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.boxes.profiles import PROFILES
from lab.machines.fleet import Machine, build_machine
from lab.machines.guest_settings import write_settings
from lab.machines.keys import MachineKeys, read_keys
from lab.machines.providers.base import Provider
from lab.machines.steps import read_contents
from lab.system import parallel
from lab.system.files import LabFolder, remove_tree
from lab.workflow.boxes import ensure_boxes
from lab.workflow.guide_bench import Bench
from lab.workflow.guide_findings import Round, findings_of, told_of
from lab.workflow.observer import Observer
from lab.workflow.provider_choice import provider_beside
from lab.workflow.scratch import (
    DEFAULT_BOX,
    USUAL_SETTINGS,
    Scratch,
    guarded,
    own_name,
    remove_dead_ones,
    scratch_machine,
)

PREFIX = "labproof-"
# All that a name can do to a script that does not quote it.
_LOGIN, _NAME, _EMAIL = "inigo-ohara", "Íñigo O'Hara Muñoz", "inigo@example.org"
_DOMAIN = "example.org"


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is proven, and what on; `work` is a folder of its own."""

    guide: Guide
    lab: Lab
    provider: Provider
    work: Path
    keep: bool


def prove_guide(
    name: str, *, labs_yaml: Path, box: str | None, keep: bool, observer: Observer
) -> GuideProof:
    """Run a guide's steps and checks on a machine of its own, and say what is wrong with the guide.

    What an earlier proof has left, killed or kept, is removed first.

    Args:
        name: the guide's.
        labs_yaml: the class; where there is one, it says what guests are handed.
        box: what to make the machine of; by default the guide's first profile that is there, else
            the first that lab can build.
        keep: leave the machine at the end.
        observer: told of each step.

    Raises:
        ConfigError: there is no such guide, or it or labs.yaml is wrong.
        HostError: the machine cannot be made on this host.
        LabError: the machine was not made, or was lost on the way.
        Interrupted: lab was; the machine is gone.
    """
    labs_yaml = labs_yaml.absolute()
    guide = load_guide(name, project=labs_yaml.parent)
    lab = _lab_for(guide, labs_yaml, box)
    provider = provider_beside(LabFolder(labs_yaml.parent), lab.provider)
    lab = lab.model_copy(update={"provider": provider.name})
    with guarded():
        remove_dead_ones(provider, PREFIX)
        work = Path(tempfile.mkdtemp(prefix=f"{own_name(PREFIX)}-"))
        proof = None
        try:
            ensure_boxes(
                [lab.box],
                provider=provider.name,
                observer=observer,
                log=work / "log",
                folder=labs_yaml.parent,
            )
            subject = _Subject(guide=guide, lab=lab, provider=provider, work=work, keep=keep)
            proof = _watched(subject, observer)
        except LabError as error:
            # Its log goes with the rest; the lines that matter are in the error.
            error.log = None
            raise
        finally:
            if proof is None or not keep:
                remove_tree(work)
    return proof


def _lab_for(guide: Guide, labs_yaml: Path, box: str | None) -> Lab:
    """A lab of one made-up student, with what the class hands to its guests."""
    labs = load_classroom(labs_yaml).labs if labs_yaml.exists() else ()
    model = next((lab for lab in labs if lab.guide == guide.name), next(iter(labs), None))
    uses_it = model is not None and model.guide == guide.name
    provider = model.provider if model else "auto"
    wanted = box or _box_for(guide, fallback=model.box if model and uses_it else DEFAULT_BOX)
    student = Student(
        login=_LOGIN,
        name=_NAME,
        email=_EMAIL,
        vhost=f"{guide.name}.{_LOGIN}.{_DOMAIN}",
        machine=model.machine if model and uses_it else MachineSize(),
        vars={},
        machine_name=f"{guide.name}-{_LOGIN}",
    )
    return Lab(
        name=guide.name,
        guide=guide.name,
        box=wanted,
        provider=provider,
        domain=_DOMAIN,
        machine=MachineSize(),
        # What a class has on this very box is what it will run with.
        vars=dict(model.vars) if model and uses_it and model.box == wanted else {},
        guest=model.guest if model else USUAL_SETTINGS,
        students=(student,),
        lang=model.lang if model else None,
    )


def _box_for(guide: Guide, *, fallback: str) -> str:
    """The guide's first box that Vagrant has, else the first that lab can build."""
    there = {box.name for box in catalog.boxes()}
    boxes = list(guide.profiles)
    return next(
        (box for box in boxes if box_name(box) in there),
        next((box for box in boxes if box in PROFILES), fallback),
    )


def _watched(subject: _Subject, observer: Observer) -> GuideProof:
    """The proof, in a thread of its own, with its news told in this one."""
    observer.started(len(subject.guide.steps), f"proving {subject.guide.name}")

    def news(_: _Subject, text: str) -> None:
        match text.split("\t", 3):
            case ["", note]:
                observer.note(note)
            case [step, activity]:
                observer.machine(step, activity)
            case [step, _, well, summary]:
                observer.done(step, ok=well == "well", summary=summary)

    done = parallel.run_all([subject], _prove, workers=1, on_news=news, on_done=lambda _, __: None)[
        0
    ]
    observer.finished()
    if done.error is not None:
        raise done.error
    assert done.value is not None
    return done.value


def _prove(subject: _Subject, tell: Callable[[str], None]) -> GuideProof:
    guide, lab, work = subject.guide, subject.lab, subject.work
    profile = PROFILES.get(lab.box)
    settings = work / "settings"
    write_settings(settings, lab.guest, distribution=profile.distribution if profile else "")
    with scratch_machine(
        _machine(subject, read_keys(work / "none")),
        folder=LabFolder(work / "project"),
        provider=subject.provider,
        settings=settings,
        log=work / "log",
        tell=lambda text: tell(f"\t{text}"),
        keep=subject.keep,
    ) as scratch:
        # Anew, as a student's steps are handed the key; its name is still the scratch machine's.
        machine = replace(_machine(subject, scratch.machine.keys), name=scratch.machine.name)
        bench = Bench(scratch, machine, log=work / "log")
        tell("\tchecking it before any step has run")
        untouched = bench.check(lambda _: None)
        tell("\t")
        rounds: list[Round] = []
        for step in guide.steps:
            rounds.append(bench.try_step(step, partial(_tell_of, step, tell)))
            found = findings_of(guide, untouched, rounds)
            well, told = told_of(step.name, found, rounds[-1].checks)
            tell(f"{step.name}\tended\t{'well' if well else 'badly'}\t{told}")
            if rounds[-1].exit_code:
                break
        if not subject.keep:
            tell("\tremoving the machine")
            # Vagrant keeps a list of its machines on this computer, and this one is none.
            with suppress(ProcessError):
                scratch.vagrant.destroy([machine.name])
    return GuideProof(
        guide=guide.name,
        box=lab.box,
        steps=tuple(_steps(guide, untouched, rounds)),
        findings=findings_of(guide, untouched, rounds),
        ways_in=_ways_in(scratch) if subject.keep else (),
        lang=lab.lang,
    )


def _tell_of(step: Step, tell: Callable[[str], None], activity: str) -> None:
    tell(f"{step.name}\t{activity}")


def _machine(subject: _Subject, keys: MachineKeys) -> Machine:
    machine = build_machine(
        subject.lab,
        subject.lab.students[0],
        subject.guide,
        project_id="",
        provider=subject.provider,
        keys=keys,
        contents=read_contents(subject.guide),
    )
    return replace(machine, container=own_name(PREFIX))


def _steps(
    guide: Guide, untouched: Sequence[CheckRun], rounds: Sequence[Round]
) -> Iterator[StepProof]:
    """Each step with what became of it; one that was not reached, too."""
    before = untouched
    for place, step in enumerate(guide.steps):
        round_ = rounds[place] if place < len(rounds) else Round(step=step.name, exit_code=-1)
        again = round_.again
        yield StepProof(
            step=step.name,
            title=step.title,
            scope=step.scope,
            exit_code=round_.exit_code if place < len(rounds) else None,
            again_exit_code=again.exit_code if again else None,
            changed=len(again.changed) if again else 0,
            restarted=again.restarted if again else (),
            stopped=again.stopped if again else (),
            checks=sum(check.step == step.name for check in untouched),
            passed_before=_passed(step, before),
            passed_after=_passed(step, round_.checks),
            seconds=round(round_.seconds, 1),
        )
        before = round_.checks


def _passed(step: Step, checks: Sequence[CheckRun]) -> int:
    return sum(check.step == step.name and check.outcome is Outcome.PASSED for check in checks)


def _ways_in(scratch: Scratch) -> tuple[str, ...]:
    """The commands that open the machine: as the administrator, and as the student."""
    name = scratch.machine.name
    return tuple(
        shlex.join(ssh.command_line(scratch.folder, alias)) for alias in (name, f"{name}.student")
    )
