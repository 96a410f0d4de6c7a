"""Resets: what is refused, what is asked, what each machine ends with, and what becomes of marks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE
from tests.cli.disks import identity, names, read

Lab = Callable[..., Any]


@pytest.mark.usefixtures("up")
def test_a_reset_machine_is_fresh_another_one_and_its_work_is_kept(lab: Lab, world: Any) -> None:
    before = {login: identity(world, login) for login in ("ana", "luis")}
    [there] = lab("status", "ana", "--format", "json").json["machines"]
    ran = lab("reset", "ana", "--format", "json")
    assert ran.code == OK
    [ana] = ran.json["machines"]
    assert (ana["login"], ana["ok"], ana["changed"]) == ("ana", True, True)
    assert (read(world, "ana"), read(world, "luis")) == ("", "work")
    assert identity(world, "luis") == before["luis"]
    assert identity(world, "ana") != before["ana"]
    [(_, name)] = names(lab)
    assert name == "before-reset-99999999-999999"
    assert lab("plan", "ana", "--format", "json").json["machines"][0]["label"] == "ok"
    assert lab("status", "ana", "--format", "json").json["machines"] == [there]

    kept = lab("snapshot", "list", "--format", "json").json["snapshots"][0]["name"]
    assert ran.err.endswith(f"What ana had: lab snapshot restore {kept} ana\n")
    ran = lab("snapshot", "restore", kept, "ana")
    assert ran.code == OK
    assert (read(world, "ana"), identity(world, "ana")) == ("work", before["ana"])
    assert "the snapshot is of another machine, of before or after a reset: hello/ana" in ran.said


@pytest.mark.usefixtures("up")
def test_only_a_reset_of_many_or_for_good_is_asked_for(lab: Lab, world: Any) -> None:
    for words in (("*",), ("hello",), ("ana", "luis"), ("ana", "--discard")):
        ran = lab("reset", *words)
        assert ran.code == USAGE
        assert "This would reset hello-ana" in ran.said
    assert lab("reset").code == USAGE
    assert read(world, "ana") == "work"
    assert lab("reset", "ana", "luis", "--yes").code == OK
    assert lab("reset", "marta", "--discard", "--yes").code == OK
    assert [login for login, _ in names(lab)] == ["ana", "luis"]


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("words", [("reset",), ("snapshot", "restore", "good")], ids=" ".join)
def test_a_machine_that_is_not_there_is_left_to_up(
    lab: Lab, world: Any, words: tuple[str, ...]
) -> None:
    lab("snapshot", "save", "good", "ana")
    # Of the guest, and not of what is beside it.
    next((world.root / "guests").glob("lab-*-hello-ana")).unlink()
    ran = lab(*words, "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [ana] = ran.json["machines"]
    assert (ana["message"], ana["retry"]) == ("it is not made yet", "lab up hello/ana")
    assert names(lab) == [("ana", "good")]
    assert "hello-ana" not in world.guests


@pytest.mark.usefixtures("up")
def test_a_machine_that_cannot_be_made_fresh_is_not_stopped_for_it(lab: Lab, world: Any) -> None:
    config = world.disk("hello-ana").parent / "config"
    config.write_text(config.read_text().replace("overlay:/root:", ""))
    # Nothing would be lost, so that nobody is asked.
    ran = lab("reset", "ana", "--discard", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [ana] = ran.json["machines"]
    assert "is no clone that shares a box of lab's" in ana["message"]
    assert ana["retry"] == "lab up --recreate hello/ana"
    assert not any("hello-" in word for call in world.calls("lxc-stop") for word in call)
    assert (world.guests["hello-ana"], read(world, "ana")) == ("RUNNING", "work")


@pytest.mark.usefixtures("up")
def test_a_step_that_fails_after_a_reset_is_what_up_goes_on_with(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-ana": "app"})
    ran = lab("reset", "hello", "--yes", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [it["ok"] for it in ran.json["machines"]] == [False, True, True]
    assert ran.json["machines"][0]["retry"] == "lab up hello/ana"
    world.fault()
    assert lab("up").code == OK
    assert len(names(lab)) == 3


@pytest.mark.usefixtures("up")
def test_a_reset_that_does_not_boot_is_undone_by_the_command_that_it_names(
    lab: Lab, world: Any
) -> None:
    world.fault(boot={"hello-ana": "it does not want to"})
    ran = lab("reset", "ana")
    assert ran.code == NOT_ALL_WELL
    assert "retry: lab up hello/ana" in ran.out
    [undo] = [line for line in ran.err.splitlines() if line.startswith("What ana had: lab ")]
    world.fault()
    undone = lab(*undo.split()[4:])
    assert (undone.code, read(world, "ana")) == (OK, "work")
    # Nothing was kept of a machine that never began.
    assert "What ana had" not in undone.err
    assert len(names(lab)) == 1


@pytest.mark.usefixtures("up")
def test_a_machine_of_another_box_than_now_is_not_reset(lab: Lab, world: Any) -> None:
    world.edit("box: debian-12", "box: debian-11")
    ran = lab("reset", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert "labs.yaml says debian-11" in ran.json["machines"][0]["message"]
    assert (read(world, "ana"), world.guests["hello-ana"]) == ("work", "RUNNING")
    assert names(lab) == []


@pytest.mark.usefixtures("up")
def test_a_class_that_does_not_fit_any_more_is_not_begun(lab: Lab, world: Any) -> None:
    lab("halt")
    world.limit(processes=2)
    ran = lab("reset", "hello", "--yes")
    assert ran.code == HOST
    assert names(lab) == []
    assert read(world, "ana") == "work"


@pytest.mark.usefixtures("up")
def test_machines_that_run_class_steps_again_are_told(lab: Lab, world: Any) -> None:
    assert "not clones of the class's bake" not in lab("reset", "ana").said
    (world.project / "provision/tiny/steps/web.sh").write_text("echo another\n")
    assert "their class steps run again: hello/ana" in lab("reset", "ana").said


@pytest.mark.usefixtures("up")
def test_whose_attempts_count_no_more_is_told_and_a_restore_brings_them_back(
    lab: Lab, world: Any, keep: Callable[..., Path]
) -> None:
    keep(ana="pp", identity=f"lxc:{identity(world, 'ana')}")
    keep(luis="pf", identity=f"lxc:{identity(world, 'luis')}")

    def marks() -> dict[str, float | None]:
        ran = lab("grades", "--format", "json")
        return {it["login"]: it["mark"] for it in ran.json["grades"]}

    assert marks() == {"ana": 10, "luis": 5, "marta": None}
    ran = lab("reset", "ana", "marta", "--yes")
    assert "What was verified of hello/ana stays in `lab history`" in ran.said
    [name] = {it["name"] for it in lab("snapshot", "list", "--format", "json").json["snapshots"]}
    assert f"when it is put back: lab snapshot restore {name} hello/ana." in ran.said
    assert ran.err.endswith(f"What they had: lab snapshot restore {name} ana marta\n")
    assert marks() == {"ana": None, "luis": 5, "marta": None}
    keep(hour=2, ana="pf", identity=f"lxc:{identity(world, 'ana')}")
    assert marks() == {"ana": 5, "luis": 5, "marta": None}
    ran = lab("snapshot", "restore", name, "ana")
    assert ran.code == OK
    assert "makes no mark from now on but with `lab grades --at MOMENT`: hello/ana" in ran.said
    assert "the one that is there now counts again: hello/ana" in ran.said
    assert marks() == {"ana": 10, "luis": 5, "marta": None}


@pytest.mark.usefixtures("up")
def test_machines_that_could_not_be_kept_apart_any_more_are_not_stopped(
    lab: Lab, world: Any
) -> None:
    (world.root / "bin" / "isolate").write_text("#!/bin/sh\necho 'no such family' >&2\nexit 1\n")
    ran = lab("reset", "hello", "--yes")
    assert ran.code == HOST
    assert "cannot be kept apart" in ran.err
    assert names(lab) == []
    assert set(world.guests.values()) == {"RUNNING"}
    assert read(world, "ana") == "work"
