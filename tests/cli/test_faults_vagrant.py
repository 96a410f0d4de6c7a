"""A Vagrant whose list is damaged, that hangs, floods or speaks no text; machines and folders that moved."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]
INDEX = {"version": 1, "machines": {}}
DAMAGED = ['{"version": 1, "machi', "\0\0\0\0"]


@pytest.fixture
def index() -> Path:
    """Vagrant's own list of machines."""
    path = Path(os.environ["VAGRANT_HOME"], "data", "machine-index", "index")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(INDEX))
    return path


def states(lab: Lab) -> dict[str, str]:
    rows = lab("status", "--format", "json").json["machines"]
    return {row["login"]: row["state"] for row in rows}


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_machine_index_is_said_and_nothing_is_deleted(
    lab: Lab, world: Any, index: Path, content: str
) -> None:
    lab("up", "ana", "luis", "--no-bake")
    lab("halt", "luis")
    index.write_text(content)

    for words in (("up", "--no-bake"), ("halt",)):
        ran = lab(*words)
        assert ran.code == NOT_ALL_WELL
        assert "Vagrant's own list of machines (its machine index) is damaged" in ran.said
        assert "move ~/.vagrant.d/data/machine-index away" in ran.said
    assert world.guests == {"hello-ana": "RUNNING", "hello-luis": "STOPPED"}
    assert states(lab) == {"ana": "running", "luis": "stopped", "marta": "missing"}
    assert lab("verify", "ana").code == OK
    assert index.read_text() == content

    # What it says is what mends it.
    index.parent.rename(index.parent.with_suffix(".damaged"))
    assert lab("up", "--no-bake").code == OK
    assert set(world.guests.values()) == {"RUNNING"}


def test_an_empty_machine_index_is_no_empty_class(lab: Lab, world: Any, index: Path) -> None:
    """To Vagrant, that is a list of nothing; lab asks the provider what there is."""
    lab("up", "ana", "luis", "--no-bake")
    index.write_text("")

    assert states(lab) == {"ana": "running", "luis": "running", "marta": "missing"}
    assert lab("up", "--no-bake").code == OK
    assert world.boots[1:] == [["hello-marta", "--provider=lxc", "--no-provision", "--parallel"]]
    assert lab("halt").code == OK
    assert set(world.guests.values()) == {"STOPPED"}


def test_a_machine_that_is_gone_is_no_trouble_to_anything(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    next((world.root / "guests").glob("*-hello-ana")).unlink()

    assert states(lab) == {"ana": "missing", "luis": "running", "marta": "running"}
    ran = lab("verify", "--format", "json")
    assert [it["outcome"] for it in ran.json["labs"][0]["students"]] == [
        "unknown",
        "passed",
        "passed",
    ]
    assert ran.json["labs"][0]["students"][0]["score"] is None
    for _ in range(2):
        assert lab("destroy", "ana", "--yes").code == OK
    assert lab("halt").code == OK
    assert lab("up").code == OK
    assert states(lab) == {"ana": "running", "luis": "running", "marta": "running"}


def test_a_folder_that_was_moved_keeps_its_machines(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("up")
    before, boots = world.guests, len(world.boots)
    names = sorted(path.name for path in (world.root / "guests").iterdir())
    moved = world.project.with_name("moved")
    world.project.rename(moved)
    monkeypatch.chdir(moved)

    assert states(lab) == dict.fromkeys(("ana", "luis", "marta"), "running")
    ran = lab("up", "--format", "json")
    assert f"was moved here from {world.project}" in ran.said
    assert [(row["ok"], row["changed"]) for row in ran.json["machines"]] == [(True, False)] * 3
    assert "was moved" not in lab("up").said
    assert (world.guests, len(world.boots)) == (before, boots)
    assert sorted(path.name for path in (world.root / "guests").iterdir()) == names
    assert json.loads((moved / ".lab/state/project.json").read_text())["path"] == str(moved)
    assert lab("verify").code == OK
    assert lab("destroy", "--yes").code == OK
    assert world.guests == {}


def test_a_copy_of_a_folder_makes_no_second_fleet(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("up")
    names = sorted(path.name for path in (world.root / "guests").iterdir())
    copy = world.project.with_name("copy")
    shutil.copytree(world.project, copy)
    monkeypatch.chdir(copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}

    for words in (("up",), ("halt",), ("status",), ("verify",), ("destroy", "--yes")):
        ran = lab(*words)
        assert (ran.code, ran.out) == (USAGE, "")
        assert f"This folder is a copy of {world.project}, whose machines these are" in ran.said
        assert f"rm -r {copy}/.lab {copy}/.vagrant" in ran.said
    assert sorted(path.name for path in (world.root / "guests").iterdir()) == names
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before if path.name != "lock"} == {
        path: content for path, content in before.items() if path.name != "lock"
    }

    # What it says is what makes it a class of its own.
    shutil.rmtree(copy / ".lab")
    shutil.rmtree(copy / ".vagrant")
    assert lab("up").code == OK
    assert len(list((world.root / "guests").iterdir())) == 2 * len(names)


def test_a_copy_without_lab_s_folder_destroys_nothing(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("up")
    before = world.guests
    copy = world.project.with_name("copy")
    shutil.copytree(world.project, copy)
    shutil.rmtree(copy / ".lab")
    monkeypatch.chdir(copy)

    for words in (("up",), ("status",), ("destroy", "--yes")):
        ran = lab(*words)
        assert (ran.code, ran.out) == (USAGE, "")
        assert f"This folder is a copy of {world.project}, whose machines these are" in ran.said
        assert ran.said.endswith(f"rm -r {copy}/.vagrant")
    assert world.guests == before


def test_a_vagrant_that_hangs_is_ended_in_time(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("up", "ana")
    monkeypatch.setattr("lab.machines.vagrant._AROUND_BOOT_S", 0.0)
    monkeypatch.setattr("lab.machines.vagrant._AROUND_BOOT_PER_MACHINE_S", 0.0)
    monkeypatch.setattr("lab.system.process.TERM_GRACE_S", 0.5)
    world.fault(
        vagrant__up={"hang": True, "stdout": "==> hello-luis: Booting...\n", "stderr": "so slow\n"}
    )

    ran = lab("up", "luis", "ana", "--boot-timeout", "1s", "--format", "json")

    assert ran.code == NOT_ALL_WELL
    ana, luis = ran.json["machines"]
    assert (ana["ok"], luis["ok"], luis["retry"]) == (True, False, "lab up hello/luis")
    assert "took longer than 1 s and was stopped" in luis["message"]
    assert luis["tail"] == ["so slow"]
    logs = world.project / ".lab/logs"
    assert "so slow" in (logs / "vagrant.log").read_text()
    assert "Booting..." in (logs / "hello-luis.log").read_text()
    assert gone(int((world.root / "hanging").read_text()))
    world.fault()
    assert lab("up", "luis").code == OK


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "raw",
    [b"==> hello-luis: \xff\xfe \xed\xa0\x80\n", b"\xc3", bytes(range(256)), b"\x80" * 100_000],
)
def test_a_vagrant_that_speaks_no_text_is_heard_all_the_same(
    lab: Lab, world: Any, raw: bytes
) -> None:
    lab("up", "ana")
    world.fault(vagrant__up={"raw_hex": raw.hex()})

    ran = lab("up", "luis", "--format", "json")

    assert ran.code == NOT_ALL_WELL
    [luis] = ran.json["machines"]
    assert (luis["ok"], luis["retry"]) == (False, "lab up hello/luis")
    assert raw in (world.project / ".lab/logs/vagrant.log").read_bytes()
    assert lab("logs", "luis").code in {OK, USAGE}
    assert lab("logs").code == OK
