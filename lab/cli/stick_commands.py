"""Commands for classrooms without internet: what a class needs, onto a stick and off it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.options import LABS_YAML

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.workflow.stick import Moved

Stick = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The stick: where it is mounted, or a folder.")
]


def export(
    folder: Stick,
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    wait: options.Wait = "0s",
) -> None:
    """Put all that the class's machines need on a stick, for a computer without internet.

    That is the boxes, and the bakes with packages for the students; what is missing is made first.
    With checksums: `sha256sum -c SHA256SUMS` there. What is on the stick already is not copied
    again, and what other classes need stays.

    Example: lab box export /media/usb

    Example: lab box export /media/usb hellopython
    """
    from lab.workflow.project import select
    from lab.workflow.stick import export as export_boxes

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "box export", wait), options.progress() as live:
        project = options.project_of(file, for_boot=True)
        machines = select(project.machines, targets or ())
        moved = export_boxes(project, machines, folder, whole=not targets, observer=live)
    _tell(moved, done="Copied", kept="there already")
    options.tell(f"The stick is whole. In the classroom: lab box import {folder}")


def import_stick(folder: Stick) -> None:
    """Take the boxes and bakes from a stick, once every file on it has been checked.

    Nothing is downloaded. What this computer has already stays as it is.

    Example: lab box import /media/usb
    """
    from lab.machines.boxes.catalog import vagrant_home
    from lab.workflow.stick import import_stick as import_boxes

    # Not in the current folder: that may be the stick.
    log = vagrant_home() / "lab-box-import.log"
    with options.progress() as live:
        moved = import_boxes(folder, observer=live, log=log)
    _tell(moved, done="Imported", kept="there already")
    options.tell("In the folder of the class: lab up --offline")
    log.unlink(missing_ok=True)


def _tell(moved: Sequence[Moved], *, done: str, kept: str) -> None:
    for it in moved:
        wheels = f", with {it.wheels} packages for students" if it.wheels else ""
        what = f"{it.name} for {it.provider}, {it.size_mb:.0f} MB{wheels}"
        options.tell(f"{done} {what}." if it.changed else f"{what}: {kept}.")


def register(app: typer.Typer) -> None:
    """Add these commands to `lab box`."""
    app.command("export")(export)
    app.command("import")(import_stick)
