"""docs/reliability.md: all twenty faults are there, and each has tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "reliability.md"
FAULTS = range(1, 21)


def table() -> dict[int, list[str]]:
    """The tests that each fault's row names, by the fault's number."""
    rows = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| (\d+) \| \S.* \| \S.* \| (.+) \|$", line):
            rows[int(match[1])] = re.findall(r"`(tests/[\w/]+\.py::\w+)`", match[2])
    return rows


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        it.name
        for it in tree.body
        if isinstance(it, ast.FunctionDef) and it.name.startswith("test_")
    }


def test_all_twenty_faults_are_there() -> None:
    assert list(table()) == list(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_held_by_tests_that_exist(fault: int) -> None:
    named = table()[fault]
    assert named
    for name in named:
        path, _, function = name.partition("::")
        assert (REPOSITORY / path).is_file(), path
        assert function in functions_in(REPOSITORY / path), name
