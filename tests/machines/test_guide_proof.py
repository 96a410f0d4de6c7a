"""`lab guide test` on real machines: what is right with a guide, and all that can be wrong with one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.machines.conftest import BOX, REPOSITORY, ClassFolder

BAD_YAML = """\
name: bad
title: {en: Bad, es: Mala}
profiles: {debian-12: }
steps:
  - {name: base, scope: class, title: {en: Base, es: Base}}
  - {name: own, scope: student, title: {en: Own}}
  - {name: last, scope: student, title: {en: Last, es: Último}}
"""
# Each line of a step is one thing that a step must not do.
BAD_FILES = {
    "guide.yaml": BAD_YAML,
    "files/nap.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "steps/base.sh": 'cmp -s "$LAB_GUIDE/files/nap.service" /etc/systemd/system/nap.service || '
    'cp "$LAB_GUIDE/files/nap.service" /etc/systemd/system\n'
    "touch /etc/made\n"
    "echo again >>/etc/runs\n"
    "[ -e /srv/first ] && chmod 0700 /srv/first || touch /srv/first\n"
    "if [ $(wc -l </etc/runs) = 1 ]; then systemctl start nap; else systemctl stop nap; fi\n"
    "rm -f /srv/gone-$(($(wc -l </etc/runs) - 1)); touch /srv/gone-$(wc -l </etc/runs)\n"
    "systemctl restart systemd-journald\n",
    "steps/base.state.sh": "ls /etc/made\n",
    "steps/own.sh": "echo once >/etc/once\n",
    "steps/own.state.sh": "cat /proc/uptime\n",
    "steps/last.sh": "rm -f /etc/made; [ ! -e /srv/last ] || mv /etc/once /srv/once; touch /srv/last\n",
    "checks/test_all.py": """
import pytest


def texts(words):
    return {"en": words, "es": words}


@pytest.mark.check(id="base.fails", step="base", title=texts("fails"), points=0)
def test_fails(host, expect):
    expect(host.file("/nowhere").exists, expected={"en": "a file", "es": "un fichero"}, found="none")


@pytest.mark.check(id="base.blocked", step="base", title=texts("blocked"), points=0, after=["base.fails"])
def test_blocked():
    pass


@pytest.mark.check(id="base.lost", step="base", title=texts("lost"), points=0)
def test_lost(host):
    assert host.file("/etc/made").exists, "there is no /etc/made"


@pytest.mark.check(id="own.always", step="own", title=texts("always"), points=0)
def test_always(host):
    assert host.file("/etc/passwd").exists


@pytest.mark.check(id="own.early", step="own", title=texts("early"), points=0)
def test_early(host):
    assert host.file("/etc/runs").exists


@pytest.mark.check(id="own.crashes", step="own", title={"en": "crashes"}, points=0)
def test_crashes():
    1 / 0


@pytest.mark.check(id="own.once", step="own", title=texts("once"), points=0)
def test_once(host):
    assert host.file("/etc/once").exists, "there is no /etc/once"


@pytest.mark.check(id="nobody.knows", step="nobody", title=texts("nobody"), points=0)
def test_nobody():
    pass
""",
}


@pytest.fixture
def teacher(tmp_path: Path, box: str) -> ClassFolder:
    """A folder without a labs.yaml: a guide is tried before there is a class."""
    return ClassFolder(tmp_path)


def machines() -> list[str]:
    done = subprocess.run(["sudo", "lxc-ls", "-1"], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.startswith("labproof-")]


def of_process(pid: int) -> list[str]:
    return [name for name in machines() if name.startswith(f"labproof-{pid}-")]


def rows(proof: Any) -> dict[str, tuple[Any, ...]]:
    """What became of each step: both exit codes, what changed, and its checks before and after."""
    return {
        it["step"]: (
            it["exit_code"],
            it["again_exit_code"],
            it["changed"],
            it["restarted"],
            f"{it['passed_before']} {it['passed_after']} of {it['checks']}",
        )
        for it in proof["steps"]
    }


def test_a_new_guide_is_proven_as_it_is_and_its_machine_can_be_kept(teacher: ClassFolder) -> None:
    teacher.lab("guide", "new", "fresh")
    assert [path.name for path in teacher.path.iterdir()] == ["provision"]

    done = teacher.lab("guide", "test", "fresh", "--box", BOX, "--keep")

    assert "fresh is proven on debian-12" in done.stdout
    ways_in = [line for line in done.stderr.splitlines() if line.startswith("  ssh ")]
    said = [
        subprocess.run([*shlex.split(way), "id", "-un"], capture_output=True, text=True, check=True)
        for way in ways_in
    ]
    assert [it.stdout for it in said] == ["vagrant\n", "inigo-ohara\n"]
    assert len(machines()) == 1

    # The next one removes what was kept; and a step that fails ends the proof.
    (teacher.path / "provision/fresh/steps/tool.sh").write_text("echo no flour >&2; exit 7\n")
    proof = teacher.json("guide", "test", "fresh", "--box", BOX, "--lang", "es", exit_code=1)
    assert machines() == []
    assert rows(proof) == {
        "tool": (7, None, None, None, "0 None of 2"),
        "account": (None, None, None, None, "None None of 2"),
    }
    [found] = proof["findings"]
    # The runner may have had a word to say before.
    assert found | {"details": found["details"][-1:]} == (
        {
            "kind": "step.failed",
            "step": "tool",
            "check": None,
            "after": "tool",
            "message": "El paso tool terminó con el código 7; lo que viene después no se probó",
            "advice": "Corrige steps/tool.sh, o lo que dice que falta.",
            "details": ["no flour"],
        }
    )


def test_all_that_is_wrong_with_a_bad_guide_is_told(teacher: ClassFolder) -> None:
    for name, text in BAD_FILES.items():
        path = teacher.path / "provision/bad" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    proof = teacher.json("guide", "test", "bad", exit_code=1)

    assert not proof["proven"]
    assert rows(proof) == {
        "base": (0, 0, 4, ["systemd-journald.service"], "0 1 of 3"),
        "own": (0, 0, 0, [], "2 3 of 4"),
        "last": (0, 0, 2, [], "0 0 of 0"),
    }
    found = [(it["kind"], it["step"], it["check"], it["after"]) for it in proof["findings"]]
    assert found == [
        ("step.language", "own", None, None),
        ("step.unchecked", "last", None, None),
        ("check.language", "own", "own.crashes", None),
        ("guide.pointless", None, None, None),
        ("check.unusable", None, "test_all.py::test_nobody", None),
        ("check.proves_nothing", "own", "own.always", None),
        ("check.unknown", "own", "own.crashes", None),
        ("check.not_passed", "base", "base.fails", "base"),
        ("check.early", "own", "own.early", "base"),
        ("step.changed", "base", None, "base"),
        ("step.restarted", "base", None, "base"),
        ("step.stopped", "base", None, "base"),
        ("step.other_state", "own", None, "own"),
        ("check.lost", "base", "base.lost", "last"),
        ("step.changed", "last", None, "last"),
        ("check.lost_again", "own", "own.once", "last"),
        ("step.unsettled", "base", None, "last"),
    ]
    [changed, _] = [it for it in proof["findings"] if it["kind"] == "step.changed"]
    assert changed["details"] == [
        "~ /etc/runs",
        "~ /srv/first (644 0:0 -> 700 0:0)",
        "- /srv/gone-1",
        "+ /srv/gone-2",
    ]
    [lost] = [it for it in proof["findings"] if it["kind"] == "check.lost"]
    assert lost["message"] == (
        "base.lost passed after its step base, and no more after the step last: there is no /etc/made"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_proof_that_is_stopped_leaves_no_machine(
    teacher: ClassFolder, number: signal.Signals
) -> None:
    teacher.lab("guide", "new", "fresh")
    child = subprocess.Popen(
        [sys.executable, "-m", "lab", "guide", "test", "fresh"],
        cwd=teacher.path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not of_process(child.pid):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    child.send_signal(number)
    child.wait(60)
    if number == signal.SIGKILL:
        # Nobody was left to tidy up: the next one does.
        assert of_process(child.pid)
        (teacher.path / "provision/fresh/steps/tool.sh").write_text("exit 1\n")
        teacher.lab("guide", "test", "fresh", exit_code=1)
    assert not of_process(child.pid)


@pytest.mark.parametrize("guide", ["staticsite", "hellopython"])
def test_lab_s_own_guides_are_proven(teacher: ClassFolder, guide: str) -> None:
    proof = teacher.json("guide", "test", guide, "--box", BOX, exit_code=None)
    assert proof["findings"] == []
    assert proof["proven"]
    for it in proof["steps"]:
        checks = (it["checks"], it["passed_before"], it["passed_after"])
        assert checks == (it["checks"], 0, it["checks"])
        assert it["checks"] > 0
