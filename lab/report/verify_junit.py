"""`lab verify --format junit`: a suite a student, for the CI servers that show such reports."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.classroom.wording import say
from lab.report.json_document import number
from lab.report.text import inert_block, inert_line
from lab.report.verify_words import found_words, repeats_evidence, says_hidden

# XML 1.0 has no way at all to write these two; `inert_*` has seen to controls and surrogates.
_NONCHARACTERS = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}


def verify_junit(results: Sequence[LabResult]) -> str:
    """Return the results as JUnit XML, without a line end.

    A failed check is a failure and a blocked one skipped, so that one broken thing is one failure;
    one that nobody could evaluate is an error, so that no server takes it for well.
    """
    suites = [_suite(lab, student) for lab in results for student in lab.students]
    root = ET.Element("testsuites", {"name": "lab verify", **_totals(suites)})
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _totals(suites: Sequence[ET.Element]) -> dict[str, str]:
    counted = {
        name: str(sum(int(suite.attrib[name]) for suite in suites))
        for name in ("tests", "failures", "errors", "skipped")
    }
    return {**counted, "time": _seconds(sum(float(suite.attrib["time"]) for suite in suites))}


def _suite(lab: LabResult, student: StudentResult) -> ET.Element:
    cases = [_case(check, lab) for check in student.checks] or [_no_check(lab)]
    suite = ET.Element(
        "testsuite",
        name=_line(f"{lab.lab}/{student.login}"),
        tests=str(len(cases)),
        failures=_having(cases, "failure"),
        errors=_having(cases, "error"),
        skipped=_having(cases, "skipped"),
        time=_seconds(sum(check.seconds for check in student.checks)),
    )
    if student.at is not None:
        suite.set("timestamp", student.at.isoformat(timespec="seconds"))
    suite.set("hostname", _line(student.machine))
    suite.append(_properties(student))
    suite.extend(cases)
    return suite


def _having(cases: Sequence[ET.Element], tag: str) -> str:
    return str(sum(case.find(tag) is not None for case in cases))


def _no_check(lab: LabResult) -> ET.Element:
    """What stands for a student without a check: a suite without a case would be green."""
    message = say("reports.no_check", lab.language)
    case = ET.Element("testcase", classname=_line(lab.lab), name=message, time=_seconds(0))
    ET.SubElement(case, "error", type="unknown", message=message)
    return case


def _properties(student: StudentResult) -> ET.Element:
    # A score of which nothing was evaluated is left empty: unknown is never a zero.
    values = {
        "name": _line(student.name),
        "outcome": student.outcome.value,
        "score": str(number(student.score)) if student.evaluated else "",
        "max_score": str(number(student.max_score)),
        "total_points": str(number(student.total_points)),
    }
    properties = ET.Element("properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=value)
    return properties


def _case(check: CheckResult, lab: LabResult) -> ET.Element:
    hidden = say("reports.hidden", lab.language)
    marked = f" ({hidden})" if says_hidden(check, lab.language) else ""
    case = ET.Element(
        "testcase",
        classname=_line(f"{lab.lab}.{check.step}"),
        name=_line(f"{check.id}: {check.title}{marked}"),
        time=_seconds(check.seconds),
    )
    message = _line(check.message)
    if check.outcome is Outcome.FAILED:
        failure = ET.SubElement(case, "failure", type="failed", message=message)
        failure.text = _block(_evidence(check, lab.language))
    elif check.outcome is Outcome.UNKNOWN:
        error = ET.SubElement(case, "error", type="unknown", message=message)
        error.text = _block(_evidence(check, lab.language))
    elif check.outcome is Outcome.BLOCKED:
        ET.SubElement(case, "skipped", message=message)
    return case


def _evidence(check: CheckResult, language: str) -> str:
    told = {
        "expected": check.evidence.expected,
        "found": found_words(check, language),
        "hint": check.hint,
    }
    lines = [
        f"{say(f'reports.evidence_{key}', language)}: {text}" for key, text in told.items() if text
    ]
    if check.evidence.output:
        lines += [f"{say('reports.evidence_output', language)}:", check.evidence.output]
    if not (lines and repeats_evidence(check, language)):
        lines.insert(0, check.message)
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _line(text: str) -> str:
    return inert_line(text).translate(_NONCHARACTERS)


def _block(text: str) -> str:
    return inert_block(text).translate(_NONCHARACTERS)
