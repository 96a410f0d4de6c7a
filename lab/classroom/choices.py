"""What somebody can choose of marks and reports; the command line's options are these words."""

from __future__ import annotations

from enum import StrEnum


class Hints(StrEnum):
    """How much help a report gives."""

    NONE = "none"
    SHORT = "short"
    FULL = "full"


class Audience(StrEnum):
    """Who reads a report: a student learns of a hidden check only whether it passed."""

    TEACHER = "teacher"
    STUDENT = "student"


class Take(StrEnum):
    """Which of a student's attempts makes their mark."""

    LAST = "last"
    BEST = "best"
