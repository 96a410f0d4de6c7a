"""`lab verify`: outcomes, exit codes and the contract of its JSON, with checks that really run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK

Lab = Callable[..., Any]
KEYS = [
    *("id", "step", "title", "outcome", "points", "max_points", "message", "hint", "seconds"),
    *("hidden", "blocked_by", "evidence"),
]


def outcomes(ran: Any) -> dict[str, dict[str, str]]:
    """Each student's outcomes by the check."""
    return {
        student["login"]: {check["id"]: check["outcome"] for check in student["checks"]}
        for lab in ran.json["labs"]
        for student in lab["students"]
    }


def test_verify_is_told_as_agreed(lab: Lab, world: Any) -> None:
    lab("up", "ana", "luis", "--no-bake")
    (world.root / "broken-luis").touch()
    ran = lab("verify", "--format", "json", "--lang", "es")
    assert ran.code == NOT_ALL_WELL
    assert list(ran.json) == ["version", "labs"]
    assert ran.json["version"] == 1
    [found] = ran.json["labs"]
    assert list(found) == ["lab", "students"]
    assert found["lab"] == "hello"
    students = found["students"]
    assert [list(student) for student in students] == [
        [
            "login",
            "machine",
            "score",
            "max_score",
            "total_points",
            "complete",
            "outcome",
            "at",
            "checks",
        ]
    ] * 3
    assert [list(check) for student in students for check in student["checks"]] == [KEYS] * 6
    brief = [
        (it["login"], it["machine"], it["score"], it["max_score"], it["outcome"]) for it in students
    ]
    assert brief == [
        ("ana", "hello-ana", 4, 4, "passed"),
        ("luis", "hello-luis", 0, 4, "failed"),
        ("marta", "hello-marta", None, 0, "unknown"),
    ]
    there, answers = json.loads(json.dumps(students[1]["checks"]))
    seconds = there.pop("seconds")
    assert 0 < seconds < 60
    evidence = there.pop("evidence")
    assert (evidence["expected"], evidence["found"]) == ("", "")
    assert evidence["output"].startswith("$ ")
    assert there == {
        "id": "web.there",
        "step": "web",
        "title": "web.there en español",
        "outcome": "failed",
        "points": 0,
        "max_points": 1,
        "message": "luis broke it",
        "hint": "Ponlo",
        "hidden": False,
        "blocked_by": [],
    }
    assert (answers["outcome"], answers["message"]) == ("blocked", "bloqueada por web.there")
    assert {it["points"] for it in students[2]["checks"]} == {None}
    assert {it["message"] for it in students[2]["checks"]} == {"todavía no hay máquina: lab up"}
    reported = lab("report", "--format", "json", "--lang", "es")
    assert [it for it in reported.json["labs"][0]["students"] if it["login"] != "marta"] == [
        it for it in students if it["login"] != "marta"
    ]


def test_all_well_is_0_and_shown_as_a_table(lab: Lab) -> None:
    lab("up", "--no-bake")
    ran = lab("verify")
    assert ran.code == OK
    assert all(login in ran.out for login in ("ana", "luis", "marta"))
    assert "3 of 3" in ran.said or "3/3" in ran.said or "passed" in ran.said
    assert "web.there" not in ran.out or "✓" in ran.out


def test_nothing_evaluated_is_4_and_never_a_zero(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    world.fault(unreachable=["hello-ana"])
    ran = lab("verify", "--format", "json")
    assert ran.code == NOTHING_EVALUATED
    students = ran.json["labs"][0]["students"]
    assert [(it["score"], it["outcome"]) for it in students] == [(None, "unknown")] * 3
    assert "No route to host" in students[0]["checks"][0]["message"]
    assert students[1]["checks"][0]["message"] == "there is no machine yet: lab up"


def test_one_machine_out_of_reach_leaves_the_others(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    lab("halt", "marta")
    world.fault(unreachable=["hello-luis"])
    ran = lab("verify", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert outcomes(ran) == {
        "ana": {"web.there": "passed", "web.answers": "passed"},
        "luis": {"web.there": "unknown", "web.answers": "unknown"},
        "marta": {"web.there": "unknown", "web.answers": "unknown"},
    }


def checks_of(world: Any) -> Path:
    folder: Path = world.project / "provision" / "tiny" / "checks"
    return folder


def test_a_file_of_checks_that_cannot_be_read_is_unknown(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    (checks_of(world) / "test_app.py").write_text("def test_it(:\n")
    ran = lab("verify", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [student] = ran.json["labs"][0]["students"]
    assert (student["score"], student["max_score"]) == (4, 4)
    assert student["outcome"] == "unknown"
    broken = [check for check in student["checks"] if check["outcome"] == "unknown"]
    assert [(it["points"], it["max_points"]) for it in broken] == [(None, 0)]
    assert "SyntaxError" in broken[0]["message"]


def test_no_check_at_all_is_not_all_well(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    (checks_of(world) / "test_web.py").unlink()
    ran = lab("verify", "ana", "--format", "json")
    assert ran.code in {NOT_ALL_WELL, NOTHING_EVALUATED}
    assert '"score": 0' not in ran.out
    assert ran.err
