"""Whether who was verified under a login is who has it on the roster now."""

from __future__ import annotations

import unicodedata

from lab.classroom.classes import Student
from lab.classroom.runs import StudentRun


def is_another(run: StudentRun, student: Student) -> bool:
    """Tell whether what is known of both says that they are two people.

    Who has the same email is the same person, whatever else was corrected; so is who has the same
    id number and name. An id number alone says little: some schools number each list anew. What an
    earlier lab did not note says nothing.
    """
    email = _agree(run.email, student.email)
    number = _agree(run.id_number, student.id_number)
    name = _agree(_name(run.name, run.login), _name(student.name, student.login))
    if email or (number and name):
        return False
    return False in (email, number, name)


def _agree(then: str, now: str) -> bool | None:
    """Whether two are alike; None where one of them is not known."""
    return _alike(then) == _alike(now) if then and now else None


def _name(name: str, login: str) -> str:
    # Without a name the login stands for it.
    return "" if name == login else name


def _alike(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())
