"""Commands for the teacher's computer: what is wrong with it, and the boxes of its machines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lab.cli import options, stick_commands
from lab.cli.options import LABS_YAML, Format
from lab.errors import HOST

box_app = typer.Typer(no_args_is_help=True, help="The boxes that machines are clones of.")


class ProviderName(StrEnum):
    """What boots machines."""

    LXC = "lxc"
    LIBVIRT = "libvirt"
    VIRTUALBOX = "virtualbox"


For = Annotated[
    ProviderName | None,
    typer.Option(
        "--provider",
        envvar="LAB_PROVIDER",
        help="What shall boot it; by default labs.yaml's provider, else the first that works here.",
    ),
]


@box_app.command("build")
def build(
    profile: Annotated[str, typer.Argument(help="debian-12, debian-11 or ubuntu-18.04.")],
    provider: For = None,
    mirror: Annotated[
        str | None, typer.Option(envvar="LAB_MIRROR", help="The archive to take it from.")
    ] = None,
    keyring: Annotated[
        Path | None,
        typer.Option(envvar="LAB_KEYRING", help="The keys that the archive is signed with."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build it although nothing has changed.")
    ] = False,
) -> None:
    """Build a box from its distribution's archive.

    Example: lab box build debian-12

    Example: lab box build debian-12 --provider libvirt
    """
    from lab.machines.boxes.builder import recipe_for
    from lab.machines.boxes.catalog import vagrant_home
    from lab.machines.boxes.profiles import profile_named
    from lab.workflow.boxes import box_provider, build_box

    log = vagrant_home() / "lab-box-build.log"
    known = profile_named(profile)
    chosen = box_provider(LABS_YAML, wanted=provider or "")
    with options.progress() as live:
        recipe = recipe_for(known, provider=chosen, mirror=mirror, keyring=keyring)
        changed = build_box(recipe, observer=live, log=log, force=force)
    state = "built" if changed else "up to date"
    typer.echo(f"The box lab/{profile} for {chosen} is {state}.", err=True)
    log.unlink(missing_ok=True)


@box_app.command("list")
def list_boxes(output: options.Output = Format.TABLE) -> None:
    """List the boxes that Vagrant has.

    Example: lab box list
    """
    from lab.workflow.boxes import list_boxes as find_boxes

    rows = find_boxes()
    if output is Format.JSON:
        from lab.report.boxes_json import boxes_json

        typer.echo(boxes_json(rows))
    else:
        from lab.report.boxes_table import boxes_table

        boxes_table(rows, console=options.stdout_console())


@box_app.command("prune")
def prune() -> None:
    """Remove bakes that no machine is a clone of.

    Boxes that were built or added stay. A `lab up` at work is waited for: it may use any bake.

    Example: lab box prune
    """
    from lab.workflow.boxes import prune as prune_boxes

    removed = prune_boxes(on_wait=options.tell)
    for name in removed:
        typer.echo(f"Removed {name}.", err=True)
    if not removed:
        typer.echo("There was nothing to remove: a machine uses each of them.", err=True)


@box_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What labs.yaml will call it.")],
    source: Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="Where the box is.")],
    provider: For = None,
) -> None:
    """Give Vagrant a box of your own.

    Example: lab box add school/base ./base.box
    """
    from lab.workflow.boxes import add_box, box_provider

    chosen = box_provider(LABS_YAML, wanted=provider or "")
    add_box(name, source, provider=chosen, on_wait=options.tell)
    typer.echo(
        f"Vagrant has the box {name} for {chosen} now; name it in labs.yaml with `box: {name}`.",
        err=True,
    )


def doctor(
    fix: Annotated[
        bool, typer.Option("--fix", help="Run the fixes that harm nobody, and look again.")
    ] = False,
    file: options.File = LABS_YAML,
    output: options.Output = Format.TABLE,
) -> None:
    """Try everything that a class depends on, and say what mends what is wrong.

    Without --fix nothing is changed, but for what a doctor that was killed has left: its scratch
    machine and folder are removed. A labs.yaml is looked at too where there is one.

    Example: lab doctor

    Example: lab doctor --fix --format json
    """
    from lab.machines.health import Health
    from lab.workflow.doctor.examination import diagnose

    with options.progress() as live:
        findings = diagnose(file, fix=fix, observer=live)
    if output is Format.JSON:
        from lab.report.doctor_json import doctor_json

        typer.echo(doctor_json(findings))
    else:
        from lab.report.doctor_table import doctor_table

        doctor_table(findings, console=options.stdout_console())
    if any(finding.outcome is Health.PROBLEM for finding in findings):
        raise typer.Exit(HOST)


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    app.command()(doctor)
    stick_commands.register(box_app)
    app.add_typer(box_app, name="box")
