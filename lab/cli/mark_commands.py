"""Commands for marks: what works on whose machine."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options
from lab.cli.options import DEFAULT_JOBS, LABS_YAML, Format
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED


def verify(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_JOBS,
    lang: Annotated[
        str,
        typer.Option(
            envvar="LAB_LANG",
            help="Language of titles and hints: en or es. The default is the lab's own.",
        ),
    ] = "",
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Run the guide's checks, and say what works on whose machine.

    Checks that stop, kill or reboot something leave the machine as it was.

    Example: lab verify

    Example: lab verify ana --lang es --format json
    """
    from lab.classroom.view import View
    from lab.workflow.project import select
    from lab.workflow.verify import _keep, exit_code_of
    from lab.workflow.verify import verify as run_verify

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "verify", wait), options.progress() as live:
        # Read again: whoever held the lock may have made the machines.
        project = options.project_of(file)
        machines = select(project.machines, targets or ())
        run = run_verify(project, machines, observer=live, jobs=jobs)
        results = View(language=lang or None).of_labs(run.labs, at=run.at)
        _keep(project, results)
    if output is Format.JSON:
        from lab.report.verify_json import verify_json

        typer.echo(verify_json(results))
    else:
        from lab.report.verify_table import verify_table

        verify_table(results, console=options.stdout_console())
    code = exit_code_of(results)
    if code in {NOT_ALL_WELL, NOTHING_EVALUATED}:
        raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    app.command()(verify)
