"""Snapshots: what is refused, what is asked, and what each machine ends with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE, HostError
from lab.machines.providers.kept_disks import KeptDisks
from tests.cli.conftest import write_program
from tests.cli.disks import identity, names, read, write

Lab = Callable[..., Any]


@pytest.mark.usefixtures("up")
def test_what_is_saved_is_listed_with_its_size(lab: Lab) -> None:
    ran = lab("snapshot", "save", "good", "ana", "luis")
    assert (ran.code, ran.out) == (OK, "")
    assert "Saved 2 machines as good." in ran.err
    document = lab("snapshot", "list", "--format", "json").json
    assert document["version"] == 1
    rows = [
        {
            "lab": "hello",
            "login": login,
            "machine": f"hello-{login}",
            "name": "good",
            "created": row["created"],
            "size_mb": 1,
        }
        for login, row in zip(("ana", "luis"), document["snapshots"], strict=True)
    ]
    assert document["snapshots"] == rows
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", it["created"]) for it in rows)
    assert "2 snapshots, 2 MB" in lab("snapshot", "list").said


def test_a_class_without_snapshots_is_told_how_to_make_one(lab: Lab) -> None:
    assert "There are no snapshots yet. Next: lab snapshot save NAME" in lab("snapshot", "list").out


@pytest.mark.parametrize("name", ["../x", "a/b", ".good", "Good", "-good", "", "a b", "x" * 41])
@pytest.mark.parametrize("command", ["save", "restore"])
def test_what_is_no_name_is_refused(lab: Lab, command: str, name: str) -> None:
    ran = lab("snapshot", command, "--", name)
    assert ran.code == USAGE
    assert "is no name for a snapshot" in ran.said


@pytest.mark.usefixtures("up")
def test_a_name_that_is_there_is_replaced_only_when_that_is_said(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana")
    write(world, "ana", "better")
    ran = lab("snapshot", "save", "good")
    assert ran.code == USAGE
    assert "There is a snapshot good already of ana" in ran.said
    assert names(lab) == [("ana", "good")]
    assert lab("snapshot", "save", "good", "--force").code == OK
    assert names(lab) == [("ana", "good"), ("luis", "good"), ("marta", "good")]
    write(world, "ana", "worse")
    assert lab("snapshot", "restore", "good", "ana").code == OK
    assert read(world, "ana") == "better"


@pytest.mark.parametrize("name", ["ana", "hello"])
def test_everybody_is_not_saved_under_the_name_of_a_student_or_a_lab(lab: Lab, name: str) -> None:
    ran = lab("snapshot", "save", name)
    assert ran.code == USAGE
    assert f"The snapshot's name comes first: lab snapshot save NAME {name}" in ran.said


@pytest.mark.usefixtures("up")
def test_one_that_cannot_be_saved_stops_no_other(lab: Lab, world: Any) -> None:
    world.lose("hello-luis")
    ran = lab("snapshot", "save", "good")
    assert ran.code == NOT_ALL_WELL
    assert "Saved 2 of 3 machines; not these: hello-luis" in ran.said
    assert "hello-luis: there is no such machine" in ran.said
    assert "lab snapshot save good hello/luis" in ran.said
    assert names(lab) == [("ana", "good"), ("marta", "good")]


@pytest.mark.usefixtures("up")
def test_what_is_restored_is_as_it_was_and_what_was_there_is_kept(lab: Lab, world: Any) -> None:
    before = identity(world, "ana")
    lab("snapshot", "save", "good")
    for login in ("ana", "luis"):
        write(world, login, "broken")
    ran = lab("snapshot", "restore", "good", "ana", "--format", "json")
    assert ran.code == OK
    [ana] = ran.json["machines"]
    assert (ana["login"], ana["ok"], ana["changed"]) == ("ana", True, True)
    assert (read(world, "ana"), read(world, "luis")) == ("work", "broken")
    assert identity(world, "ana") == before
    assert world.guests["hello-ana"] == "RUNNING"
    assert names(lab, "ana") == [("ana", "good"), ("ana", "before-restore-99999999-999999")]
    # No step has run, and lab knows how far they are.
    assert [row["label"] for row in lab("plan", "--format", "json").json["machines"]] == ["ok"] * 3
    assert lab("status", "ana", "--format", "json").json["machines"][0]["steps_done"] == 2


@pytest.mark.usefixtures("up")
def test_what_is_dropped_is_asked_for(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good")
    write(world, "ana", "broken")
    ran = lab("snapshot", "restore", "good", "ana", "--discard")
    assert ran.code == USAGE
    assert "This would restore hello-ana, and there is nobody here to ask" in ran.said
    assert read(world, "ana") == "broken"
    ran = lab("snapshot", "restore", "good")
    assert ran.code == USAGE
    assert (
        "This would restore hello-ana, hello-luis, hello-marta, and there is nobody here to ask"
        in ran.said
    )
    assert read(world, "ana") == "broken"
    ran = lab("snapshot", "restore", "good", "ana", "--discard", "--yes")
    assert (ran.code, "What ana had" in ran.said) == (OK, False)
    assert read(world, "ana") == "work"
    assert names(lab, "ana") == [("ana", "good")]


@pytest.mark.usefixtures("up")
def test_a_snapshot_that_nobody_has_changes_nothing(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "before-exam", "ana")
    for words in (("restore", "before-exams"), ("delete", "before-exams")):
        ran = lab("snapshot", *words)
        assert ran.code == USAGE
        assert (
            "No machine here has a snapshot 'before-exams'; did you mean before-exam?" in ran.said
        )
    assert set(world.guests.values()) == {"RUNNING"}


@pytest.mark.usefixtures("up")
def test_who_has_no_such_snapshot_is_left_alone(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana", "luis")
    write(world, "marta", "more")
    ran = lab("snapshot", "restore", "good", "--yes", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [(it["login"], it["ok"], it["message"]) for it in ran.json["machines"]] == [
        ("ana", True, ""),
        ("luis", True, ""),
        ("marta", False, "left as it is: it has no snapshot good"),
    ]
    assert (world.guests["hello-marta"], read(world, "marta")) == ("RUNNING", "more")


@pytest.mark.usefixtures("up")
def test_services_that_do_not_come_back_are_named(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana")
    world.fault(services="down nginx.service\ndown hellopython")
    ran = lab("snapshot", "restore", "good", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [ana] = ran.json["machines"]
    assert ana["message"] == "it runs, but for nginx.service, hellopython"
    assert ana["retry"] == "lab ssh hello/ana --admin"


@pytest.mark.usefixtures("up")
def test_services_that_take_too_long_are_told(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana")
    world.fault(services="late slow.service")
    ran = lab("snapshot", "restore", "good", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [ana] = ran.json["machines"]
    assert ana["message"] == "hello-ana has not started all of its services in 120 s"
    assert ana["tail"] == ["slow.service"]


@pytest.mark.usefixtures("up")
def test_a_restored_machine_that_does_not_boot_goes_on_without_steps(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana", "luis")
    world.fault(boot={"hello-ana": "it does not want to"})
    ran = lab("snapshot", "restore", "good", "ana", "luis", "--yes", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    ana, luis = ran.json["machines"]
    assert (ana["ok"], ana["retry"]) == (False, "lab up --no-provision hello/ana")
    assert luis["ok"] is True
    world.fault()
    assert lab(*ana["retry"].split()[1:]).code == OK
    assert (world.guests["hello-ana"], read(world, "ana")) == ("RUNNING", "work")


@pytest.mark.usefixtures("up")
def test_one_of_another_box_than_now_keeps_the_command_that_helps_it(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana")
    world.edit("box: debian-12", "box: debian-11")
    ran = lab("snapshot", "restore", "good", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [it["retry"] for it in ran.json["machines"]] == ["lab up --recreate hello/ana"]


@pytest.mark.usefixtures("up")
def test_steps_that_the_snapshot_has_not_are_told(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana")
    (world.project / "provision/tiny/steps/app.sh").write_text("echo another\n")
    ran = lab("snapshot", "restore", "good", "ana")
    assert ran.code == OK
    assert (
        "steps that are newer than the snapshot, or that it has not: lab up hello/ana" in ran.said
    )
    [ana] = lab("plan", "ana", "--format", "json").json["machines"]
    assert ana["label"] == "drifted"


@pytest.mark.usefixtures("up")
def test_what_students_changed_before_the_snapshot_is_not_called_out_of_date(
    lab: Lab, world: Any
) -> None:
    lab("snapshot", "save", "good", "ana")
    world.fault(altered={"hello-ana": "app"})
    ran = lab("snapshot", "restore", "good", "ana")
    assert ran.code == OK
    assert "newer than the snapshot" not in ran.said
    assert (
        "as it was saved, what these steps own differs from the guide; lab up would put the "
        "guide's own in its place: hello/ana (app)" in ran.said
    )


@pytest.mark.usefixtures("up")
def test_a_machine_that_does_not_stop_keeps_what_it_has(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good")
    write(world, "ana", "more")
    world.fault(**{"lxc-stop": {"code": 1, "stderr": "lxc-stop: it does not want to"}})
    ran = lab("snapshot", "restore", "good", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [ana] = ran.json["machines"]
    assert (ana["ok"], ana["retry"]) == (False, "lab snapshot restore good hello/ana")
    assert read(world, "ana") == "more"


@pytest.mark.usefixtures("up")
def test_snapshots_are_deleted_by_name_and_by_pattern(lab: Lab) -> None:
    for name in ("one", "two", "three"):
        lab("snapshot", "save", name, "ana", "luis")
    ran = lab("snapshot", "delete", "one")
    assert ran.code == USAGE
    assert "This would delete one of 2 machines, and there is nobody here to ask" in ran.said
    assert "Removed 1 snapshot: one." in lab("snapshot", "delete", "one", "ana", "--yes").err
    assert "Removed 4 snapshots: two, three." in lab("snapshot", "delete", "t*", "--yes").err
    ran = lab("snapshot", "delete", "on*x", "--yes")
    assert (ran.code, "did you mean" in ran.said) == (USAGE, False)
    assert names(lab) == [("luis", "one")]


@pytest.mark.usefixtures("up")
def test_a_machine_that_could_not_be_put_back_runs_again_and_is_what_it_was(
    lab: Lab, world: Any
) -> None:
    lab("snapshot", "save", "good", "ana", "luis")
    for login in ("ana", "luis"):
        write(world, login, "more")
    (world.disk("hello-ana").parent / "snapshots/good/seeded").unlink()
    ran = lab("snapshot", "restore", "good", "ana", "luis", "--yes", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    ana, luis = ran.json["machines"]
    assert ana["message"].endswith("hello-ana could not be put back to good")
    assert (ana["ok"], ana["retry"]) == (False, "lab snapshot restore good hello/ana")
    # There is room.
    assert "lab snapshot delete" not in "".join(ana["tail"])
    assert (luis["ok"], read(world, "luis")) == (True, "work")
    assert (world.guests["hello-ana"], read(world, "ana")) == ("RUNNING", "more")
    assert lab("status", "ana", "--format", "json").json["machines"][0]["steps_done"] == 2


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize(
    "words",
    [
        ("snapshot", "list"),
        ("snapshot", "save", "good"),
        ("snapshot", "restore", "good"),
        ("snapshot", "delete", "good"),
        ("reset", "hello"),
    ],
    ids=" ".join,
)
def test_a_provider_without_snapshots_says_so_before_anything_else(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def none(_: object) -> None:
        raise HostError("not with this provider")

    monkeypatch.setattr(KeptDisks, "require_snapshots", none)
    ran = lab(*words)
    assert (ran.code, ran.out) == (HOST, "")
    assert "not with this provider" in ran.said
    assert not any("hello-" in word for call in world.calls("lxc-stop") for word in call)


@pytest.mark.usefixtures("up")
def test_what_is_told_to_be_halted_first_can_be(lab: Lab, world: Any) -> None:
    guest = next((world.root / "guests").glob("lab-*-hello-ana"))
    guest.write_text(guest.read_text().replace("RUNNING", "FROZEN"))
    ran = lab("snapshot", "save", "good", "ana")
    assert ran.code == NOT_ALL_WELL
    assert "is FROZEN. Next: lab halt, and the same again" in ran.said
    assert "Stopped 1 machine." in lab("halt", "ana").err
    # It hears that it is to stop.
    assert world.calls("lxc-unfreeze") == [["--name", guest.name]]
    assert lab("snapshot", "save", "good", "ana").code == OK


@pytest.mark.usefixtures("up")
def test_where_the_disk_has_no_room_nothing_is_copied_and_what_makes_some_is_said(
    lab: Lab, world: Any
) -> None:
    lab("snapshot", "save", "good", "ana")
    write_program(world.root / "bin" / "df", "echo 4000M")
    for words in (("save", "better"), ("restore", "good", "ana")):
        ran = lab("snapshot", *words)
        assert ran.code == NOT_ALL_WELL
        assert "4000 MB are free, of which 4096 MB stay so" in ran.said
        assert "`lab snapshot delete` makes some" in ran.said
    assert set(world.guests.values()) == {"RUNNING"}
    assert names(lab) == [("ana", "good")]


@pytest.mark.usefixtures("up")
def test_what_hinders_all_from_booting_hides_nobody_who_could_not_be_put_back(
    lab: Lab, world: Any
) -> None:
    lab("snapshot", "save", "good", "ana", "luis")
    (world.disk("hello-ana").parent / "snapshots/good/seeded").unlink()
    world.fault(vagrant__up={"code": 1, "stderr": "Vagrant is not well\n"})
    ran = lab("snapshot", "restore", "good", "ana", "luis", "--yes", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    ana, luis = ran.json["machines"]
    assert ana["message"].endswith("hello-ana could not be put back to good")
    assert ana["retry"] == "lab snapshot restore good hello/ana"
    assert "it could not be booted again either:" in ana["tail"]
    assert (luis["ok"], luis["retry"]) == (False, "lab up --no-provision hello/luis")
    for it in (ana, luis):
        assert "Vagrant is not well" in it["tail"]
    assert "What luis had: lab snapshot restore before-restore-" in ran.err


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        (("reset",), "lab up"),
        (("snapshot", "restore", "good"), "lab up --no-provision"),
    ],
    ids=["reset", "restore"],
)
def test_what_hinders_all_from_booting_is_told_once_with_how_it_goes_on_and_the_undo(
    lab: Lab, world: Any, words: tuple[str, ...], goes_on: str
) -> None:
    lab("snapshot", "save", "good")
    # Only when it is done: what can be found out before is, and nothing is changed then.
    (world.root / "bin" / "isolate").write_text(
        "#!/bin/sh\n[ \"$1\" = --check ] && exit\necho 'no such family' >&2\nexit 1\n"
    )
    ran = lab(*words, "ana", "luis", "--yes")
    assert (ran.code, ran.out) == (HOST, "")
    assert ran.err.count("no such family") == 1
    assert f"{goes_on} hello/ana hello/luis\n" in ran.err
    assert "What they had: lab snapshot restore before-re" in ran.err


@pytest.mark.usefixtures("up")
def test_what_is_to_be_replaced_is_so_in_the_next_command_too(lab: Lab, world: Any) -> None:
    world.lose("hello-luis")
    assert (
        "lab snapshot save --force good hello/luis"
        in lab("snapshot", "save", "good", "--force").said
    )


@pytest.mark.usefixtures("up")
def test_the_undo_names_those_who_have_something_to_go_back_to(lab: Lab, world: Any) -> None:
    lab("snapshot", "save", "good", "ana", "luis")
    ran = lab("snapshot", "restore", "good", "--yes")
    assert ran.code == NOT_ALL_WELL
    [undo] = [line for line in ran.err.splitlines() if line.startswith("What they had: ")]
    words = undo.split()[4:]
    assert (words[:2], words[3:]) == (["snapshot", "restore"], ["ana", "luis"])
    assert lab(*words, "--yes").code == OK


@pytest.mark.usefixtures("up")
def test_snapshots_go_with_their_machine(lab: Lab) -> None:
    lab("snapshot", "save", "good")
    assert lab("destroy", "ana", "--yes").code == OK
    lab("up", "ana")
    assert names(lab) == [("luis", "good"), ("marta", "good")]
