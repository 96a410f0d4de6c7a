"""`lab plan`, `lab up --dry-run` and what `lab up` does about what they say, on stub programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]
LOGINS = ("ana", "luis", "marta")


def labels(lab: Lab, *words: str) -> dict[str, str]:
    rows = lab("plan", "--format", "json", *words).json["machines"]
    return {row["login"] or row["machine"]: row["label"] for row in rows}


def test_plan_is_told_as_agreed(lab: Lab, world: Any) -> None:
    ran = lab("plan", "ana", "--format", "json")
    assert (ran.code, ran.err) == (OK, "")
    assert ran.json == {
        "version": 1,
        "machines": [
            {
                "lab": "hello",
                "login": "ana",
                "machine": "hello-ana",
                "label": "missing",
                "why": "",
                "action": "create it",
                "waits": False,
            }
        ],
        "fits": {"fit": 1, "of": 1, "limits": ran.json["fits"]["limits"], "options": []},
    }


@pytest.mark.parametrize(
    "words", [("plan",), ("up", "--dry-run"), ("up", "--dry-run", "--recreate")]
)
def test_asking_makes_nothing(lab: Lab, world: Any, words: tuple[str, ...]) -> None:
    ran = lab(*words)
    assert ran.code == OK
    assert "3 missing" in ran.said
    assert "Next: lab up" in ran.said
    assert world.below() == []
    assert world.calls("vagrant") == []


def test_a_class_through_its_labels(lab: Lab, world: Any) -> None:
    assert labels(lab) == dict.fromkeys(LOGINS, "missing")
    lab("up")
    assert labels(lab) == dict.fromkeys(LOGINS, "ok")
    lab("halt", "ana")
    world.lose("hello-luis")
    (world.project / "provision/tiny/steps/app.sh").write_text("echo another\n")
    assert labels(lab) == {"ana": "drifted", "luis": "missing", "marta": "drifted"}
    world.edit(", marta]", "]")
    (world.root / "guests" / "precious").write_text("RUNNING 10.0.3.98")
    assert labels(lab) == {
        "ana": "drifted",
        "luis": "missing",
        "hello-marta": "orphan",
        "precious": "foreign",
    }
    told = lab("plan")
    assert "start it, run again from step app" in told.said
    assert "lab destroy --orphans removes it" in told.said
    assert "1 guest on this computer not of this class: never touched" in told.said
    assert "precious" not in told.out


def test_a_step_that_failed_is_where_it_goes_on(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-luis": "app"})
    assert lab("up").code == NOT_ALL_WELL
    world.fault()
    assert labels(lab)["luis"] == "half-made"
    before = len(world.calls("ssh"))
    ran = lab("up", "--retry-failed", "--format", "json")
    assert [(it["login"], it["ok"]) for it in ran.json["machines"]] == [("luis", True)]
    asked = [call[2] for call in world.calls("ssh")[before:] if "bash $kit/run-steps" in call[-1]]
    assert asked == ["hello-luis"]
    assert labels(lab) == dict.fromkeys(LOGINS, "ok")
    again = lab("up", "--retry-failed")
    assert again.code == OK
    assert "No machine failed the last time." in again.err


def test_only_what_has_drifted_is_made_anew_and_only_when_that_is_said(
    lab: Lab, world: Any
) -> None:
    lab("up")
    world.edit("luis,", '{login: luis, vars: {python: "3.9"}},')
    assert labels(lab) == {"ana": "ok", "luis": "drifted", "marta": "ok"}
    refused = lab("up", "--recreate")
    assert refused.code == USAGE
    assert "This would destroy hello-luis" in refused.err
    assert len(world.guests) == 3
    assert lab("up", "--recreate", "--yes").code == OK
    destroyed = [call[1:] for call in world.calls("vagrant") if call[0] == "destroy"]
    assert destroyed == [["hello-luis", "--force"]]
    assert labels(lab) == dict.fromkeys(LOGINS, "ok")


def test_a_class_that_does_not_fit(lab: Lab, world: Any) -> None:
    world.limit(memory=1200)
    told = lab("plan")
    assert told.code == OK
    assert "2 of 3 machines fit" in told.said
    assert "Next: one of the options above" in told.said
    refused = lab("up")
    assert (refused.code, refused.out) == (HOST, "")
    assert "2 of 3 machines fit on this computer" in refused.err
    assert "lab up --fit" in refused.err
    assert world.guests == {}
    some = lab("up", "--fit", "--format", "json")
    assert some.code == NOT_ALL_WELL
    assert [it["ok"] for it in some.json["machines"]] == [True, True, False]
    assert list(world.guests) == ["hello-ana", "hello-luis"]
    assert lab("up", "--overcommit").code == OK
    assert set(world.guests.values()) == {"RUNNING"}


def test_what_cannot_be_is_told_by_plan_and_refused_by_up_before_a_machine_is_destroyed(
    lab: Lab, world: Any
) -> None:
    lab("up")
    world.edit("luis,", '{login: luis, vars: {python: "3.9"}},')
    (world.root / "bin" / "isolate").write_text("#!/bin/sh\necho 'no such family' >&2\nexit 1\n")
    assert "cannot be kept apart" not in lab("plan").said
    told = lab("up", "--dry-run", "--recreate")
    assert (told.code, "1 drifted" in told.out) == (OK, True)
    assert "Error: The machines cannot be kept apart on the bridge lo no such family" in told.said
    refused = lab("up", "--recreate", "--yes")
    assert (refused.code, refused.out) == (HOST, "")
    assert "cannot be kept apart" in refused.err
    assert set(world.guests.values()) == {"RUNNING"}
    assert [call for call in world.calls("vagrant") if call[0] == "destroy"] == []


def test_what_waits_for_the_next_start_is_told_by_plan_and_up(lab: Lab, world: Any) -> None:
    lab("up")
    world.edit("    box: debian-12\n", "    box: debian-12\n    internet: off\n")
    then = "lab halt ana luis marta, then lab up"
    assert f"Next: {then}" in lab("plan").said
    up = lab("up")
    assert (up.code, "0 changed" in up.said) == (OK, True)
    assert "ana, luis, marta: it runs with" in up.said
    assert f"That holds from their next start: {then}" in up.said
    lab("halt", "ana", "luis", "marta")
    assert "next start" not in lab("up").said
    assert labels(lab) == dict.fromkeys(LOGINS, "ok")


def test_plan_refuses_what_up_refuses_where_the_machines_are_another_provider_s(
    lab: Lab, world: Any
) -> None:
    lab("up")
    world.edit("    box: debian-12\n", "    box: debian-12\n    provider: libvirt\n")
    for words in (("plan",), ("up", "--dry-run"), ("up",)):
        ran = lab(*words)
        assert ran.code == USAGE
        assert "this class has machines with another" in ran.err
