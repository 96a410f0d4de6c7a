"""Only what was confirmed is destroyed, what can be made again is made anew, what failed is retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.cli import options
from lab.errors import HOST, NOT_ALL_WELL, OK

Lab = Callable[..., Any]


@pytest.fixture
def meanwhile(world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Has labs.yaml edited while the next lab waits for its lock."""
    locked = options.locked

    def edit_then(old: str, new: str) -> None:
        @contextmanager
        def waited(*words: Any) -> Iterator[None]:
            world.edit(old, new)
            monkeypatch.setattr(options, "locked", locked)
            with locked(*words):
                yield

        monkeypatch.setattr(options, "locked", waited)

    return edit_then


def test_only_what_was_confirmed_is_destroyed(
    lab: Lab, world: Any, meanwhile: Callable[[str, str], None]
) -> None:
    lab("up")
    world.edit(", marta]", "]")
    meanwhile("luis]", "luis, marta]")
    assert lab("destroy", "--yes", "--wait", "5s").code == OK
    assert list(world.guests) == ["hello-marta"]


def test_only_orphans_that_were_confirmed_are_destroyed(
    lab: Lab, world: Any, meanwhile: Callable[[str, str], None]
) -> None:
    lab("up")
    world.edit(", marta]", "]")
    meanwhile(", luis]", "]")
    assert lab("destroy", "--orphans", "--yes", "--wait", "5s").code == OK
    assert list(world.guests) == ["hello-ana", "hello-luis"]


def test_a_wrong_box_destroys_nothing_that_could_not_be_made_again(lab: Lab, world: Any) -> None:
    lab("up")
    before = world.guests
    world.edit("box: debian-12", "box: school/base")
    ran = lab("up", "--recreate", "--yes")
    assert ran.code == HOST
    assert "lab box add school/base" in ran.said
    assert world.guests == before
    assert (world.project / ".lab/ssh/hello-ana/admin").exists()


def test_without_room_for_all_nothing_is_destroyed(lab: Lab, world: Any) -> None:
    lab("up", "ana", "luis")
    (world.project / "provision/tiny/steps/app.sh").write_text("echo other\n")
    world.limit(memory=100)
    ran = lab("up", "--recreate", "--yes")
    assert ran.code == HOST
    assert "needs 512 MB, 100 MB are free" in ran.said
    assert world.calls("vagrant")[-1][0] == "up"
    assert set(world.guests) == {"hello-ana", "hello-luis"}


def test_what_there_is_no_room_for_is_not_destroyed(lab: Lab, world: Any) -> None:
    lab("up", "ana", "luis")
    lab("halt", "ana")
    (world.project / "provision/tiny/steps/app.sh").write_text("echo other\n")
    world.limit(memory=100)
    ran = lab("up", "--recreate", "--yes", "--fit", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert [(it["login"], it["ok"]) for it in ran.json["machines"]] == [
        ("ana", False),
        ("luis", True),
        ("marta", False),
    ]
    assert world.guests == {"hello-ana": "STOPPED", "hello-luis": "RUNNING"}
    destroyed = [call[1] for call in world.calls("vagrant") if call[0] == "destroy"]
    assert [name for name in destroyed if name != "bake"] == ["hello-luis"]


def test_what_has_drifted_is_made_anew(lab: Lab, world: Any) -> None:
    lab("up")
    key = world.project / ".lab/ssh/hello-ana/admin.pub"
    before = key.stat().st_mtime_ns
    (world.project / "provision/tiny/steps/app.sh").write_text("echo other\n")
    ran = lab("up", "--recreate", "--yes", "ana", "--format", "json")
    assert ran.code == OK
    assert [(it["machine"], it["ok"], it["changed"]) for it in ran.json["machines"]] == [
        ("hello-ana", True, True)
    ]
    destroyed = [call for call in world.calls("vagrant") if call[0] == "destroy"]
    assert ["destroy", "hello-ana", "--force"] in destroyed
    assert world.boots[-1][0] == "hello-ana"
    assert key.stat().st_mtime_ns > before
    assert set(world.guests.values()) == {"RUNNING"}


def test_a_dry_run_of_what_failed_shows_what_failed(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-luis": "app"})
    assert lab("up").code == NOT_ALL_WELL
    world.fault()
    world.edit(", marta]", "]")
    ran = lab("up", "--retry-failed", "--dry-run", "--format", "json")
    assert [row["machine"] for row in ran.json["machines"]] == ["hello-luis"]
    assert lab("up", "--retry-failed").code == OK


def test_nothing_to_try_again_is_an_empty_list(lab: Lab) -> None:
    lab("up")
    ran = lab("up", "--retry-failed", "--format", "json")
    assert (ran.code, ran.json) == (OK, {"version": 1, "machines": []})
    assert "No machine failed the last time." in ran.err
    table = lab("up", "--retry-failed")
    assert (table.code, table.out) == (OK, "")


def test_a_machine_that_vagrant_has_lost_is_stopped_all_the_same(lab: Lab, world: Any) -> None:
    lab("up")
    world.fault(vagrant__halt={"code": 0})
    ran = lab("halt")
    assert ran.code == OK
    assert "Stopped 3 machines." in ran.err
    assert set(world.guests.values()) == {"STOPPED"}
