"""Moodle's gradebook import and grading worksheets: by its own rules, and not a byte beside."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.classes import MachineSize, Student
from lab.classroom.results import Grade
from lab.errors import USAGE, ConfigError, UsageError
from lab.report.csv_patch import encoded_as, patched, records_of
from lab.report.moodle import FilledWorksheet, fill_worksheet, gradebook_csv

ROSTERS = Path(__file__).parent.parent / "rosters"


def grade(login: str, score: float | None = 8, *, max_score: float = 10, **more: object) -> Grade:
    mark = None if score is None else round(score / max_score * 10, 2)
    known = {
        "lab": "hellopython",
        "name": login.title(),
        "email": f"{login}@example.org",
        "feedback": "8/10 comprobaciones",
        **more,
    }
    points = {"score": score, "max_score": max_score, "total_points": max_score}
    return Grade(login=login, mark=mark, **points, **known)  # type: ignore[arg-type]


def person(login: str, *, id_number: str = "") -> Student:
    return Student(
        login=login,
        name=login.title(),
        email="Ana.Nunez@example.org" if login == "ana" else f"{login}@example.org",
        vhost="x",
        machine=MachineSize(),
        vars={},
        machine_name=f"hello-{login}",
        id_number=id_number,
    )


ANA = grade("ana", 7.5, id_number="123", email="Ana.Nunez@example.org")
LUIS = grade("luis", 3, id_number="0124")


def test_the_gradebook_file_is_what_moodle_reads() -> None:
    assert gradebook_csv([ANA], language="es") == (
        "Dirección de correo,Número de ID,hellopython,Retroalimentación: hellopython\n"
        "Ana.Nunez@example.org,123,7.50,8/10 comprobaciones\n"
    )
    assert gradebook_csv([ANA, LUIS], language="en") == (
        "Email address,ID number,hellopython,Feedback: hellopython\n"
        "Ana.Nunez@example.org,123,7.50,8/10 comprobaciones\n"
        "luis@example.org,0124,3.00,8/10 comprobaciones\n"
    )


def test_who_was_not_evaluated_is_left_out() -> None:
    text = gradebook_csv([grade("eva", None), ANA], language="en")
    assert len(text.splitlines()) == 2
    assert "eva" not in text
    assert gradebook_csv([grade("eva", None)], language="en") == (
        "Email address,ID number,hellopython,Feedback: hellopython\n"
    )


def test_a_column_that_somebody_lacks_is_left_out() -> None:
    """Moodle gives a row with an empty user to the user of the row before it."""
    text = gradebook_csv([ANA, replace(LUIS, id_number="")], language="en")
    assert text.splitlines()[0] == "Email address,hellopython,Feedback: hellopython"
    text = gradebook_csv([ANA, replace(LUIS, email="")], language="en")
    assert text.splitlines()[2] == "0124,3.00,8/10 comprobaciones"
    with pytest.raises(ConfigError) as caught:
        gradebook_csv([replace(ANA, id_number=""), replace(LUIS, email="")], language="en")
    assert caught.value.message == (
        "Moodle could not tell who these students are: there is no email of luis,"
        " and not everybody has an id number"
    )


def test_several_labs_are_one_file_while_no_cell_is_empty() -> None:
    files = [replace(it, lab="files", mark=1.0) for it in (LUIS, ANA)]
    assert gradebook_csv([ANA, LUIS, *files], language="en") == (
        "Email address,ID number,hellopython,Feedback: hellopython,files,Feedback: files\n"
        "Ana.Nunez@example.org,123,7.50,8/10 comprobaciones,1.00,8/10 comprobaciones\n"
        "luis@example.org,0124,3.00,8/10 comprobaciones,1.00,8/10 comprobaciones\n"
    )
    with pytest.raises(UsageError) as caught:
        gradebook_csv([ANA, LUIS, files[0]], language="en")
    assert caught.value == UsageError(
        "An empty cell would erase a grade that is in Moodle already",
        details="ana has no mark in files",
        hint="one file a lab leaves them out: lab grades hellopython --format moodle",
    )
    # A lab in which nobody was evaluated has no column.
    nobody = grade("ana", None, lab="files")
    assert "files" not in gradebook_csv([ANA, nobody], language="en")


def test_one_person_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="ana and other are the same person for Moodle"):
        gradebook_csv([ANA, replace(ANA, login="other")], language="en")


@given(st.text())
def test_feedback_obeys_nothing_and_is_no_html(text: str) -> None:
    out = gradebook_csv([replace(ANA, feedback=text)], language="en")
    _, [email, number, mark, feedback] = csv.reader(io.StringIO(out))
    assert (email, number, mark) == (ANA.email, "123", "7.50")
    assert not feedback.lstrip().startswith(("=", "+", "-", "@"))
    assert not set(feedback) & set("<>\t\r\n\0\x1b\u202e")


WORKSHEET = (
    b"\xef\xbb\xbf"
    b'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",'
    b'"Last modified (submission)","Last modified (grade)","Feedback comments"\n'
    b'"Participant 7",Ana,ana.nunez@example.org,-,,100.00,Yes,-,-,\n'
    b'"Participant 8",Luis,luis@example.org,-,1.00,100.00,No,-,-,Old\n'
    b'"Participant 9",Eva,eva@example.org,-,2.00,100.00,Yes,-,-,Old\n'
    b'"Participant 10",Marta,marta@example.org,-,,100.00,Yes,-,-,\n'
)


def test_a_worksheet_has_its_grades_and_feedback_and_is_else_the_same() -> None:
    grades = [ANA, LUIS, grade("eva", None), grade("zoe")]
    filled = fill_worksheet(WORKSHEET, grades, name="w.csv")
    assert filled == FilledWorksheet(
        raw=WORKSHEET.replace(
            b"example.org,-,,100.00,Yes,-,-,\n",
            b'example.org,-,75.00,100.00,Yes,-,-,"8/10 comprobaciones"\n',
            1,
        ),
        filled=("ana",),
        missing=("zoe",),
        notes=(
            "w.csv:3: Moodle says that the grade of luis cannot be changed",
            "w.csv: nobody on the roster is on these lines: 5",
        ),
    )
    assert fill_worksheet(filled.raw, grades, name="w.csv").raw == filled.raw


def test_who_is_not_asked_for_is_not_told_of_and_who_had_a_grade_is() -> None:
    raw = WORKSHEET.replace(
        b"luis@example.org,-,1.00,100.00,No", b"luis@example.org,-,1.00,100.00,Yes"
    )
    roster = [person(login) for login in ("luis", "eva", "marta")]
    asked_for = fill_worksheet(raw, [ANA], name="w.csv", roster=roster)
    assert (asked_for.filled, asked_for.replaced, asked_for.notes) == (("ana",), (), ())
    both = fill_worksheet(raw, [ANA, LUIS], name="w.csv", roster=roster)
    assert (both.filled, both.replaced) == (("ana", "luis"), ("luis",))
    again = fill_worksheet(both.raw, [ANA, LUIS], name="w.csv", roster=roster)
    assert (again.raw, again.filled, again.replaced) == (both.raw, ("ana", "luis"), ())


@pytest.mark.parametrize(
    "title",
    [
        "La calificación se puede cambiar",
        "La calificación puede cambiarse",
        "Can the grade be changed",
    ],
)
def test_whether_a_grade_can_be_changed_is_known_by_other_words_too(title: str) -> None:
    raw = (
        f"Identifier,Email address,Grade,Maximum Grade,{title}\nP 1,ana.nunez@example.org,,10,No\n"
    )
    filled = fill_worksheet(raw.encode(), [ANA], name="w.csv")
    assert (filled.filled, filled.raw) == ((), raw.encode())
    assert "w.csv:2: Moodle says that the grade of ana cannot be changed" in filled.notes


def test_a_spanish_worksheet_is_filled_as_it_is_written() -> None:
    raw = (ROSTERS / "moodle_worksheet_es.csv").read_bytes()
    ana = replace(ANA, email="", id_number="0123", score=2.0, max_score=3.0)
    filled = fill_worksheet(raw, [ana], name="w.csv")
    before, after = raw.decode().splitlines(), filled.raw.decode().splitlines()
    assert [before[0], *before[2:]] == [after[0], *after[2:]]
    assert (
        after[1]
        == before[1]
        .replace('"Enviado para calificar",,', '"Enviado para calificar","6,67",')
        .removesuffix(",")
        + ',"8/10 comprobaciones"'
    )


@pytest.mark.parametrize(
    ("score", "max_score", "maximum", "mark"),
    [
        (0, 5, "10.00", "0.00"),
        (5, 5, "10.00", "10.00"),
        (1, 8, "1", "0.13"),
        (1.005, 10, "10", "1.01"),
        (2, 3, "100.00", "66.67"),
        (0.1 + 0.2, 0.3, "7", "7.00"),
    ],
)
def test_marks_are_exact_and_on_the_worksheet_s_own_scale(
    score: float, max_score: float, maximum: str, mark: str
) -> None:
    raw = f"Identifier,Email address,Grade,Maximum Grade\nP 1,ana@example.org,,{maximum}\n"
    filled = fill_worksheet(raw.encode(), [grade("ana", score, max_score=max_score)], name="w.csv")
    row = next(csv.DictReader(io.StringIO(filled.raw.decode())))
    assert row["Grade"] == mark
    assert filled.notes == ("w.csv has no column for feedback: only grades are written",)


def test_rows_that_nobody_can_be_sure_of_are_left_alone() -> None:
    raw = (
        b"Identifier,Email address,ID number,Grade,Maximum Grade,Feedback comments\n"
        b"P 1,luis@example.org,123,,10,\n"
        b"P 2,eva@example.org,,,10,\n"
        b"P 3,EVA@example.org,,,10,\n"
        b"P 4,ana.nunez@example.org\n"
        b"P 5,,,,10,\n"
    )
    grades = [ANA, LUIS, grade("eva")]
    assert fill_worksheet(raw, grades, name="w.csv") == FilledWorksheet(
        raw=raw,
        filled=(),
        missing=("ana", "luis"),
        notes=(
            "w.csv:2: the email and the id number are those of ana and luis",
            "w.csv:5: there are 2 cells, not 6",
            "w.csv:3: eva is on lines 3, 4: left alone",
            "w.csv: nobody on the roster is on these lines: 6",
        ),
    )


@pytest.mark.parametrize(
    ("row", "note"),
    [
        # Zoe is on the roster and was not evaluated; the id number in her row is Ana's.
        ("zoe@example.org,123", "the email and the id number are those of ana and zoe"),
        ("nobody@example.org,123", "the email is not the one of ana: left alone"),
        ("ana.nunez@example.org,999", "the id number is not the one of ana: left alone"),
    ],
)
def test_a_row_that_may_be_somebody_elses_is_left_alone(row: str, note: str) -> None:
    raw = f"Identifier,Email address,ID number,Grade,Maximum Grade\nP 1,{row},,10\n".encode()
    for roster, grades in (
        ([person("ana", id_number="123"), person("zoe")], [ANA]),
        ([], [ANA, grade("zoe", None)]),
    ):
        filled = fill_worksheet(raw, grades, name="w.csv", roster=roster)
        assert (filled.raw, filled.filled, filled.missing) == (raw, (), ("ana",))
        assert f"w.csv:2: {note}" in filled.notes


@pytest.mark.parametrize("row", [",123", "ana.nunez@example.org,", "ANA.NUNEZ@example.org,123"])
def test_a_row_in_which_nothing_says_otherwise_is_filled(row: str) -> None:
    raw = f"Identifier,Email address,ID number,Grade,Maximum Grade\nP 1,{row},,10\n".encode()
    assert fill_worksheet(raw, [ANA], name="w.csv", roster=[person("zoe")]).filled == ("ana",)
    without = replace(ANA, email="")
    assert fill_worksheet(raw, [without], name="w.csv").filled == (("ana",) if "123" in row else ())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "w.csv is not a grading worksheet that lab can fill"),
        (b"Name,Mark\nAna,7\n", "w.csv is not a grading worksheet that lab can fill"),
        # Blind marking: nothing tells who it is.
        (
            b"Identifier,Grade,Maximum Grade\nParticipant 1,,10\n",
            "w.csv is not a grading worksheet that lab can fill",
        ),
        (
            b"Identifier,Email address,Grade,Scale\nP 1,ana@example.org,,Good\n",
            "w.csv is for a scale: its grades are words, and lab's are numbers",
        ),
        (
            b"Identifier,Email address,Grade,Maximum Grade\nP 1,ana@example.org,,Good\n",
            "w.csv is for other than numbers",
        ),
        (
            b"Identifier,Email address,Grade,Maximum Grade\nP 1,ana@example.org,,0.00\n",
            "w.csv is for other than numbers",
        ),
        (b'Identifier,"Email address\n', "w.csv cannot be read as a worksheet"),
        (b"\x81\x8d", "w.csv cannot be read as a worksheet"),
    ],
)
def test_what_is_no_worksheet_is_told(raw: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fill_worksheet(raw, [grade("ana")], name="w.csv")
    assert caught.value.message == message
    assert caught.value.hint
    assert caught.value.exit_code == USAGE


def test_a_worksheet_is_for_one_lab() -> None:
    with pytest.raises(UsageError, match="these are the marks of files, hellopython"):
        fill_worksheet(WORKSHEET, [ANA, replace(ANA, lab="files")], name="w.csv")


def test_a_character_that_the_encoding_lacks_is_html() -> None:
    text = (
        "Identificador;Correo;Calificación;Calificación máxima;Comentarios de retroalimentación\r\n"
    )
    raw = f"{text}P 1;ana@example.org;;10,00;\r\n".encode("cp1252")
    filled = fill_worksheet(raw, [grade("ana", feedback="¡Bien! ✓ <b>")], name="w.csv")
    expected = f'{text}P 1;ana@example.org;8,00;10,00;"¡Bien! &#10003; &lt;b&gt;"\r\n'
    assert filled.raw == expected.encode("cp1252")


CELLS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0")
    | st.sampled_from('",;\r\n é'),
    max_size=6,
)
STYLES = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t"]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    }
)


def written(rows: list[list[str]], *, lineterminator: str, **style: object) -> str:
    """The rows as CSV; with CRLF inside, as Python would leave a lone CR without quotes."""
    lines = []
    for row in rows:
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n", **style).writerow(row)  # type: ignore[arg-type]
        lines.append(out.getvalue().removesuffix("\r\n") + lineterminator)
    return "".join(lines)


@st.composite
def worksheets(draw: st.DrawFn) -> tuple[list[list[str]], bytes, str]:
    """A worksheet in any dialect, whose other cells hold anything; and its separator."""
    header = ["Identifier", "Full name", "Email address", "Online text", "Grade", "Maximum Grade"]
    header += ["Grade can be changed", "Feedback comments"]
    rows = [
        [
            f"Participant {number}",
            draw(CELLS),
            email,
            draw(CELLS),
            draw(CELLS),
            "20.00",
            "Yes",
            draw(CELLS),
        ]
        for number, email in enumerate(["ana@example.org", "luis@example.org", "x", ""])
    ]
    style = draw(STYLES)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return [header, *rows], written([header, *rows], **style).encode(encoding), style["delimiter"]


def read(raw: bytes, separator: str) -> list[list[str]]:
    encoding = "utf-16" if raw[:2] == b"\xff\xfe" else "utf-8-sig"
    text = io.StringIO(raw.decode(encoding), newline="")
    return list(csv.reader(text, delimiter=separator))


@given(worksheets(), st.text(max_size=20))
def test_only_grade_and_feedback_of_who_was_evaluated_change(
    worksheet: tuple[list[list[str]], bytes, str], feedback: str
) -> None:
    rows, raw, separator = worksheet
    grades = [grade("ana", 5, feedback=feedback), grade("luis", None), grade("eva")]
    filled = fill_worksheet(raw, grades, name="w.csv")
    assert (filled.filled, filled.missing) == (("ana",), ("eva",))
    after = read(filled.raw, separator)
    assert after[1][4] in {"10.00", "10,00"}
    assert after[1][:4] + after[1][5:7] == rows[1][:4] + rows[1][5:7]
    assert [after[0], *after[2:]] == [rows[0], *rows[2:]]
    assert fill_worksheet(filled.raw, grades, name="w.csv").raw == filled.raw
    # Put back what was there, and every byte is.
    assert fill_worksheet(raw, [grade("luis", None)], name="w.csv").raw == raw


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4), STYLES)
def test_cells_are_those_that_python_reads(rows: list[list[str]], style: dict[str, str]) -> None:
    text, separator = written(rows, **style), style["delimiter"]
    records = records_of(text, separator)
    assert [[cell.text for cell in record.cells] for record in records] == rows
    assert patched(text, {}, separator) == text
    every = {cell: cell.text for record in records for cell in record.cells}
    again = patched(text, every, separator)
    assert [[cell.text for cell in it.cells] for it in records_of(again, separator)] == rows
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        raw = text.encode(encoding)
        assert encoded_as(text, raw) == raw
