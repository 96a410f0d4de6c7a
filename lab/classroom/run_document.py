"""A run as the JSON document that is kept of it, and back; times are kept to the millisecond.

What is the same for a whole class stands once in a document: the texts, and what each check is.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.classroom.wording import FALLBACK, Texts

VERSION = 2
# What `lab verify --format json` was when its output was what was kept.
_EARLIER_VERSION = 1

_Object = dict[str, Any]


class NewerVersion(ValueError):
    """A later lab has written the document."""


def document_of(run: Run) -> _Object:
    """The run as JSON values."""
    texts = _Shared()
    labs = [_lab_document(lab, texts) for lab in run.labs]
    return {"version": VERSION, "at": run.at.isoformat(), "texts": texts.values, "labs": labs}


def run_of(document: object) -> Run:
    """The run that a document holds, in this form or the earlier one.

    Raises:
        NewerVersion: a later lab has written it.
        ValueError: it is no document of a run; in words.
    """
    whole = _object(document)
    version = whole.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerVersion(f"it is of version {version}, and this lab knows {VERSION}")
    if version not in (VERSION, _EARLIER_VERSION):
        raise ValueError("it is no run of lab's")
    try:
        at = _moment(whole["at"])
        if version == _EARLIER_VERSION:
            labs = tuple(_earlier_lab(lab) for lab in _objects(whole["labs"]))
        else:
            texts = [_texts(text) for text in _list(whole["texts"])]
            labs = tuple(_lab(lab, texts) for lab in _objects(whole["labs"]))
        return Run(at=at, labs=labs)
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    except IndexError as error:
        raise ValueError("it refers to something that is not there") from error
    except OverflowError as error:
        raise ValueError("a number in it is out of all bounds") from error


class _Shared:
    """Values of which each stands once; the rest of the document has their places."""

    def __init__(self) -> None:
        self.values: list[_Object] = []
        self._places: dict[object, int] = {}

    def text(self, texts: Texts) -> int:
        return self.place_of(dict(texts), key=frozenset(texts.items()))

    def place_of(self, value: _Object, *, key: object) -> int:
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def _lab_document(lab: LabRun, texts: _Shared) -> _Object:
    kinds = _Shared()
    students = [
        {
            "login": student.login,
            "name": student.name,
            "machine": student.machine,
            "email": student.email,
            "id_number": student.id_number,
            "identity": student.identity,
            "at": None if student.at is None else student.at.isoformat(),
            "checks": [_check_document(check, kinds, texts) for check in student.checks],
        }
        for student in lab.students
    ]
    return {
        "lab": lab.lab,
        "lang": lab.lang,
        "steps": {name: texts.text(title) for name, title in lab.steps.items()},
        "checks": kinds.values,
        "students": students,
    }


def _check_document(check: CheckRun, kinds: _Shared, texts: _Shared) -> _Object:
    """What became of a check; what is empty is left out."""
    kind = {
        "id": check.id,
        "step": check.step,
        "title": texts.text(check.title),
        "max_points": check.max_points,
        "hint": texts.text(check.hint),
        "full_hint": texts.text(check.full_hint),
        "hidden": check.hidden,
    }
    result: _Object = {
        "check": kinds.place_of(kind, key=tuple(kind.values())),
        "outcome": check.outcome.value,
        "points": check.points,
        "seconds": round(check.seconds, 3),
    }
    if check.message:
        result["message"] = texts.text(check.message)
    if check.expected:
        result["expected"] = texts.text(check.expected)
    if check.found:
        result["found"] = check.found
    if check.output:
        result["output"] = check.output
    if check.blocked_by:
        result["blocked_by"] = list(check.blocked_by)
    return result


def _lab(lab: _Object, texts: list[Texts]) -> LabRun:
    kinds = [_kind(kind, texts) for kind in _objects(lab["checks"])]
    lang = lab["lang"]
    return LabRun(
        lab=_text(lab["lab"]),
        lang=None if lang is None else _text(lang),
        steps={name: texts[_place(title)] for name, title in _object(lab["steps"]).items()},
        students=tuple(
            StudentRun(
                login=_text(student["login"]),
                name=_text(student["name"]),
                machine=_text(student["machine"]),
                # An earlier lab did not note these.
                email=_text(student.get("email", "")),
                id_number=_text(student.get("id_number", "")),
                at=None if student.get("at") is None else _moment(student["at"]),
                identity=_text(student["identity"]),
                checks=tuple(_check(it, kinds, texts) for it in _objects(student["checks"])),
            )
            for student in _objects(lab["students"])
        ),
    )


def _kind(kind: _Object, texts: list[Texts]) -> _Object:
    return {
        "id": _text(kind["id"]),
        "step": _text(kind["step"]),
        "title": texts[_place(kind["title"])],
        "max_points": _number(kind["max_points"]),
        "hint": texts[_place(kind["hint"])],
        "full_hint": texts[_place(kind["full_hint"])],
        "hidden": kind["hidden"] is True,
    }


_NO_TEXTS: Texts = {}


def _check(result: _Object, kinds: list[_Object], texts: list[Texts]) -> CheckRun:
    points = result["points"]
    return CheckRun(
        **kinds[_place(result["check"])],
        outcome=Outcome(result["outcome"]),
        points=None if points is None else _number(points),
        seconds=_number(result["seconds"]),
        message=texts[_place(result["message"])] if "message" in result else _NO_TEXTS,
        expected=texts[_place(result["expected"])] if "expected" in result else _NO_TEXTS,
        found=_text(result.get("found", "")),
        output=_text(result.get("output", "")),
        blocked_by=tuple(_text(it) for it in _list(result.get("blocked_by", []))),
    )


def _earlier_lab(lab: _Object) -> LabRun:
    """A lab as lab once kept it: in one language, without names, evidence or identities."""
    return LabRun(
        lab=_text(lab["lab"]),
        students=tuple(
            StudentRun(
                login=_text(student["login"]),
                name=_text(student["login"]),
                machine=_text(student["machine"]),
                checks=tuple(_earlier_check(check) for check in _objects(student["checks"])),
            )
            for student in _objects(lab["students"])
        ),
    )


def _earlier_check(check: _Object) -> CheckRun:
    def texts(key: str) -> Texts:
        return {FALLBACK: words} if (words := _text(check[key])) else {}

    points = check["points"]
    return CheckRun(
        id=_text(check["id"]),
        step=_text(check["step"]),
        title=texts("title"),
        outcome=Outcome(check["outcome"]),
        points=None if points is None else _number(points),
        max_points=_number(check["max_points"]),
        message=texts("message"),
        hint=texts("hint"),
        seconds=_number(check["seconds"]),
    )


def _object(value: object) -> _Object:
    if not isinstance(value, dict):
        raise ValueError("something else stands where an object should")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("something else stands where a list should")
    return value


def _objects(value: object) -> list[_Object]:
    return [_object(item) for item in _list(value)]


def _texts(value: object) -> Texts:
    return {language: _text(words) for language, words in _object(value).items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("something else stands where a text should")
    return value


def _moment(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value))
    # Without a time zone it is of this computer's.
    return at if at.tzinfo else at.astimezone()


def _number(value: object) -> float:
    # A number that no float can hold is as damaged as a word.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("something else stands where a number should")
    return float(value)


def _place(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("something else stands where a place should")
    return value
