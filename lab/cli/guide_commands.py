"""Commands for guides: begin one of your own, and prove it on a real machine."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options
from lab.cli.options import LABS_YAML, Format
from lab.errors import NOT_ALL_WELL

guide_app = typer.Typer(no_args_is_help=True, help="The guides: what is done and checked.")


@guide_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What to call it: a-z, 0-9 and -.")],
    file: options.File = LABS_YAML,
) -> None:
    """Write a small guide that works, in provision/NAME beside labs.yaml, to edit.

    Example: lab guide new bash-basics
    """
    from lab.workflow.guides import new_guide

    folder = new_guide(name, project=file.parent)
    typer.echo(
        f"Wrote {folder}: a step for the whole class, one for each student, and their checks.\n"
        f"Try it on a real machine: lab guide test {name}\n"
        "To give it to a class, write into labs.yaml, with the students:\n"
        f"  labs:\n    mine: {{guide: {name}, domain: vps.example.org, students: [ana, luis]}}",
        err=True,
    )


@guide_app.command("list")
def list_guides(
    file: options.File = LABS_YAML,
    lang: options.Lang = None,
    output: options.Output = Format.TABLE,
) -> None:
    """List the guides that labs.yaml can name: your own and lab's.

    Example: lab guide list
    """
    from lab.classroom.wording import FALLBACK
    from lab.workflow.guides import list_guides as find_guides

    guides = find_guides(file.parent)
    if output is Format.JSON:
        from lab.report.guide_json import guides_json

        typer.echo(guides_json(guides, language=lang or FALLBACK))
    else:
        from lab.report.guide_table import guides_table

        guides_table(guides, console=options.stdout_console(), language=lang or FALLBACK)


@guide_app.command("test")
def prove(
    name: Annotated[str, typer.Argument(help="The guide.")],
    box: Annotated[
        str | None,
        typer.Option(
            envvar="LAB_BOX", help="The box to try it on; the guide's first that is there."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the machine, to look at it afterwards.")
    ] = False,
    file: options.File = LABS_YAML,
    lang: options.Lang = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Prove a guide on a machine of its own, which is removed at the end.

    Every step has to run twice and change nothing the second time; every check has to pass after
    its step and not before. Where there is a labs.yaml, it says what the machine is handed.

    Example: lab guide test hellopython

    Example: lab guide test bash-basics --box debian-11 --keep
    """
    from lab.classroom.wording import FALLBACK
    from lab.workflow.guide_proof import prove_guide

    with options.progress() as live:
        proof = prove_guide(name, labs_yaml=file, box=box, keep=keep, observer=live)
    language = lang or proof.lang or FALLBACK
    if output is Format.JSON:
        from lab.report.guide_json import proof_json

        typer.echo(proof_json(proof, language=language))
    else:
        from lab.report.guide_table import proof_table

        proof_table(proof, console=options.stdout_console(), language=language)
    if proof.ways_in:
        lines = "\n  ".join(proof.ways_in)
        typer.echo(
            "The machine stays until the next `lab guide test`. "
            f"As the administrator, and as the student:\n  {lines}",
            err=True,
        )
    if not proof.proven:
        raise typer.Exit(NOT_ALL_WELL)


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    app.add_typer(guide_app, name="guide")
