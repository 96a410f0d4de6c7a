"""A labs.yaml that is a bomb, or nonsense: refused by `lab` as a whole, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.errors import OK, USAGE

# A child's own peak is its own only since its exec: what `wait4` tells begins with the parent's.
MEASURED = """
import atexit, json, resource, sys, time
def tell():
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"cpu_s": time.process_time(), "peak_mb": int(peak.split()[1]) / 1024}), file=sys.stderr)
atexit.register(tell)
from lab.cli import main
main()
"""
GOOD = "labs: {hellopython: {domain: example.org, students: [ana]}}\n"
LIMIT_S = 1.0
LIMIT_MB = 200.0


@dataclass(frozen=True)
class Refusal:
    """What `lab validate` did with a file."""

    code: int
    out: str
    err: str
    cpu_s: float
    peak_mb: float


def validated(folder: Path, raw: bytes) -> Refusal:
    (folder / "labs.yaml").write_bytes(raw)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "validate"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said, _, measured = done.stderr.rstrip("\n").rpartition("\n")
    return Refusal(done.returncode, done.stdout, said, **json.loads(measured))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Refusal:
    """What `lab validate` costs when nothing is wrong."""
    found = validated(tmp_path_factory.mktemp("usual"), GOOD.encode())
    assert (found.code, found.err) == (OK, "")
    return found


def assert_quick(found: Refusal, usual: Refusal) -> None:
    """A processor's time and not a clock's; where even what is usual takes long, as much more."""
    assert found.cpu_s - usual.cpu_s < max(LIMIT_S, 3 * usual.cpu_s)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
MERGES = "a: &a {b: 1}\n" + "".join(f"m{n}: {{<<: [*a, *a], k{n}: 1}}\n" for n in range(2000))
MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LAUGHS, id="aliases"),
        pytest.param(MERGES, id="merges"),
        pytest.param("labs: " + "[" * 500_000, id="brackets"),
        pytest.param("labs: " + "{a: " * 200_000, id="braces"),
        pytest.param("- " * 400_000, id="dashes"),
        pytest.param("? " * 400_000, id="questions"),
        pytest.param("&a " * 300_000, id="anchors"),
        pytest.param("labs: {a: {students: [" + "a, " * 300_000, id="students"),
        pytest.param("".join(f"k{n}: {n}\n" for n in range(60_000)), id="keys"),
        pytest.param("labs:\n" + "  a: 1\n" * 100_000, id="duplicates"),
        pytest.param("labs: '" + "x" * 900_000, id="quote"),
        pytest.param("labs: " + "!" * 900_000, id="tags"),
    ],
)
def test_a_bomb_is_refused_with_its_place_in_a_second(
    tmp_path: Path, usual: Refusal, text: str
) -> None:
    assert len(text) < MEGABYTE
    found = validated(tmp_path, text.encode())
    assert (found.code, found.out) == (USAGE, "")
    assert "labs.yaml:" in found.err
    assert "^" in found.err
    assert len(found.err) < 50_000
    assert_quick(found, usual)
    assert found.peak_mb < LIMIT_MB


@pytest.mark.parametrize("filler", [b"#", b"a: b\n", b"\0", b"- [x]\n"])
def test_ten_megabytes_are_refused_unread(tmp_path: Path, usual: Refusal, filler: bytes) -> None:
    found = validated(tmp_path, filler * (10 * MEGABYTE // len(filler)))
    assert (found.code, found.out) == (USAGE, "")
    assert f"{tmp_path}/labs.yaml: more than 1 MB" in found.err
    assert_quick(found, usual)
    assert found.peak_mb < usual.peak_mb + 10


def test_a_file_that_never_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "labs.yaml").symlink_to("/dev/zero")
    found = subprocess.run(
        [sys.executable, "-c", MEASURED, "validate"], cwd=tmp_path / "class",
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert found.returncode == USAGE
    assert "more than 1 MB" in found.stderr


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("labs:\n  x: !!python/object/apply:os.system ['touch mark']\n", "2:6"),
        ("labs: !!python/name:os.system\n", "1:7"),
        ("labs:\n  hello:\n    domain: a.org\n    domain: b.org\n", "4:5"),
        ("labs:\n  hello:\n    gide: tiny\n    domain: a.org\n    students: [ana]\n", "3:5"),
        ("labs:\n  hello: {domain: a.org, students: [ana]}\nlab: 1\n", "3:1"),
        ("labs: {a: {domain: a.org, students: " + "[" * 40 + "]" * 40 + "}}\n", "1:55"),
    ],
)
def test_what_is_refused_has_line_column_and_caret(tmp_path: Path, text: str, place: str) -> None:
    found = validated(tmp_path, text.encode())
    assert (found.code, found.out) == (USAGE, "")
    lines = found.err.splitlines()
    [head] = [index for index, line in enumerate(lines) if f"labs.yaml:{place}: " in line]
    column = int(place.partition(":")[2])
    # Two columns of the error's own; a long line is cut, and what is marked stays above the mark.
    marked = lines[head + 1][lines[head + 2].index("^")]
    assert marked == text.splitlines()[int(place.partition(":")[0]) - 1][column - 1]
    assert not list(tmp_path.rglob("mark"))
