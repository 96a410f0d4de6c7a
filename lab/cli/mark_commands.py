"""Commands for what was checked: what works on whose machine, now or as it was kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.classroom.choices import Audience, Hints, Take
from lab.cli import isolation_proof, marking, options
from lab.cli.options import DEFAULT_JOBS, LABS_YAML
from lab.cli.result_output import (
    RESULT_SUFFIXES,
    OutputFile,
    ResultFormat,
    format_for,
    require_place,
    show_results,
)
from lab.errors import OK, LabError

if TYPE_CHECKING:
    from lab.classroom.results import LabResult
    from lab.classroom.runs import Run
    from lab.workflow.project import Project

Form = Annotated[
    ResultFormat | None,
    typer.Option(
        "--format",
        envvar="LAB_FORMAT",
        help="How results are written; by default what the name of --output says, else a table.",
    ),
]
ReportForm = Annotated[
    ResultFormat | None,
    typer.Option(
        "--format",
        envvar="LAB_FORMAT",
        help="How results are written; by default what the name of --output says, else a table; "
        "html into a file of its own where neither is given.",
    ),
]
HintsWanted = Annotated[
    Hints,
    typer.Option("--hints", envvar="LAB_HINTS", help="How much help; full gives answers away."),
]
AudienceWanted = Annotated[
    Audience,
    typer.Option(
        "--audience",
        envvar="LAB_AUDIENCE",
        help="Who reads it; a student sees of a hidden check only whether it passed.",
    ),
]
Isolation = Annotated[
    bool,
    typer.Option(
        "--isolation",
        envvar="LAB_ISOLATION",
        help="Prove that the machines are kept apart, by trying; as a table or json.",
    ),
]
# One student or lab.
_ONE = re.compile(r"[\w.-]+(/[\w.-]+)?")


def verify(
    context: typer.Context,
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_JOBS,
    lang: options.Lang = None,
    hints: HintsWanted = Hints.SHORT,
    audience: AudienceWanted = Audience.TEACHER,
    form: Form = None,
    output: OutputFile = None,
    wait: options.Wait = "0s",
    isolation: Isolation = False,
) -> None:
    """Run the guide's checks, and say what works on whose machine.

    Checks that stop, kill or reboot something leave the machine as it was. Each run is kept: see
    `lab history`, `lab grades` and `lab report`.

    With --isolation no checks are run, and nothing is kept: the machines try to reach each other.

    Example: lab verify

    Example: lab verify ana --lang es --format json

    Example: lab verify ana --audience student --output ana.html

    Example: lab verify --isolation
    """
    if isolation:
        isolation_proof.refuse_options(context)
        isolation_proof.show(
            targets or (), file=file, jobs=jobs, form=form, output=output, wait=wait
        )
        return
    from lab.classroom.view import View
    from lab.workflow.project import select
    from lab.workflow.verify import exit_code_of
    from lab.workflow.verify import verify as run_verify

    shape = format_for(form, output, RESULT_SUFFIXES, ResultFormat.TABLE)
    require_place(output, labs_yaml=file)
    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "verify", wait), options.progress() as live:
        # Read again: whoever held the lock may have made the machines.
        project = options.project_of(file)
        machines = select(project.machines, targets or ())
        run = run_verify(project, machines, observer=live, jobs=jobs)
        unkept = _keep(project, run)
    results = View(language=lang, hints=hints, audience=audience).of_labs(run.labs, at=run.at)
    if audience is Audience.STUDENT:
        _warn_of_several(results)
    try:
        show_results(results, form=shape, output=output)
    finally:
        if unkept is not None:
            options.complain(unkept)
    code = unkept.exit_code if unkept is not None else exit_code_of(results)
    if code != OK:
        raise typer.Exit(code)


def report(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    take: marking.TakeWanted = Take.LAST,
    at: marking.At = None,
    lang: options.Lang = None,
    hints: HintsWanted = Hints.SHORT,
    audience: AudienceWanted = Audience.TEACHER,
    form: ReportForm = None,
    output: OutputFile = None,
) -> None:
    """Write a report of what was verified so far; nothing is run.

    Without --format and --output that is a page for a browser: report.html of everybody,
    report-ana.html of one target, report-selection.html of several or of a pattern.

    Example: lab report

    Example: lab report ana --at 2026-11-30T23:59 --audience student

    Example: lab report --take best --format markdown
    """
    from lab.classroom.view import View
    from lab.workflow import marks

    if form is None and output is None:
        form, output = ResultFormat.HTML, _page_for(targets or ())
    shape = format_for(form, output, RESULT_SUFFIXES, ResultFormat.TABLE)
    require_place(output, labs_yaml=file)
    kept = marking.open_history(file, targets or (), take=take, at=at)
    view = View(language=lang, hints=hints, audience=audience)
    results = marks.results(kept.places, kept.book, kept.marking, view=view)
    evaluated = any(student.evaluated for lab in results for student in lab.students)
    if not evaluated and output is not None:
        raise marking.NothingEvaluated(at=at)
    if audience is Audience.STUDENT:
        _warn_of_several(results)
    show_results(results, form=shape, output=output)
    if not evaluated:
        raise marking.NothingEvaluated(at=at)


def _page_for(targets: Sequence[str]) -> Path:
    """A name that says whose page it is: nobody's own takes the place of the class's."""
    if not targets:
        return Path("report.html")
    one = targets[0] if len(targets) == 1 and _ONE.fullmatch(targets[0]) else "selection"
    return Path(f"report-{one.replace('/', '-')}.html")


def _warn_of_several(results: Sequence[LabResult]) -> None:
    logins = {student.login for lab in results for student in lab.students}
    if len(logins) > 1:
        options.tell(
            f"warning: This holds the names and points of all {len(logins)} students. "
            "For one of them: lab report LOGIN --audience student"
        )


def _keep(project: Project, run: Run) -> LabError | None:
    """Keep a run; what went wrong is told later, as the results are to be seen all the same."""
    from lab.workflow import history

    try:
        history.keep(project.folder, run)
    except LabError as error:
        return error
    return None


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    for command in (verify, report):
        app.command()(command)
