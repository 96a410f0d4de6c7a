"""Points at which lab can be made to die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = (
    "from lab.system import crash\nfor where in 'abc': crash.point(where); print(where, flush=True)"
)


@pytest.mark.parametrize(
    ("at", "code", "out", "err"),
    [
        ("1", -signal.SIGKILL, "", "LAB_CRASH_AT=1: a\n"),
        ("3", -signal.SIGKILL, "a\nb\n", "LAB_CRASH_AT=3: c\n"),
        ("4", 0, "a\nb\nc\n", ""),
        ("", 0, "a\nb\nc\n", ""),
        ("x", 0, "a\nb\nc\n", ""),
    ],
)
def test_the_point_that_is_counted_to_is_the_end(at: str, code: int, out: str, err: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "LAB_CRASH_AT": at},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
