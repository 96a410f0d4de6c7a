"""Whatever names, titles and guests hold: every format is parsed, agrees with the rest, and obeys none of it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import xml.etree.ElementTree as ET
from datetime import datetime

from hypothesis import example, given
from markdown_it import MarkdownIt

from lab.classroom.results import CheckResult, LabResult, Outcome
from lab.report.class_figures import hardest
from lab.report.console import console_for
from lab.report.text import inert_line
from lab.report.verify_csv import HEADER, verify_csv
from lab.report.verify_html import verify_html
from lab.report.verify_json import verify_json
from lab.report.verify_junit import verify_junit
from lab.report.verify_markdown import verify_markdown
from lab.report.verify_table import verify_table
from lab.report.verify_words import score, student_outcome, whole_score
from tests.unit.hostile_results import AT, SLOWLY, failing, labs, students_of
from tests.unit.test_report_text import ACTIVE

# ---- each format, read back by its own parser: who, what score, what became of each check


def by_csv(text: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


@SLOWLY
@given(labs())
def test_json_agrees(results: tuple[LabResult, ...]) -> None:
    text = verify_json(results)
    found = json.loads(text)
    assert ACTIVE.findall(text) == []
    assert [lab["lab"] for lab in found["labs"]] == [lab.lab for lab in results]
    assert [
        (student["login"], student["outcome"], student["score"], student["total_points"])
        for lab in found["labs"]
        for student in lab["students"]
    ] == [
        (
            student.login,
            student.outcome.value,
            round(student.score, 6) if student.evaluated else None,
            round(student.total_points, 6),
        )
        for _, student in students_of(results)
    ]
    assert [
        (check["id"], check["outcome"], check["points"], check["message"], check["evidence"])
        for lab in found["labs"]
        for student in lab["students"]
        for check in student["checks"]
    ] == [
        (check.id, check.outcome.value, check.points, check.message, vars(check.evidence))
        for _, student in students_of(results)
        for check in student.checks
    ]


@SLOWLY
@given(labs())
def test_csv_agrees_and_holds_no_formula(results: tuple[LabResult, ...]) -> None:
    rows = by_csv(verify_csv(results))
    assert [(row["outcome"], row["points"], row["max_points"]) for row in rows] == [
        (
            told.outcome.value,
            "" if told.points is None else f"{told.points:g}",
            f"{told.max_points:g}",
        )
        if isinstance(told, CheckResult)
        else ("unknown", "", "")
        for _, student in students_of(results)
        for told in (student.checks or (student,))
    ]
    for row in rows:
        for column in HEADER:
            assert ACTIVE.findall(row[column]) == []
            assert "\n" not in row[column]
            assert not row[column].lstrip().startswith(("=", "+", "-", "@"))
    # What is in front of a formula is all that is added.
    logins = [row["login"].removeprefix("'") for row in rows]
    assert logins == [
        inert_line(student.login).removeprefix("'")
        for _, student in students_of(results)
        for _ in (student.checks or (student,))
    ]


LEGAL_IN_XML = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)  # what XML 1.0 has no way to write (its production 2, negated)
TAG_OF = {
    Outcome.PASSED: None,
    Outcome.FAILED: "failure",
    Outcome.BLOCKED: "skipped",
    Outcome.UNKNOWN: "error",
}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"message"},
}  # fmt: skip
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped"},
}
OPTIONAL = {"timestamp"}


def assert_junit_shape(element: ET.Element) -> None:
    """What the schemas of Ant, Surefire and Jenkins have in common, as far as lab uses it."""
    wanted = ATTRIBUTES[element.tag]
    assert wanted - OPTIONAL <= set(element.attrib) <= wanted
    for name in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
        assert re.fullmatch(r"\d+", element.attrib[name])
    if "time" in element.attrib:
        assert re.fullmatch(r"\d+\.\d{3}", element.attrib["time"])
    if "timestamp" in element.attrib:
        datetime.fromisoformat(element.attrib["timestamp"])
    assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    if element.tag == "testsuite":
        assert len(element.findall("properties")) == 1
        assert int(element.attrib["tests"]) == len(element.findall("testcase"))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.attrib[name]) == len(element.findall(f"testcase/{tag}"))
    if element.tag == "testcase":
        assert len(element) <= 1
    for child in element:
        assert_junit_shape(child)


@SLOWLY
@given(labs())
def test_junit_agrees_and_is_the_junit_that_servers_know(results: tuple[LabResult, ...]) -> None:
    text = verify_junit(results)
    assert LEGAL_IN_XML.findall(text) == []
    assert ACTIVE.findall(text) == []
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    assert_junit_shape(root)
    suites = root.findall("testsuite")
    for suite, (_, student) in zip(suites, students_of(results), strict=True):
        properties = {
            found.attrib["name"]: found.attrib["value"] for found in suite.iter("property")
        }
        assert properties["outcome"] == student.outcome.value
        assert properties["score"] == (f"{round(student.score, 6):g}" if student.evaluated else "")
        assert properties["max_score"] == f"{round(student.max_score, 6):g}"
        tags = [next((child.tag for child in case), None) for case in suite.iter("testcase")]
        assert tags == ([TAG_OF[check.outcome] for check in student.checks] or ["error"])
        names = [case.attrib["name"] for case in suite.iter("testcase")]
        for check, name in zip(student.checks, names, strict=False):
            assert name.startswith(re.sub("[\ufffe\uffff]", "\ufffd", inert_line(check.id)))


PLAIN = {
    *("paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close"),
    *("list_item_open", "list_item_close", "inline", "text", "strong_open", "strong_close"),
    *("text_special", "softbreak"),
}
MENTION = re.compile(r"[@#:][\w+/-]|\w\.[^\W\d_]")
ZERO_WIDTH_SPACE = "\u200b"
SIGN_OF = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?"}


def markdown_lines(text: str) -> list[str]:
    """The text of each paragraph, and the proof that there is nothing but lists and bold words."""
    told = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        assert token.type in PLAIN
        if token.type == "inline":
            children = token.children or []
            assert {child.type for child in children} <= PLAIN
            told.append("".join(child.content for child in children))
    return told


def of_students(told: list[str], results: tuple[LabResult, ...]) -> list[str]:
    """The lines about students: after each lab's own, before its hardest checks."""
    rest, found = iter(told), []
    for lab in results:
        next(rest)
        found += [next(rest) for _ in lab.students]
        hard = hardest(lab, most=5) if len(lab.students) > 1 else ()
        assert len([next(rest) for _ in (hard and (lab, *hard))]) in {0, len(hard) + 1}
    assert results == () or list(rest) == []
    return found


@SLOWLY
@example((LabResult(lab="*", students=()),))
@example(failing("# x", "- x", "1. x", "+ x", "---"))
@example((LabResult(lab="", students=()),))
@given(labs())
def test_markdown_agrees_and_is_plain(results: tuple[LabResult, ...]) -> None:
    text = verify_markdown(results)
    assert ACTIVE.findall(text) == []
    told = markdown_lines(text)
    for line in told:
        assert MENTION.findall(line) == []
    lines = of_students(told, results)
    for line, (lab, student) in zip(lines, students_of(results), strict=True):
        login = " ".join(inert_line(student.login).split())
        assert line.startswith(SIGN_OF[student.outcome])
        assert login in " ".join(line.replace(ZERO_WIDTH_SPACE, "").split())
        assert f": {whole_score(student, lab.language)}" in line


@SLOWLY
@given(labs())
def test_the_table_agrees(results: tuple[LabResult, ...]) -> None:
    stream = io.StringIO()
    verify_table(results, console=console_for(stream, {"COLUMNS": "20000"}))
    text = stream.getvalue()
    assert ACTIVE.findall(text) == []
    lines = [line.rstrip() for line in text.split("\n")]
    heads = iter([place for place, line in enumerate(lines) if line and not line.strip("─")])
    for lab in results:
        if lab.students:
            after = next(heads) + 1
            rows = lines[after : after + len(lab.students)]
            for row, student in zip(rows, lab.students, strict=True):
                told = re.split(r"  +", row)[-2:]
                assert told == [
                    score(student, lab.language),
                    student_outcome(student.outcome, lab.language),
                ]
    failed = [line for line in lines if line.startswith("  ✗ ")]
    assert len(failed) == sum(
        check.outcome is Outcome.FAILED
        for _, student in students_of(results)
        for check in student.checks
    )


@SLOWLY
@given(labs())
def test_all_formats_say_the_same_of_each_student_and_check(results: tuple[LabResult, ...]) -> None:
    students = [s for lab in json.loads(verify_json(results))["labs"] for s in lab["students"]]
    from_json = [
        (s["score"], s["outcome"], [(c["outcome"], c["points"]) for c in s["checks"]])
        for s in students
    ]
    # A number ends each lab and login, so that the rows of a student stand together.
    rows = itertools.groupby(
        by_csv(verify_csv(results)), key=lambda row: (row["lab"], row["login"])
    )
    from_csv = [
        [
            (row["outcome"], float(row["points"]) if row["points"] else None)
            for row in of_student
            if row["check"]
        ]
        for _, of_student in rows
    ]
    suites = ET.fromstring(verify_junit(results).encode()).findall("testsuite")
    outcome_of = {tag: outcome.value for outcome, tag in TAG_OF.items()}
    from_junit = [
        (
            [p.get("value", "") for p in suite.iter("property") if p.get("name") == "score"],
            [
                outcome_of[next((child.tag for child in case), None)]
                for case in suite.iter("testcase")
            ],
        )
        for suite in suites
    ]
    told = of_students(markdown_lines(verify_markdown(results)), results)
    signs = [line[0] for line in told]
    assert from_csv == [checks for _, _, checks in from_json]
    assert from_junit == [
        (
            ["" if total is None else f"{total:g}"],
            [outcome for outcome, _ in checks] or ["unknown"],
        )
        for total, _, checks in from_json
    ]
    assert signs == [SIGN_OF[Outcome(outcome)] for _, outcome, _ in from_json]


@SLOWLY
@given(labs())
def test_every_format_can_be_written_as_utf_8(results: tuple[LabResult, ...]) -> None:
    for text in (
        verify_json(results),
        verify_csv(results),
        verify_junit(results),
        verify_markdown(results),
        verify_html(results, made_at=AT),
    ):
        text.encode("utf-8")
