"""`--offline`: what would have to be downloaded is known, and told, before anything is begun."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.errors import HostError
from lab.machines.bakes import bake_for, class_steps, is_clone_of_bake
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name, is_own_file
from lab.machines.boxes.profiles import PROFILES
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.steps import PlannedStep, StepReport
from lab.system.files import LabFolder
from lab.workflow.bake import bake_at_hand
from lab.workflow.files import write_guest_settings
from lab.workflow.observer import Observer
from lab.workflow.plan import Survey, reports_of
from lab.workflow.prepare import refusals
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, noted
from lab.workflow.run import UpOptions

_NAMED = 3


def refuse_downloads(
    project: Project,
    found: Sequence[Found],
    guests: Mapping[str, Guest],
    *,
    doomed: Collection[str] = (),
    options: UpOptions,
    observer: Observer,
) -> None:
    """See that machines can be brought up without the internet; their guest settings are written.

    Machines that run are asked what became of their steps; of others lab's notes have to do.

    Args:
        project: whose machines.
        found: what there is of each that is to be brought up.
        guests: what the provider has.
        doomed: the names of those that are made anew.
        options: how they are brought up.
        observer: told of the machines that are asked.

    Raises:
        HostError: something would have to be downloaded; with all of it.
    """
    write_guest_settings(project, offline=True)
    reports = {}
    if options.provision:
        there = [it for it in found if not _is_new(it, doomed)]
        reports = reports_of(project, there, guests, observer=observer, jobs=options.jobs)
    _refuse(_downloads(project, found, reports, doomed=doomed, options=options))


def downloads_foreseen(
    project: Project, seen: Survey, *, doomed: Collection[str] = (), options: UpOptions
) -> list[str]:
    """What `lab up --offline` would refuse for, a line each; nothing of the project is changed.

    Args:
        project: whose machines.
        seen: what there is of those that are to be brought up.
        doomed: the names of those that are made anew.
        options: how they are brought up.

    Raises:
        HostError: labs.yaml hands something of this host to the guests that it does not have.
    """
    refused = refusals({name: it for name, it in seen.found.items() if name not in doomed})
    going = [it for name, it in seen.found.items() if name not in refused]
    with tempfile.TemporaryDirectory() as place:
        # The project's own settings may be in the hands of a `lab up` at work.
        aside = replace(project, folder=LabFolder(Path(place)))
        write_guest_settings(aside)
        return _downloads(aside, going, seen.reports, doomed=doomed, options=options)


def refuse_to_download_for_reset(
    project: Project, found: Sequence[Found], slow: Collection[str], *, options: UpOptions
) -> None:
    """See that machines can be put back to fresh without the internet.

    Args:
        project: whose machines; their guest settings have been written.
        found: what there is of each.
        slow: the names of those that are clones of no bake of today's class steps.
        options: how they are brought up.

    Raises:
        HostError: something would have to be downloaded; with all of it.
    """
    new = [it.machine for it in found if it.to_be_made]
    unbaked = _without_bake(project, new) | set(slow)
    _refuse(_boxes(project, new) + _fresh([it.machine for it in found], unbaked, options))


def refuse_to_download_for_bakes(project: Project, machines: Sequence[Machine]) -> None:
    """See that the bakes of machines are there, or can be made, without the internet.

    Raises:
        HostError: something would have to be downloaded; with all of it.
    """
    write_guest_settings(project, offline=True)
    lacks = _boxes(project, machines)
    unbaked = _without_bake(project, machines)
    _refuse(lacks + _told_of_class_steps(machines, unbaked))


def refusal(lacks: Sequence[str]) -> HostError:
    """The error that says what would have to be downloaded."""
    return HostError(
        "Offline this cannot be done: something would have to be downloaded",
        details="\n".join(f"- {lack}" for lack in lacks),
        hint="lab box import FOLDER   (a stick from `lab box export FOLDER`), "
        "or the same command with internet and without --offline",
    )


def _refuse(lacks: Sequence[str]) -> None:
    if lacks:
        raise refusal(lacks)


def _downloads(
    project: Project,
    found: Sequence[Found],
    reports: Mapping[str, Sequence[StepReport]],
    *,
    doomed: Collection[str],
    options: UpOptions,
) -> list[str]:
    """What would have to be downloaded to bring machines up, a line each."""
    new = [it.machine for it in found if _is_new(it, doomed)] if options.boot else []
    lacks = _boxes(project, new)
    if options.provision:
        unbaked = _without_bake(project, new) if options.bake else {it.name for it in new}
        there = [it for it in found if not _is_new(it, doomed)]
        lacks += _fresh(new, unbaked, options) + _old_ones(project, there, reports, options)
    return lacks


def _is_new(found: Found, doomed: Collection[str]) -> bool:
    return found.to_be_made or found.machine.name in doomed


def _boxes(project: Project, machines: Sequence[Machine]) -> list[str]:
    """The boxes that are missing, each with what provides it."""
    name = project.provider.name
    lacks = []
    for box in dict.fromkeys(machine.lab.box for machine in machines):
        if catalog.find(box_name(box), provider=name) is not None:
            continue
        if box in PROFILES:
            lacks.append(f"the box {box} for {name}: `lab box build {box}` builds it")
        elif not is_own_file(box):
            lacks.append(f"the box {box} for {name}: `lab box add {box} FILE_OR_URL` brings it")
        elif "://" in box and not box.startswith("file://"):
            lacks.append(f"the box {box} for {name}: it comes from there")
    return lacks


def _without_bake(project: Project, machines: Sequence[Machine]) -> set[str]:
    """The names of those machines for whom no bake is there."""
    roots = project.provider.roots()
    # By the bake's own name: what serves one machine serves all whose bake is called so.
    is_missing: dict[str, bool] = {}
    missing = set()
    for machine in machines:
        if not class_steps(machine):
            continue
        plain = replace(machine, box=box_name(machine.lab.box))
        bake = bake_for(plain, project.folder)
        name = bake.box if bake is not None else ""
        if name not in is_missing:
            is_missing[name] = bake_at_hand(project, plain, roots, offline=True) is None
        if is_missing[name]:
            missing.add(machine.name)
    return missing


def _fresh(machines: Sequence[Machine], unbaked: Collection[str], options: UpOptions) -> list[str]:
    """What the steps of machines would download that have done none, or a bake's."""
    lacks = _told_of_class_steps(machines, unbaked)
    own: dict[str, list[str]] = {}
    for machine in machines:
        for step in machine.steps[len(class_steps(machine)) :]:
            if step.downloads and _is_meant(step, options):
                own.setdefault(f"{machine.guide.name}'s step {step.name}", []).append(machine.name)
    return lacks + [f"what {step} brings, on {_amount(names)}" for step, names in own.items()]


def _told_of_class_steps(machines: Sequence[Machine], unbaked: Collection[str]) -> list[str]:
    """What the class steps of machines without a bake would download, a line a guide."""
    groups: dict[tuple[str, str], list[str]] = {}
    for machine in machines:
        names = [step.name for step in class_steps(machine) if step.downloads]
        if names and machine.name in unbaked:
            key = (machine.guide.name, ", ".join(names))
            groups.setdefault(key, []).append(machine.name)
    return [
        f"a bake of {guide} for {_amount(names)}, or what its class steps install: {steps}"
        for (guide, steps), names in groups.items()
    ]


def _old_ones(
    project: Project,
    found: Sequence[Found],
    reports: Mapping[str, Sequence[StepReport]],
    options: UpOptions,
) -> list[str]:
    """What the steps would download that are to be run on machines that are there."""
    groups: dict[tuple[str, str], list[str]] = {}
    for it in found:
        said = {
            report.step: report.reason
            for report in reports.get(it.machine.name) or noted(it)
            if report.word == "todo"
        }
        # Of what a machine has from its box, lab's notes say nothing before its first run.
        asked = it.machine.name in reports
        baked = not asked and is_clone_of_bake(it.machine, project.folder)
        for step in it.machine.steps:
            reason = "forced" if options.force else said.get(step.name)
            if reason == "new" and baked and step in class_steps(it.machine):
                continue
            if reason and step.downloads and _is_meant(step, options):
                key = (f"{it.machine.guide.name}'s step {step.name}", reason)
                groups.setdefault(key, []).append(it.machine.name)
    return [
        f"what {step} brings, on {_amount(names)}: {_WHY[reason]}"
        for (step, reason), names in groups.items()
    ]


_WHY = {
    "new": "it has not run there",
    "cut-off": "it was cut off there",
    "failed": "it failed there",
    "changed": "it is another than the one that ran there",
    "broken": "what it owns was changed there",
    "forced": "--force runs it again",
}


def _is_meant(step: PlannedStep, options: UpOptions) -> bool:
    return not options.only or step.name in options.only


def _amount(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
