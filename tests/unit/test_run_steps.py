"""provision/run-steps, for real, with its folder under /var/lib moved into the test's own.

The script and its steps run in bash as they do in a guest; only the paths are other ones.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.classroom.shipped import shipped
from lab.machines.steps import StepReport, parse_report


@dataclass
class Guest:
    """A guest's /var/lib/lab, with a kit in it."""

    root: Path

    @property
    def steps(self) -> Path:
        return self.root / "kit" / "guide" / "steps"

    def write(self, step: str, script: str) -> None:
        (self.steps / f"{step}.sh").write_text(f"set -eu\n{script}\n")

    def run(
        self, *arguments: str, report: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"], **({"LAB_REPORT": "1"} if report else {})}
        return subprocess.run(
            ["bash", str(self.root / "kit" / "run-steps"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=given | environment,
            input="nobody is asked\n",
        )

    def reports(self, *arguments: str, **environment: str) -> list[StepReport]:
        """What was said on stdout, each line of which is a report."""
        lines = self.run(*arguments, **environment).stdout.splitlines()
        found = [parse_report(line) for line in lines]
        assert None not in found
        return [report for report in found if report is not None]

    def words(self, *arguments: str, **environment: str) -> list[str]:
        return [f"{it.word} {it.step}" for it in self.reports(*arguments, **environment)]


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    guest = Guest(tmp_path / "lib")
    guest.steps.mkdir(parents=True)
    provision = shipped("provision")
    (tmp_path / "etc/apt/apt.conf.d").mkdir(parents=True)
    for name in ("run-steps", "settings.sh"):
        script = (provision / name).read_text().replace("/var/lib/lab", str(guest.root))
        # Not the /etc of the computer that runs the tests.
        script = re.sub(r"/(etc|usr/local/share)\b", rf"{tmp_path}/\1", script)
        (guest.root / "kit" / name).write_text(script)
    guest.write("one", "echo one ran")
    guest.write("two", "echo two ran >&2")
    return guest


def test_steps_run_in_order_and_only_once(guest: Guest) -> None:
    first = guest.reports("one:d1", "two:d2")
    assert [(it.word, it.step, it.exit_code) for it in first] == [
        ("start", "one", 0),
        ("ended", "one", 0),
        ("start", "two", 0),
        ("ended", "two", 0),
    ]
    assert guest.words("one:d1", "two:d2") == ["kept one", "kept two"]
    record = (guest.root / "steps" / "one").read_text()
    assert re.fullmatch(r"d1 0 \d+\.\d{3} none\n", record)


@pytest.fixture
def hasty(guest: Guest) -> Guest:
    """A guest whose runner gives a second where it would give half an hour or a minute."""
    runner = guest.root / "kit" / "run-steps"
    script = runner.read_text()
    for limit, short in (("1800 *", "1 *"), ("60 *", "1 *")):
        assert script.count(limit) == 1
        script = script.replace(limit, short)
    runner.write_text(script)
    return guest


def test_a_guest_that_is_slow_is_given_its_time(hasty: Guest) -> None:
    hasty.write("one", "sleep 1.5")
    late = hasty.run("one:d1")
    assert late.stdout.splitlines()[-1].startswith("ended one 124 ")
    assert late.stderr == "the step one took longer than 0 minutes, and was stopped\n"
    assert [it.exit_code for it in hasty.reports("one:d1", LAB_PATIENCE="8")] == [0, 0]


def test_a_step_that_must_be_killed_ran_out_of_time_too(hasty: Guest) -> None:
    runner = hasty.root / "kit" / "run-steps"
    runner.write_text(runner.read_text().replace("timeout -k 5", "timeout -k 0.2"))
    hasty.write("one", "trap '' TERM; sleep 5")
    hasty.write("two", "kill -9 $$")
    assert [it.exit_code for it in hasty.reports("one:d1")] == [0, 124]
    assert [it.exit_code for it in hasty.reports("two:d1")] == [0, 137]


def test_what_a_slow_guest_says_of_a_step_late_is_no_change(hasty: Guest) -> None:
    hasty.write("one.state", "echo good; sleep 1.5; echo whole")
    hasty.run("one:d1", LAB_PATIENCE="8")
    assert hasty.words("one:d1", LAB_PATIENCE="8") == ["kept one"]
    assert looked(hasty, "one:d1") == ["todo one broken"]


def test_what_downloads_fails_offline_without_being_run_and_stands_where_it_did(
    guest: Guest,
) -> None:
    guest.run("one:d1")
    guest.write("two", f"touch {guest.root}/two-ran")
    offline = {"LAB_REFUSED": "one two"}
    assert guest.words("one:d1", **offline) == ["kept one"]
    done = guest.run("one:d1", "two:d2", **offline)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["kept one", "start two", "ended two 1 0"]
    assert "lab is offline, and the step two downloads something" in done.stderr
    assert not (guest.root / "two-ran").exists()
    # It has not failed: what it did before it was asked for again still stands.
    assert guest.words("one:d1", "two:d2") == ["kept one", "start two", "ended two"]


def test_another_digest_runs_the_step_again(guest: Guest) -> None:
    guest.run("one:d1", "two:d2")
    assert guest.words("one:d1", "two:d3") == ["kept one", "start two", "ended two"]
    assert guest.words("one:d1", "two:d3") == ["kept one", "kept two"]


def test_force_runs_what_is_done(guest: Guest) -> None:
    guest.run("one:d1")
    assert guest.words("one:d1", LAB_FORCE="1") == ["start one", "ended one"]


def test_the_first_failure_ends_the_run_and_the_next_goes_on_there(guest: Guest) -> None:
    guest.write("two", "echo why >&2; exit 17")
    guest.write("three", "")
    done = guest.run("one:d1", "two:d2", "three:d3")
    assert done.returncode == 17
    assert "why" in done.stderr
    reports = [parse_report(line) for line in done.stdout.splitlines()]
    assert [it and (it.word, it.step, it.exit_code) for it in reports[2:]] == [
        ("start", "two", 0),
        ("ended", "two", 17),
    ]
    assert not (guest.root / "steps" / "three").exists()
    guest.write("two", "")
    assert guest.words("one:d1", "two:d2", "three:d3") == [
        *("kept one", "start two", "ended two", "start three", "ended three")
    ]


def test_what_a_step_prints_is_not_mistaken_for_a_report(guest: Guest) -> None:
    guest.write("one", "echo kept nothing; echo ended one 9 9; echo kept x >&3 || true")
    done = guest.run("one:d1")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["start", "one"],
        ["ended", "one"],
    ]
    assert "ended one 9 9" in done.stderr


def test_plain_vagrant_shows_what_steps_print(guest: Guest) -> None:
    guest.write("two", "exit 3")
    done = guest.run("one:d1", "two:d2", report=False)
    assert done.stdout.splitlines()[:3] == [
        "--- step one: start ",
        "one ran",
        next(line for line in done.stdout.splitlines() if "one: ended" in line),
    ]
    assert re.search(r"^--- step two: ended \(exit code 3, \d+\.\d{3} s\)$", done.stdout, re.M)
    assert done.returncode == 3


def test_what_a_step_is_given(guest: Guest, tmp_path: Path) -> None:
    guest.write(
        "one",
        f"{{ pwd; umask; env | grep -v -e ^_= -e ^SHLVL -e ^OLDPWD | sort; cat; }} >{tmp_path}/given",
    )
    guest.run("one:d1", LAB_PYTHON="3.7", LAB_NAME="Ñandú $(id)")
    assert (tmp_path / "given").read_text().splitlines() == [
        "/",
        "0022",
        "DEBIAN_FRONTEND=noninteractive",
        "HOME=/root",
        f"LAB_GUIDE={guest.root}/kit/guide",
        f"LAB_KIT={guest.root}/kit",
        "LAB_NAME=Ñandú $(id)",
        "LAB_PYTHON=3.7",
        "LAB_REPORT=1",
        "LANG=C.UTF-8",
        "LC_ALL=C.UTF-8",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD=/",
    ]


def test_a_step_knows_what_labs_yaml_hands_to_guests(guest: Guest, tmp_path: Path) -> None:
    guest.run()
    (guest.root / "environment").write_text("PIP_CERT=/a b\nhttps_proxy=http://p.example.org\n")
    guest.write("one", f'echo "$PIP_CERT $https_proxy" >{tmp_path}/given')
    guest.run("one:d1")
    assert (tmp_path / "given").read_text() == "/a b http://p.example.org\n"


@pytest.fixture
def stateful(guest: Guest, tmp_path: Path) -> Callable[[str], None]:
    """Step one writes a file, and must find it again; the function changes it."""
    file = tmp_path / "made"
    guest.write("one", f"echo good >{file}")
    guest.write("one.state", f"cat {file}")
    return lambda text: (file.write_text(text), None)[1]


def test_a_step_whose_work_was_undone_runs_again(
    guest: Guest, stateful: Callable[[str], None]
) -> None:
    guest.run("one:d1")
    assert guest.words("one:d1") == ["kept one"]
    stateful("bad")
    assert guest.words("one:d1") == ["start one", "ended one"]
    assert guest.words("one:d1") == ["kept one"]


def test_a_record_that_was_cut_off_is_no_record(guest: Guest) -> None:
    guest.run("one:d1")
    for content in ("", "d1", "d1 0", "\0\0\0\n"):
        (guest.root / "steps" / "one").write_text(content)
        assert guest.words("one:d1") == ["start one", "ended one"]


def test_a_step_that_is_not_in_the_kit_fails_as_itself(guest: Guest) -> None:
    done = guest.run("none:d1")
    assert done.returncode == 127
    assert "ended none 127" in done.stdout


def test_one_run_waits_for_another(guest: Guest) -> None:
    """A lab that was killed leaves its run behind: the next one finds what that one has done."""
    guest.write("one", 'mkdir "$LAB_GUIDE/at-work"; sleep 0.5; rmdir "$LAB_GUIDE/at-work"')
    argv = ["bash", str(guest.root / "kit" / "run-steps"), "one:d1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "--- step one: start \n"
        assert guest.words("one:d1") == ["kept one"]
    assert first.returncode == 0


def test_what_a_step_leaves_running_holds_nobody_up(guest: Guest) -> None:
    guest.write("one", "sleep 30 >/dev/null 2>&1 & echo $! >$LAB_GUIDE/pid")
    assert guest.words("one:d1") == ["start one", "ended one"]
    assert guest.words("one:d1") == ["kept one"]
    os.kill(int((guest.root / "kit/guide/pid").read_text()), signal.SIGKILL)


def looked(guest: Guest, *arguments: str, **environment: str) -> list[str]:
    """What the runner says when it only looks."""
    reports = guest.reports(*arguments, LAB_LOOK="1", **environment)
    return [f"{it.word} {it.step} {it.reason}".strip() for it in reports]


def test_looking_says_what_would_run_and_why(guest: Guest) -> None:
    guest.write("three", "false")
    (guest.steps / "two.state.sh").write_text(f"cat {guest.root}/owned\n")
    (guest.root / "owned").write_text("as it was\n")
    assert looked(guest, "one:d1") == ["todo one new"]
    guest.run("one:d1", "two:d2", "three:d3")
    assert looked(guest, "one:d1", "two:d2") == ["kept one", "kept two"]
    assert looked(guest, "one:other", "two:d2", "three:d3") == [
        "todo one changed",
        "kept two",
        "todo three failed",
    ]
    (guest.root / "owned").write_text("by somebody\n")
    assert looked(guest, "two:d2", "four:d4") == ["todo two broken", "todo four new"]


def test_looking_runs_and_writes_nothing(guest: Guest) -> None:
    guest.write("one", f"touch {guest.root}/ran")
    looked(guest, "one:d1", "two:d2")
    assert not (guest.root / "ran").exists()
    assert sorted(path.name for path in guest.root.iterdir()) == ["kit"]


@pytest.mark.parametrize(
    "record", ["", "\0\0", "d1", "d1 0", "$(touch x) 0 1 none", "d1 0 1 none more"]
)
def test_a_damaged_record_is_a_step_to_run(guest: Guest, record: str) -> None:
    guest.run("one:d1")
    (guest.root / "steps" / "one").write_text(record)
    assert guest.words("one:d1") == ["start one", "ended one"]
    assert guest.words("one:d1") == ["kept one"]


def test_the_runner_needs_no_file_of_its_own_to_look(guest: Guest) -> None:
    """lab sends its own runner to look: the guest may have an older one."""
    guest.run("one:d1")
    script = (guest.root / "kit" / "run-steps").read_text()
    done = subprocess.run(
        ["bash", "-c", script, "run-steps", "one:d1", "two:d2"],
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "LAB_REPORT": "1",
            "LAB_LOOK": "1",
            "LAB_KIT": str(guest.root / "kit"),
        },
    )
    assert done.stdout == "kept one\ntodo two new\n"


def test_a_step_that_is_cut_off_is_not_done_whatever_it_was_before(guest: Guest) -> None:
    guest.run("one:d1")
    runner = "$(awk '{ print $4 }' /proc/$PPID/stat)"
    guest.write("one", f"touch {guest.root}/half; kill -9 {runner}")
    guest.run("one:d2")
    assert (guest.root / "half").exists()
    assert looked(guest, "one:d1") == ["todo one cut-off"]
    guest.write("one", "echo again")
    assert guest.words("one:d1") == ["start one", "ended one"]
