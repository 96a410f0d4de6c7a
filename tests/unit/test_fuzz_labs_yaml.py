"""Any labs.yaml at all: a class that holds together, or problems with their places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.classroom.classes import Classroom
from lab.classroom.config import load_classroom
from lab.classroom.fields import is_host_name
from lab.classroom.logins import login_problem
from lab.classroom.problems import MAX_SHOWN
from lab.errors import USAGE, ConfigError
from tests.unit.test_report_text import ACTIVE

VALID = """\
# yaml-language-server: $schema=./labs.schema.json
defaults:
  provider: lxc
  box: debian-12
  domain: example.org
  machine: {cpus: 2, memory: 1.5GB, disk: 8GB}
  vars: {python: "3.11", colour: red}
  guest: {ca_certificates: host, proxy: "http://u:hunter2@proxy.example.org:3128"}
  lang: es
labs:
  hello:
    guide: hellopython
    vhost: "{guide}.{login}.{domain}"
    students:
      - ana
      - {login: luis, name: Luis Núñez, email: luis@example.org, vars: {colour: "1"}}
  other:
    students: [ana, eva]
    machine: {memory: 512MB}
"""
# What means something to YAML, to lab, to a terminal, or to nobody.
PIECES = st.sampled_from(
    [
        *(
            "\t",
            "\n",
            "\r",
            "  ",
            ": ",
            "- ",
            "#",
            "'",
            '"',
            "[",
            "]",
            "{",
            "}",
            ",",
            "|",
            ">",
            "---\n",
        ),
        *(
            "&a ",
            "*a",
            "!!python/name:os.system ",
            "<<: ",
            "? ",
            "%YAML 1.1\n",
            "\\",
            "\0",
            "\x1b[2J",
        ),
        *(
            "\x9b",
            "\u202e",
            "\u2028",
            "\ufeff",
            "é",
            "日本",
            "\U0001f600",
            "../../x",
            "$(id)",
            "#{1}",
        ),
        *("0x0", "010", "no", "null", "1e9", "-1", "9" * 30, "a" * 300, "root", "{login}", "{x}"),
        *(
            "login: ",
            "students: ",
            "vars: ",
            "labs:\n",
            "hello:\n",
            "roster: /dev/zero\n",
            "proxy: ",
        ),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file that something has happened to, a few times."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        lines = text.splitlines(keepends=True) or [""]
        one, two = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        swapped = list(lines)
        swapped[one], swapped[two] = lines[two], lines[one]
        text = draw(
            st.sampled_from(
                [
                    text[:start] + text[end:],
                    text[:end] + text[start:],
                    text[:start] + draw(PIECES) + text[end:],
                    "".join(swapped),
                    "".join([*lines[: one + 1], lines[two], *lines[one + 1 :]]),
                ]
            )
        )
    return text.encode()


@st.composite
def bytes_within(draw: st.DrawFn) -> bytes:
    """A valid file with bytes in it that need not be text."""
    raw = VALID.encode()
    at = draw(st.integers(0, len(raw)))
    return raw[:at] + draw(st.binary(min_size=1, max_size=8)) + raw[at + draw(st.integers(0, 8)) :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read(folder: Path, raw: bytes) -> Classroom | ConfigError:
    path = folder / "labs.yaml"
    path.write_bytes(raw)
    try:
        return load_classroom(path)
    except ConfigError as error:
        return error


def assert_refused_with_places(error: ConfigError, raw: bytes) -> None:
    assert error.exit_code == USAGE
    assert re.fullmatch(r"labs\.yaml has \d+ problems?", error.message)
    assert error.hint
    heads = re.findall(r"^labs\.yaml:(\d+):(\d+): \S.*$", error.details, re.MULTILINE)
    assert 1 <= len(heads) <= MAX_SHOWN
    lines = len(re.split("\r\n|[\r\n\x85\u2028\u2029]", raw.decode("utf-8", "replace")))
    assert all(1 <= int(line) <= lines and int(column) >= 1 for line, column in heads)
    # A terminal shows it and obeys none of it, and no password is repeated.
    assert ACTIVE.findall(error.details) == []
    assert len(error.details) < 50_000


def assert_holds_together(classroom: Classroom) -> None:
    machines = [student.machine_name for lab in classroom.labs for student in lab.students]
    assert classroom.labs
    assert len(set(machines)) == len(machines)
    for lab in classroom.labs:
        assert lab.students
        for student in lab.students:
            assert login_problem(student.login) == ""
            assert is_host_name(student.vhost)


@pytest.mark.parametrize(
    "files", [mutated(), bytes_within(), st.binary(max_size=400)], ids=["text", "bytes", "noise"]
)
def test_any_file_is_a_class_that_holds_together_or_problems_with_places(
    folder: Path, files: st.SearchStrategy[bytes]
) -> None:
    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(files)
    def holds(raw: bytes) -> None:
        found = read(folder, raw)
        if isinstance(found, Classroom):
            assert_holds_together(found)
        else:
            assert_refused_with_places(found, raw)

    holds()


def test_the_file_that_is_mutated_is_valid(folder: Path) -> None:
    found = read(folder, VALID.encode())
    assert isinstance(found, Classroom)
    assert_holds_together(found)
    assert len(found.labs) == 2
