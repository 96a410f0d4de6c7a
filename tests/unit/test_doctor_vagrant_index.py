"""Vagrant's list of machines: damaged is not empty, and nothing is ever deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.machines.health import Health
from lab.machines.probes import vagrant_index

GOOD = {"version": 1, "machines": {"abc": {"name": "hello-ana"}}}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vagrant_index, "_A_WRITE_S", 0.0)
    path = vagrant_index.index_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose machine Vagrant has entered as `abc`."""
    folder = tmp_path / "class/.vagrant/machines/hello-ana/lxc"
    folder.mkdir(parents=True)
    (folder / "id").write_text("lab-c0ffee-hello-ana")
    (folder / "index_uuid").write_text("abc")
    return tmp_path / "class"


def test_no_list_yet(project: Path) -> None:
    assert vagrant_index.machine_index(project).outcome is Health.OK


def test_a_list_that_is_well(index: Path, project: Path) -> None:
    index.write_text(json.dumps(GOOD))
    verdict = vagrant_index.machine_index(project)
    assert (verdict.outcome, verdict.found) == (Health.OK, "Vagrant's list of machines has 1")
    assert not vagrant_index.is_damaged()


@pytest.mark.parametrize(
    "damage",
    [
        b'{"version":1,"machines":{"abc":{"na',
        b"\x00\xff\x17garbage",
        b"[]",
        b"{}",
        b'{"version":9,"machines":{}}',
        b'{"version":1,"machines":[]}',
    ],
)
def test_a_damaged_list_is_moved_aside_and_kept(index: Path, damage: bytes) -> None:
    index.write_bytes(damage)
    verdict = vagrant_index.machine_index(None)
    assert verdict.outcome is Health.PROBLEM
    assert str(index) in verdict.found
    [command] = verdict.commands
    command.run()
    [kept] = index.parent.glob("index.damaged-*")
    assert kept.read_bytes() == damage
    assert vagrant_index.machine_index(None).outcome is Health.OK


@pytest.mark.parametrize("half", ["", '{"version":1,"machines":{"abc":{"na'])
def test_a_list_that_is_just_being_written_is_well(
    index: Path, project: Path, half: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.write_text(half)
    waited: list[float] = []

    def write_the_rest(seconds: float) -> None:
        waited.append(seconds)
        index.write_text(json.dumps(GOOD))

    monkeypatch.setattr(vagrant_index.process, "pause", write_the_rest)
    assert vagrant_index.machine_index(project).outcome is Health.OK
    assert len(waited) == 1


def test_an_empty_list_beside_machines_is_not_no_machines(index: Path, project: Path) -> None:
    index.touch()
    assert vagrant_index.machine_index(None).outcome is Health.OK
    verdict = vagrant_index.machine_index(project)
    assert verdict.outcome is Health.NOTE
    assert "hello-ana" in verdict.found


def test_a_list_that_lacks_a_machine_of_this_folder(index: Path, project: Path) -> None:
    index.write_text(json.dumps({"version": 1, "machines": {}}))
    verdict = vagrant_index.machine_index(project)
    assert verdict.outcome is Health.NOTE
    assert "lacks hello-ana" in verdict.found
    (project / ".vagrant/machines/hello-ana/lxc/id").unlink()
    assert vagrant_index.machine_index(project).outcome is Health.OK
