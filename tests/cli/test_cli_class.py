"""The commands of a class, from labs.yaml to machines and back, on stub programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]


def status(lab: Lab, *targets: str) -> dict[str, str]:
    rows = lab("status", "--format", "json", *targets).json["machines"]
    return {row["machine"]: row["state"] for row in rows}


def test_a_class_from_nothing_to_nothing(lab: Lab, world: Any) -> None:
    assert status(lab) == dict.fromkeys(("hello-ana", "hello-luis", "hello-marta"), "missing")
    up = lab("up")
    assert up.code == OK
    assert all(login in up.out for login in ("ana", "luis", "marta"))
    assert set(world.guests.values()) == {"RUNNING"}
    assert world.boots == [
        [
            *("hello-ana", "hello-luis", "hello-marta"),
            *("--provider=lxc", "--no-provision", "--parallel"),
        ]
    ]
    assert set(status(lab).values()) == {"running"}

    again = lab("up", "--format", "json")
    assert again.code == OK
    assert [(it["ok"], it["changed"]) for it in again.json["machines"]] == [(True, False)] * 3
    assert len(world.boots) == 1

    assert lab("halt", "ana").code == OK
    assert world.guests == {
        "hello-ana": "STOPPED",
        "hello-luis": "RUNNING",
        "hello-marta": "RUNNING",
    }
    assert status(lab, "ana") == {"hello-ana": "stopped"}
    assert lab("up", "ana").code == OK
    assert world.guests["hello-ana"] == "RUNNING"

    gone = lab("destroy", "--yes", "l*")
    assert (gone.code, gone.out) == (OK, "")
    assert "Destroyed 1 machine." in gone.err
    assert list(world.guests) == ["hello-ana", "hello-marta"]
    assert lab("destroy", "--yes").code == OK
    assert lab("destroy", "--yes").code == OK
    assert world.guests == {}
    assert set(status(lab).values()) == {"missing"}


def test_what_all_share_is_done_once(lab: Lab, world: Any) -> None:
    assert lab("up").code == OK
    asked = [call[-1] for call in world.calls("ssh") if "bash $kit/run-steps" in call[-1]]
    with_web = [command for command in asked if " web:" in command]
    assert len(asked) == 4
    [where] = [call[2] for call in world.calls("ssh") if call[-1] == with_web[0]]
    assert where.startswith("labbake-")
    text = (world.project / "Vagrantfile").read_text()
    assert text.count("box: 'lab-bake/tiny-") == 3
    assert set(world.guests) == {"hello-ana", "hello-luis", "hello-marta"}
    lab("destroy", "--yes")
    before = len(world.calls("vagrant"))
    assert lab("up").code == OK
    assert len(world.calls("vagrant")) == before + 1


def test_a_shared_step_that_fails_is_told_for_all(lab: Lab, world: Any) -> None:
    world.fault(steps={"bake": "web"})
    ran = lab("up")
    assert ran.code == NOT_ALL_WELL
    assert "E: web does not work today" in ran.out
    assert "steps/web.sh" in "".join(ran.out.split())
    assert world.guests == {}
    world.fault()
    assert lab("up").code == OK


def test_status_is_told_as_agreed(lab: Lab, world: Any) -> None:
    lab("up", "ana", "luis")
    world.fault(steps={"hello-luis": "app"})
    lab("provision", "luis", "--force")
    ran = lab("status", "--format", "json")
    assert ran.code == OK
    assert ran.err == ""
    row = {"lab": "hello", "provider": "lxc", "steps_total": 2}
    assert ran.json == {
        "version": 1,
        "machines": [
            {
                **row,
                "login": "ana",
                "machine": "hello-ana",
                "state": "running",
                "ip": "127.0.0.3",
                "url": "http://tiny.ana.example.org/",
                "step": "app",
                "steps_done": 2,
            },
            {
                **row,
                "login": "luis",
                "machine": "hello-luis",
                "state": "failed",
                "ip": "127.0.0.4",
                "url": "http://tiny.luis.example.org/",
                "step": "app",
                "steps_done": 1,
            },
            {
                **row,
                "login": "marta",
                "machine": "hello-marta",
                "state": "missing",
                "ip": None,
                "url": None,
                "step": None,
                "steps_done": 0,
            },
        ],
    }
    names = ["lab", "login", "machine", "provider", "state", "ip", "url", "step"]
    assert [list(it) for it in ran.json["machines"]] == [[*names, "steps_done", "steps_total"]] * 3


def test_asking_changes_nothing(lab: Lab, world: Any) -> None:
    for words in (("validate",), ("status",), ("box", "list")):
        assert lab(*words).code == OK
    assert world.below() == []
    assert world.calls("vagrant") == []


def test_one_student_s_step_fails_alone(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-luis": "app"})
    ran = lab("up", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    ana, luis, marta = ran.json["machines"]
    assert (ana["ok"], luis["ok"], marta["ok"]) == (True, False, True)
    assert luis["failed_step"] == "app"
    assert luis["message"] == "step app ended with exit code 9"
    assert luis["tail"] == ["E: app does not work today"]
    assert luis["retry"] == "lab up hello/luis"
    assert "E: app does not work today" in Path(luis["log"]).read_text()
    world.fault()
    assert lab("up", "hello/luis").code == OK
    assert status(lab, "luis") == {"hello-luis": "running"}


def test_a_failure_is_told_with_the_command_that_goes_on(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-luis": "app"}, boot={"hello-marta": "No space left on device"})
    ran = lab("up")
    assert ran.code == NOT_ALL_WELL
    for told in ("lab up hello/luis", "lab up hello/marta", "E: app does not work today",
                 "No space left on device"):  # fmt: skip
        assert told in ran.said


def test_a_machine_that_cannot_be_reached_fails_alone(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.machines.kit.PATIENCE_S", 0.0)
    world.fault(unreachable=["hello-ana"])
    ran = lab("up", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [it["ok"] for it in ran.json["machines"]] == [False, True, True]
    assert ran.json["machines"][0]["message"] == "No SSH connection to hello-ana"


def test_a_vagrant_that_is_killed_fails_its_machines(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    world.fault(vagrant__up={"kill": True, "stdout": "==> hello-luis: Importing base box...\n"})
    ran = lab("up", "--no-bake", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [it["ok"] for it in ran.json["machines"]] == [True, False, False]
    assert "SIGKILL" in ran.json["machines"][1]["message"]
    world.fault()
    assert lab("up").code == OK


EVIL = "\x1b]52;c;AAAA\x07 \x1b[2J \x9b2J [red]x[/red] \u202e"


def inert(text: str) -> bool:
    return not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_vagrant_s_words_are_made_inert(lab: Lab, world: Any) -> None:
    world.fault(boot={"hello-ana": EVIL})
    table, data = lab("up"), lab("up", "--format", "json")
    assert "[red]x[/red]" in table.said
    assert all(inert(ran.out + ran.err) for ran in (table, data))


def test_a_log_s_words_are_made_inert(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    log = world.project / ".lab/logs/hello-ana.log"
    log.write_text(EVIL, encoding="utf-8")
    assert inert(lab("logs", "ana").out)


def test_one_step_by_force(lab: Lab, world: Any) -> None:
    lab("up")
    before = len(world.calls("ssh"))
    assert lab("provision", "ana", "--step", "app", "--force").code == OK
    asked = [call[-1] for call in world.calls("ssh")[before:] if "bash $kit/run-steps" in call[-1]]
    assert len(asked) == 1
    assert " app:" in asked[0]
    assert " web:" not in asked[0]
    assert "LAB_FORCE=1" in asked[0]


def test_provision_boots_nothing(lab: Lab, world: Any) -> None:
    ran = lab("provision", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert world.guests == {}
    assert {it["message"] for it in ran.json["machines"]} == {"there is no such machine"}


def test_machines_without_their_steps(lab: Lab, world: Any) -> None:
    assert lab("up", "--no-provision").code == OK
    assert not any("bash $kit/run-steps" in call[-1] for call in world.calls("ssh"))


@pytest.mark.parametrize("words", [("provision", "--step", "wab"), ("up", "anna")])
def test_a_wrong_word_changes_nothing(lab: Lab, world: Any, words: tuple[str, ...]) -> None:
    assert lab(*words).code == USAGE
    assert world.below() == []
    assert world.guests == {}


def test_a_student_who_has_left_is_an_orphan(lab: Lab, world: Any) -> None:
    lab("up")
    labs = world.project / "labs.yaml"
    labs.write_text(labs.read_text().replace(", marta]", "]"))
    assert status(lab) == {
        "hello-ana": "running",
        "hello-luis": "running",
        "hello-marta": "orphan",
    }
    # How many steps it would have, nobody knows any more.
    assert "2/?" in lab("status").out
    assert lab("destroy", "--yes").code == OK
    assert list(world.guests) == ["hello-marta"]
    assert lab("destroy", "--orphans").code == USAGE
    assert lab("destroy", "--orphans", "--yes").code == OK
    assert world.guests == {}


def test_a_machine_that_lab_did_not_make_is_left_alone(lab: Lab, world: Any) -> None:
    lab("up")
    (world.root / "guests" / "lab-000000-hello-ana").write_text("RUNNING 10.0.3.99")
    (world.root / "guests" / "precious-hello-ana").write_text("RUNNING 10.0.3.98")
    assert lab("destroy", "--yes").code == OK
    assert lab("destroy", "--orphans", "--yes").code == OK
    assert sorted(path.name for path in (world.root / "guests").iterdir()) == [
        "lab-000000-hello-ana",
        "precious-hello-ana",
    ]


def test_a_machine_deleted_behind_lab_is_made_anew(lab: Lab, world: Any) -> None:
    lab("up")
    world.lose("hello-ana")
    assert status(lab, "ana") == {"hello-ana": "missing"}
    assert lab("up").code == OK
    assert status(lab, "ana") == {"hello-ana": "running"}


def test_ssh_opens_the_student_s_own_account(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    assert lab("ssh", "ana").out == "ssh hello-ana.student\n"
    assert lab("ssh", "ana", "--admin", "--", "ls", "a b").out == "ssh hello-ana ls 'a b'\n"
    world.fault(remote=7)
    assert lab("ssh", "ana", "--", "false").code == 7
    stopped = lab("ssh", "luis")
    assert stopped.code == NOT_ALL_WELL
    assert "lab up hello/luis" in stopped.err


def test_who_is_let_in_before_all_steps_are_done_is_told(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-ana": "web"})
    lab("up", "ana")
    assert "lab up hello/ana goes on with them" in lab("ssh", "ana").err
    assert lab("ssh", "ana", "--admin").err == ""
    world.fault()
    lab("up", "ana")
    assert lab("ssh", "ana").err == ""


def test_logs_show_what_was_said(lab: Lab, world: Any) -> None:
    none = lab("logs")
    assert none.code == USAGE
    assert "lab up" in none.err
    world.fault(steps={"hello-ana": "web"})
    lab("up", "ana")
    ran = lab("logs", "ana", "-n", "3")
    assert ran.code == OK
    assert ran.out.startswith(f"== hello-ana ({world.project}/.lab/logs/hello-ana.log)\n")
    assert len(ran.out.splitlines()) == 4
    assert "E: web does not work today" in ran.out


def test_a_box_that_nobody_has_is_told_with_what_adds_it(lab: Lab, world: Any) -> None:
    labs = world.project / "labs.yaml"
    labs.write_text(labs.read_text().replace("box: debian-12", "box: school/base"))
    ran = lab("up")
    assert ran.code == HOST
    assert "lab box add school/base" in ran.said
    assert world.guests == {}


def test_the_vagrantfile_stands_beside_labs_yaml_and_stays_the_same(lab: Lab, world: Any) -> None:
    lab("up")
    file = world.project / "Vagrantfile"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    assert b"name: 'hello-ana'" in before[0]
    lab("up")
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_sample_to_start_with(lab: Lab, world: Any, tmp_path: Path) -> None:
    ran = lab("init", "other", "--box", "debian-12")
    assert (ran.code, ran.out) == (OK, "")
    assert "cd other && lab validate && lab up" in ran.err
    valid = lab("validate", "--file", "other/labs.yaml")
    assert valid.code == OK
    assert valid.out.startswith("hellopython: 3 students, guide hellopython (")
    assert valid.out.endswith("box debian-12\n")
    text = (world.project / "other" / "labs.yaml").read_text()
    again = lab("init", "other")
    assert again.code == USAGE
    assert "other/labs.yaml is there already" in again.err
    assert (world.project / "other" / "labs.yaml").read_text() == text


def test_validate_tells_each_lab(lab: Lab) -> None:
    assert lab("validate").out == "hello: 3 students, guide tiny (2 steps), box debian-12\n"


def test_flags_have_twins_in_the_environment(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_FILE", str(world.project / "labs.yaml"))
    monkeypatch.setenv("LAB_FORMAT", "json")
    assert json.loads(lab("status").out)["version"] == 1
    monkeypatch.setenv("LAB_YES", "1")
    assert lab("destroy").code == OK
