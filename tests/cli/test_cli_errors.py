"""What goes wrong: the exit code, the words, and the command that mends it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import BUG, HOST, NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]
ALL = ("validate", "up", "provision", "verify", "status", "logs", "halt", "destroy")


@pytest.mark.parametrize("command", ALL)
def test_without_labs_yaml_there_is_a_command_that_writes_one(
    lab: Lab, world: Any, command: str
) -> None:
    (world.project / "labs.yaml").unlink()
    ran = lab(command)
    assert (ran.code, ran.out) == (USAGE, "")
    assert f"There is no labs.yaml in {world.project}" in ran.said
    assert "lab init" in ran.err


def test_halt_in_a_wrong_folder_leaves_nothing_there(lab: Lab, world: Any) -> None:
    (world.project / "labs.yaml").unlink()
    assert lab("halt").code == USAGE
    assert world.below() == []


@pytest.mark.parametrize("command", sorted(set(ALL) - {"halt"}))
def test_in_a_wrong_folder_nothing_is_left(lab: Lab, world: Any, command: str) -> None:
    (world.project / "labs.yaml").unlink()
    lab(command)
    assert world.below() == []


@pytest.mark.parametrize("command", ALL)
def test_a_wrong_labs_yaml_is_told_with_its_place(lab: Lab, world: Any, command: str) -> None:
    labs = world.project / "labs.yaml"
    labs.write_text(labs.read_text().replace("guide: tiny", "guid: tiny").replace("luis", "0x0"))
    ran = lab(command)
    assert (ran.code, ran.out) == (USAGE, "")
    assert "labs.yaml:4:5: " in ran.err
    assert "did you mean `guide`?" in ran.err
    assert "0x0" in ran.err
    assert re.search(r"^ +\^+$", ran.err, re.MULTILINE)
    assert "lab validate" in ran.err
    assert world.guests == {}


@pytest.mark.parametrize("command", sorted(set(ALL) - {"validate"}))
def test_an_unknown_target_is_told_with_what_comes_near(lab: Lab, world: Any, command: str) -> None:
    ran = lab(command, "anna")
    assert ran.code == USAGE
    assert "No lab and no student is called 'anna'; did you mean ana?" in ran.said
    assert "lab status" in ran.err
    assert world.calls("vagrant") == []


def test_an_unknown_guide_is_told_with_the_known_ones(lab: Lab, world: Any) -> None:
    labs = world.project / "labs.yaml"
    labs.write_text(labs.read_text().replace("guide: tiny", "guide: tinny"))
    ran = lab("validate")
    assert ran.code == USAGE
    assert "There is no guide called `tinny`; did you mean `tiny`?" in ran.said


@pytest.mark.parametrize("words", [("destroy",), ("destroy", "ana"), ("destroy", "--yes", "anna")])
def test_nothing_is_destroyed_unasked(lab: Lab, world: Any, words: tuple[str, ...]) -> None:
    lab("up", "ana")
    ran = lab(*words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert world.guests == {"hello-ana": "RUNNING"}
    assert "--yes" in words or ("hello-ana" in ran.err and "--yes" in ran.err)


@pytest.mark.parametrize(
    ("program", "hint"),
    [("vagrant", "vagrant-lxc"), ("lxc-create", "apt-get install"), ("ssh", "openssh-client")],
)
def test_a_program_that_is_missing_is_told_with_what_installs_it(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch, program: str, hint: str
) -> None:
    (world.root / "bin" / program).unlink()
    monkeypatch.setenv("PATH", str(world.root / "bin"))
    for command in ("up", "status", "verify"):
        ran = lab(command)
        assert (ran.code, ran.out) == (HOST, "")
        assert f"`{program}` is not installed" in ran.said
        assert hint in ran.err
    assert world.below() == []


def test_a_bridge_that_is_down_is_told_with_what_starts_it(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.machines.providers.lxc.BRIDGE", "no-such-bridge")
    monkeypatch.setattr("lab.machines.providers.lxc_net._SYSTEMD", tmp_path)
    monkeypatch.setattr("lab.machines.providers.lxc_net._RUN", tmp_path)
    ran = lab("up")
    assert ran.code == HOST
    assert "systemctl start lxc-net" in ran.err


def test_a_bridge_whose_name_server_is_gone_is_told_before_anything_is_made(
    lab: Lab, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network_up").touch()
    monkeypatch.setattr("lab.machines.providers.lxc_net._RUN", tmp_path)
    lab("up", "ana")
    made = world.calls("vagrant")
    monkeypatch.setattr("lab.machines.providers.lxc_net.answers", lambda _: False)
    labs_yaml = world.project / "labs.yaml"
    text = labs_yaml.read_text(encoding="utf-8")
    for internet in ("on", "off"):
        changed = text.replace("labs:", f"defaults: {{internet: {internet}}}\nlabs:", 1)
        labs_yaml.write_text(changed, encoding="utf-8")
        for words in (("up",), ("up", "--recreate", "--yes"), ("bake",)):
            ran = lab(*words)
            assert ran.code == HOST
            assert "The DHCP and DNS server of lo does not answer at 127.0.0.1" in ran.err
            assert "lxc-net" in ran.err
    assert world.calls("vagrant") == made
    labs_yaml.write_text(text, encoding="utf-8")
    # What runs already goes on as well as it can.
    assert lab("up", "ana").code == OK


def test_an_lxc_that_does_not_answer_is_no_empty_class(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    world.fault(**{"lxc-ls": {"stderr": "lxc-ls: permission denied\n"}})
    for command in ("status", "up", "halt", "verify"):
        ran = lab(command)
        assert (ran.code, ran.out) == (NOT_ALL_WELL, "")
        assert "lxc-ls: permission denied" in ran.err
    assert lab("destroy", "--yes").code == NOT_ALL_WELL
    assert [call for call in world.calls("vagrant") if call[0] != "up"] == []


@pytest.mark.parametrize("said", ["The machine index is corrupt", "the machine index is locked"])
def test_a_damaged_machine_index_deletes_nothing(lab: Lab, world: Any, said: str) -> None:
    lab("up", "ana")
    world.fault(vagrant__up={"stderr": said}, vagrant__halt={"stderr": said})
    for words in (("up", "--no-bake"), ("halt",)):
        ran = lab(*words)
        assert ran.code == NOT_ALL_WELL
        assert "machine index" in ran.said
        assert ".vagrant.d/data/machine-index" in ran.said
    assert world.guests == {"hello-ana": "RUNNING"}


@pytest.mark.parametrize("file", ["project.json", "machines/hello-ana.json"])
@pytest.mark.parametrize("content", ["", '{"id": "c0f'])
def test_a_damaged_memory_is_made_anew_from_what_there_is(
    lab: Lab, world: Any, file: str, content: str
) -> None:
    lab("up", "ana")
    path = world.project / ".lab" / "state" / file
    good = json.loads(path.read_text())
    path.write_text(content)
    [row] = lab("status", "ana", "--format", "json").json["machines"]
    assert row["state"] == "running"
    again = lab("up", "ana", "--format", "json")
    assert [(it["ok"], it["changed"]) for it in again.json["machines"]] == [(True, False)]
    unknown = {"made_of": "", "size": ""}
    assert {**json.loads(path.read_text()), **unknown} == {**good, **unknown}
    assert world.guests == {"hello-ana": "RUNNING"}


def test_a_damaged_memory_that_nothing_tells_anew_is_told(lab: Lab, world: Any) -> None:
    lab("status")
    path = world.project / ".lab" / "state" / "project.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"id": "c0f')
    ran = lab("status")
    assert ran.code == NOT_ALL_WELL
    assert f"{path} is damaged" in ran.said
    assert f"mv {path} {path}.damaged" in ran.said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_may_not_be_written_is_named(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    (world.project / ".lab" / "state").chmod(0o500)
    ran = lab("up")
    (world.project / ".lab" / "state").chmod(0o700)
    assert ran.code == NOT_ALL_WELL
    assert ".lab/state" in ran.err


def test_a_file_in_the_place_of_lab_s_folder_is_named(lab: Lab, world: Any) -> None:
    (world.project / ".lab").touch()
    ran = lab("up")
    assert ran.code == NOT_ALL_WELL
    assert ".lab" in ran.err


def test_a_bug_is_called_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("lab.workflow.status.status", broken)
    ran = lab("status")
    assert (ran.code, ran.out) == (BUG, "")
    assert "KeyError: 'oops'" in ran.err
    assert "This is a bug in lab" in ran.err


@pytest.mark.parametrize(
    "name", ["Ana #{File.write('p','x')}", "$(touch p)", "`touch p`", "'; touch p; '"]
)
def test_a_hostile_name_has_no_effect(lab: Lab, world: Any, name: str) -> None:
    labs = world.project / "labs.yaml"
    quoted = name.replace("'", "''")
    labs.write_text(labs.read_text().replace("Ana Núñez", f"'{quoted}'"))
    for words in (("validate",), ("up", "ana"), ("status",), ("destroy", "--yes")):
        assert lab(*words).code == 0
    assert not list(world.project.rglob("p"))


@pytest.mark.parametrize("login", ["../../x", "a/b", ".", '"a\\nb"', "-a", "root"])
def test_a_login_that_is_a_path_makes_nothing(lab: Lab, world: Any, login: str) -> None:
    labs = world.project / "labs.yaml"
    labs.write_text(labs.read_text().replace("luis", login))
    assert lab("up").code == USAGE
    assert world.below() == []


def test_a_vagrantfile_of_somebody_s_is_not_lost(lab: Lab, world: Any) -> None:
    own = world.project / "Vagrantfile"
    own.write_text("# An afternoon of work\n")
    lab("up", "ana")
    kept = [path.read_text() for path in world.project.glob("Vagrantfile*")]
    assert "# An afternoon of work\n" in kept
