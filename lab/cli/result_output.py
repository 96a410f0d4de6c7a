"""Where the results of a command go, and in which form: the terminal, a pipe, a file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from lab.cli import options
from lab.errors import LabError, UsageError

if TYPE_CHECKING:
    from lab.classroom.results import LabResult
    from lab.report.console import Console


class ResultFormat(StrEnum):
    """How the results of checks are written."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    HTML = "html"
    CSV = "csv"
    MARKDOWN = "markdown"


OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        envvar="LAB_OUTPUT",
        help="A file for the results, for you alone to read, instead of stdout.",
    ),
]
# What a file's name says of its format, where nobody says another one.
RESULT_SUFFIXES: Mapping[str, ResultFormat] = {
    ".json": ResultFormat.JSON,
    ".xml": ResultFormat.JUNIT,
    ".html": ResultFormat.HTML,
    ".htm": ResultFormat.HTML,
    ".csv": ResultFormat.CSV,
    ".md": ResultFormat.MARKDOWN,
}
# Tables in files are for people, who have wider windows than pipes have.
_FILE_COLUMNS = "120"
_ENDS = "\n"
# They hold marks.
_MODE = 0o600

_Format = TypeVar("_Format", bound=StrEnum)


def format_for(
    wanted: _Format | None, output: Path | None, suffixes: Mapping[str, _Format], default: _Format
) -> _Format:
    """The format that was asked for, else the one that the file's name says, else the default."""
    if wanted is not None:
        return wanted
    return suffixes.get(output.suffix.lower(), default) if output else default


def require_place(output: Path | None, *, labs_yaml: Path) -> None:
    """See that a file can be where it is wanted, before anything is done for it.

    Raises:
        UsageError: there is no such folder, a folder is in its place, or what a class is made of.
    """
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"{output} is a folder", hint="Name a file: --output FILE")
    if not output.parent.is_dir():
        raise UsageError(
            f"There is no folder {output.parent} to write {output.name} to",
            hint="Make it, or name another: --output FILE",
        )
    if what := _part_of_the_class(output.resolve(), labs_yaml.absolute()):
        raise UsageError(
            f"{output} is {what}, and results would take its place",
            hint="Name another file: --output FILE",
        )


def _part_of_the_class(place: Path, labs_yaml: Path) -> str:
    """What stands at that place of all that a class is made of; "" for nothing."""
    from lab.classroom.config import rosters_of

    project = labs_yaml.parent
    if place == labs_yaml.resolve():
        return "the class's labs.yaml"
    if place == (project / "Vagrantfile").resolve():
        return "the class's Vagrantfile"
    for folder in (".lab", ".vagrant", "provision"):
        if place.is_relative_to((project / folder).resolve()):
            return f"in the class's folder {folder}"
    labs = [name for name, roster in rosters_of(labs_yaml).items() if roster == place]
    return f"the roster of {', '.join(labs)}" if labs else ""


def write(content: str | bytes, output: Path | None) -> None:
    """Write results to a file, whole or not at all, or to stdout.

    A file is its owner's alone. What is no file (a pipe, a device) is written to as it is.

    Raises:
        LabError: the file cannot be written; what was there is intact.
    """
    # UTF-8 whatever the terminal speaks: these are files, wherever they are sent.
    data = content if isinstance(content, bytes) else f"{content.rstrip(_ENDS)}\n".encode()
    if output is None:
        typer.echo(data, nl=False)
        return
    if output.exists() and not output.is_file():
        _write_through(output, data)
    else:
        from lab.system.files import write_bytes_atomically

        # Where it is a link, what it points to is written.
        write_bytes_atomically(output.resolve(), data, mode=_MODE)
    options.tell(f"Written to {output}")


@contextmanager
def table_console(output: Path | None) -> Iterator[Console]:
    """A console for tables on stdout, or one whose tables are in the file when the block ends.

    Raises:
        LabError: the file cannot be written; what was there is intact.
    """
    if output is None:
        yield options.stdout_console()
        return
    from lab.report.console import console_for

    drawn = io.StringIO()
    yield console_for(drawn, {"NO_COLOR": "1", "COLUMNS": _FILE_COLUMNS})
    lines = drawn.getvalue().splitlines()
    write("\n".join(line.rstrip() for line in lines), output)


def show_results(
    results: tuple[LabResult, ...], *, form: ResultFormat, output: Path | None
) -> None:
    """Show the results of checks.

    Raises:
        LabError: the file cannot be written; what was there is intact.
    """
    if form is ResultFormat.TABLE:
        from lab.report.verify_table import verify_table

        with table_console(output) as console:
            verify_table(results, console=console)
    else:
        write(_text(results, form), output)


def _text(results: tuple[LabResult, ...], form: ResultFormat) -> str:
    match form:
        case ResultFormat.HTML:
            from lab.report.verify_html import verify_html

            return verify_html(results, made_at=datetime.now().astimezone())
        case ResultFormat.JUNIT:
            from lab.report.verify_junit import verify_junit

            return verify_junit(results)
        case ResultFormat.CSV:
            from lab.report.verify_csv import verify_csv

            return verify_csv(results)
        case ResultFormat.MARKDOWN:
            from lab.report.verify_markdown import verify_markdown

            return verify_markdown(results)
        case _:
            from lab.report.verify_json import verify_json

            return verify_json(results)


def _write_through(output: Path, data: bytes) -> None:
    try:
        output.write_bytes(data)
    except OSError as error:
        raise LabError(
            f"{output} could not be written: {error.strerror}",
            hint="Name a file: --output FILE",
        ) from error
