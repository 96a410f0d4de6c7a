"""`lab verify --isolation`: who reaches whom, instead of what works."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from lab.cli import options
from lab.cli.result_output import (
    RESULT_SUFFIXES,
    ResultFormat,
    format_for,
    require_place,
    table_console,
    write,
)
from lab.errors import OK, UsageError

_FORMATS = (ResultFormat.TABLE, ResultFormat.JSON)
# They say how what checks found is told.
_OF_CHECKS = ("hints", "audience", "lang")


def refuse_options(context: typer.Context) -> None:
    """See that no option was given that only checks have; what the environment says is left aside.

    Raises:
        UsageError: one was.
    """
    given = [name for name in _OF_CHECKS if _is_given(context, name)]
    if given:
        words = ", ".join(f"--{name}" for name in given)
        raise UsageError(
            f"--isolation runs no checks, and takes no {words}",
            hint=f"Leave out {words}; or leave out --isolation, and run the checks.",
        )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def show(
    targets: Sequence[str],
    *,
    file: Path,
    jobs: int,
    form: ResultFormat | None,
    output: Path | None,
    wait: str,
) -> None:
    """Prove that machines are kept apart, and show what was found.

    Raises:
        UsageError: the format is none that this is written in.
        LabError: the machines cannot be asked at all, or the file cannot be written.
    """
    from lab.workflow.isolation import exit_code_of, prove_isolation
    from lab.workflow.project import select

    shape = format_for(form, output, RESULT_SUFFIXES, ResultFormat.TABLE)
    if shape not in _FORMATS:
        raise UsageError(
            f"What --isolation finds is not written as {shape.value}",
            hint="Take --format table or --format json.",
        )
    require_place(output, labs_yaml=file)
    select(options.project_of(file).machines, targets)
    with options.locked(file, "verify", wait), options.progress() as live:
        # Read again: whoever held the lock may have made the machines.
        project = options.project_of(file)
        machines = select(project.machines, targets)
        rows = prove_isolation(project, machines, observer=live, jobs=jobs)
    if shape is ResultFormat.JSON:
        from lab.report.isolation_json import isolation_json

        write(isolation_json(rows), output)
    else:
        from lab.report.isolation_table import isolation_table

        with table_console(output) as console:
            isolation_table(rows, console=console)
    code = exit_code_of(rows)
    if code != OK:
        raise typer.Exit(code)
