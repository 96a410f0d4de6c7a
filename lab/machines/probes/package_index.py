"""Which package index guests install from: what labs.yaml hands to them, else pip's own default."""

from __future__ import annotations

import sys

from lab.classroom.classes import GuestSettings
from lab.errors import LabError
from lab.machines.guest_settings import pip_index
from lab.system import process

# pip knows its default, and the project's own files name none: a school may have its own.
_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


def index_url(guest: GuestSettings) -> str:
    """The index of guests with these settings, "" where nobody here knows."""
    if named := pip_index(guest):
        return named
    for python in (sys.executable, "python3"):
        try:
            said = process.run([python, "-c", _DEFAULT], check=False, timeout_s=30)
        except process.Interrupted:
            raise
        except LabError:
            continue
        if said.ok:
            return said.stdout.strip()
    return ""
