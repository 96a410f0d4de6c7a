"""Whether who was verified under a login is who has it on the roster now."""

from __future__ import annotations

import unicodedata

from lab.classroom.classes import Student
from lab.classroom.runs import StudentRun


def is_another(run: StudentRun, student: Student) -> bool:
    """Tell whether what is known of both says that they are two people.

    The email decides where both are known, else the id number, else the name: a name may be
    corrected while something better says who it is. What an earlier lab did not note says nothing.
    """
    for then, now in (
        (run.email, student.email),
        (run.id_number, student.id_number),
        (_name(run.name, run.login), _name(student.name, student.login)),
    ):
        if then and now:
            return _alike(then) != _alike(now)
    return False


def _name(name: str, login: str) -> str:
    # Without a name the login stands for it.
    return "" if name == login else name


def _alike(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())
