"""Commands for marks: each student's, and what they came from."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.classroom.choices import Take
from lab.cli import marking, options
from lab.cli.marking import SCALE
from lab.cli.options import LABS_YAML, Format
from lab.cli.result_output import OutputFile, format_for, require_place, table_console, write
from lab.errors import LabError, UsageError

if TYPE_CHECKING:
    from lab.classroom.attempts import StudentHistory
    from lab.classroom.classes import Classroom
    from lab.classroom.results import Grade
    from lab.workflow.marks import Book


class GradeFormat(StrEnum):
    """How marks are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MOODLE = "moodle"


_SUFFIXES = {".json": GradeFormat.JSON, ".csv": GradeFormat.CSV}
_MOST_NAMED = 20


def history(
    target: Annotated[str, typer.Argument(metavar="LOGIN", help="LOGIN or LAB/LOGIN.")],
    file: options.File = LABS_YAML,
    scale: marking.Scale = SCALE,
    lang: options.Lang = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Show every attempt of a student: when, on which machine, with what mark, what changed.

    Example: lab history ana

    Example: lab history hellopython/ana --format json
    """
    from lab.classroom.wording import FALLBACK
    from lab.workflow.marks import Book

    scale = marking.usable_scale(scale)
    classroom, folder = marking.class_of(file)
    book = Book(marking.runs_in(folder))
    histories = _histories(file, classroom, book, target, scale=scale)
    if output is Format.JSON:
        from lab.report.history_json import history_json

        typer.echo(history_json(histories))
    else:
        from lab.report.history_table import history_table

        known = {lab.name: lab.lang for lab in classroom.labs}
        language = lang or known.get(histories[0].lab) or FALLBACK
        history_table(histories, language=language, console=options.stdout_console())
    if not any(attempt.evaluated for it in histories for attempt in it.attempts):
        raise marking.NothingEvaluated


def grades(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    take: marking.TakeWanted = Take.LAST,
    at: marking.At = None,
    scale: marking.Scale = SCALE,
    lang: options.Lang = None,
    form: Annotated[
        GradeFormat | None,
        typer.Option(
            "--format",
            envvar="LAB_FORMAT",
            help="How marks are written; moodle is for the import into its gradebook.",
        ),
    ] = None,
    worksheet: Annotated[
        Path | None,
        typer.Option(
            "--worksheet",
            envvar="LAB_WORKSHEET",
            help="Fill in this worksheet, downloaded from an assignment of Moodle's.",
        ),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            envvar="LAB_INCOMPLETE",
            help="Give Moodle also the marks of those of whom a part could not be evaluated.",
        ),
    ] = False,
    output: OutputFile = None,
) -> None:
    """Show each student's mark, or write what a gradebook takes; nothing is run.

    Who was not evaluated has no mark, which is not a zero, and is left out of Moodle's files. So is
    who was evaluated only in part, unless --incomplete says otherwise.

    Example: lab grades --at 2026-11-30T23:59

    Example: lab grades --take best --format moodle --output gradebook.csv

    Example: lab grades hellopython --worksheet downloaded.csv --output filled.csv
    """
    from lab.classroom.wording import FALLBACK
    from lab.workflow import marks

    shape = format_for(form, output, _SUFFIXES, GradeFormat.TABLE)
    if worksheet is not None and form is not None:
        raise UsageError(
            "A worksheet has a format of its own", hint="Leave out --format (or LAB_FORMAT)."
        )
    if worksheet is not None and scale != SCALE:
        raise UsageError(
            "A worksheet says itself what the highest mark is",
            hint="Leave out --scale (or LAB_SCALE).",
        )
    require_place(output, labs_yaml=file)
    kept = marking.open_history(file, targets or (), take=take, at=at, scale=scale, language=lang)
    found = marks.grades(kept.places, kept.book, kept.marking)
    language = lang or next((it.lab.lang for it in kept.places), None) or FALLBACK
    if worksheet is not None:
        _fill(worksheet, found, kept, incomplete=incomplete, output=output)
        return
    marked = any(grade.mark is not None for grade in found)
    if not marked and (output is not None or shape is GradeFormat.MOODLE):
        raise marking.NothingEvaluated(at=at)
    if shape is GradeFormat.MOODLE:
        from lab.report.moodle import gradebook_csv

        going = _for_moodle(found, incomplete=incomplete)
        write(gradebook_csv(going, language=language), output)
        return
    _show(found, form=shape, language=language, output=output)
    if not marked:
        raise marking.NothingEvaluated(at=at)


def _histories(
    file: Path, classroom: Classroom, book: Book, target: str, *, scale: float
) -> list[StudentHistory]:
    """A student's history in each lab that is meant, in the order of labs.yaml.

    Who is no longer on a roster has a history all the same.

    Raises:
        UsageError: nobody is, or was, called so.
    """
    from lab.workflow.marks import places_of
    from lab.workflow.student_history import history_of

    wanted_lab, _, login = target.rpartition("/")
    rostered = {(it.lab.name, it.student.login): it for it in places_of(classroom)}
    known = list(dict.fromkeys([*rostered, *book.places]))
    found = [it for it in known if it[1] == login and wanted_lab in {"", it[0]}]
    if not found:
        raise _no_such_student(target, known)
    identities = marking.identities_of(file, [rostered[it] for it in found if it in rostered])
    return [
        history_of(*it, place=rostered.get(it), book=book, identities=identities, scale=scale)
        for it in found
    ]


def _no_such_student(target: str, known: Sequence[tuple[str, str]]) -> UsageError:
    names = [name for lab, login in known for name in (login, f"{lab}/{login}")]
    near = difflib.get_close_matches(target, names, n=1)
    return UsageError(
        f"No student is, or was, called {target!r}"
        + (f"; did you mean {near[0]}?" if near else ""),
        hint="`lab grades` lists them; write LOGIN or LAB/LOGIN.",
    )


def _show(
    grades: Sequence[Grade], *, form: GradeFormat, language: str, output: Path | None
) -> None:
    if form is GradeFormat.JSON:
        from lab.report.grades_json import grades_json

        write(grades_json(grades), output)
    elif form is GradeFormat.CSV:
        from lab.report.grades_csv import grades_csv

        write(grades_csv(grades), output)
    else:
        from lab.report.grades_table import grades_table

        with table_console(output) as console:
            grades_table(grades, language=language, console=console)


def _fill(
    worksheet: Path,
    grades: Sequence[Grade],
    kept: marking.History,
    *,
    incomplete: bool,
    output: Path | None,
) -> None:
    """Fill in a downloaded worksheet.

    Raises:
        UsageError: the marks are of several labs, or there is no such file.
        ConfigError: it is no worksheet.
        NothingEvaluated: nobody has a mark.
        LabError: nobody has a complete one, or it has none of the students.
    """
    labs = list(dict.fromkeys(grade.lab for grade in grades))
    if len(labs) != 1:
        raise UsageError(
            f"A worksheet is of one assignment, and these are the marks of {len(labs)} labs: "
            f"{', '.join(labs)}",
            hint=f"Name one: lab grades {labs[0]} --worksheet {worksheet}",
        )
    try:
        raw = worksheet.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The worksheet {worksheet} could not be read: {error.strerror}",
            hint="In Moodle: the assignment, Submissions, Download grading worksheet.",
        ) from error
    if all(grade.mark is None for grade in grades):
        raise marking.NothingEvaluated(at=kept.at)
    from lab.report.moodle import fill_worksheet
    from lab.report.text import inert_line

    going = _for_moodle(grades, incomplete=incomplete)
    roster = [it.student for it in kept.everybody if it.lab.name == labs[0]]
    sheet = fill_worksheet(raw, going, roster=roster, name=str(worksheet))
    for note in sheet.notes:
        options.tell(inert_line(note))
    if sheet.missing:
        options.tell(f"Evaluated, and not in {worksheet}: {_listed(sheet.missing)}")
    if not sheet.filled:
        raise LabError(
            f"No mark could be filled in to {worksheet}",
            hint="Students are found by email or id number: compare the worksheet's with "
            "the roster's (lab roster check).",
        )
    write(sheet.raw, output)
    replaced = f"; of these replaced another: {len(sheet.replaced)}" if sheet.replaced else ""
    options.tell(f"Filled in {len(sheet.filled)} of {len(going)} marks{replaced}.")


def _for_moodle(grades: Sequence[Grade], *, incomplete: bool) -> list[Grade]:
    """The marks that Moodle is given; who is left out is told, why, and what to do.

    Raises:
        LabError: there are marks, and none of them is.
    """
    several = len({grade.lab for grade in grades}) > 1

    def name(grade: Grade) -> str:
        return f"{grade.lab}/{grade.login}" if several else grade.login

    without = [name(grade) for grade in grades if grade.mark is None]
    partial = [it for it in grades if it.mark is not None and not (it.complete or incomplete)]
    going = [it for it in grades if it.mark is not None and (it.complete or incomplete)]
    if without:
        options.tell(f"Left out, as nothing of theirs was evaluated: {_listed(without)}")
    if partial:
        told = [f"{name(it)} ({_evaluated_points(it)})" for it in partial]
        ways = (
            f"`lab verify {partial[0].lab}/{partial[0].login}` (and so on) while the machine runs "
            "evaluates them anew; --incomplete takes these marks as they are."
        )
        options.tell(f"Left out, as a part could not be evaluated: {_listed(told)}")
        if not going:
            raise LabError("Nobody who was evaluated was evaluated in whole", hint=ways)
        options.tell(ways)
    return going


def _evaluated_points(grade: Grade) -> str:
    total = f"{grade.total_points:g}" if grade.is_weighed else "?"
    return f"{grade.max_score:g} of {total} points evaluated"


def _listed(names: Sequence[str]) -> str:
    from lab.report.layout import listing
    from lab.report.text import inert_line

    return inert_line(listing(names, most=_MOST_NAMED))


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    for command in (history, grades):
        app.command()(command)
