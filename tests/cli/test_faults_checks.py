"""Checks that cannot be evaluated are unknown and never a zero; and nothing that a guest says acts on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK
from tests.unit.test_report_text import ACTIVE, COLOUR

Lab = Callable[..., Any]


def students(ran: Any) -> list[Any]:
    found: list[Any] = ran.json["labs"][0]["students"]
    return found


def outcomes(student: Any) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in student["checks"]}


BREAKS = """
@check("web.breaks")
def test_breaks(host):
    assert host.run("echo break-here; sleep 5").stdout == "anything"

@check("web.behind", after=["web.breaks"])
def test_behind(host):
    assert host.run("echo yes").stdout == "yes\\n"

@check("web.later")
def test_later(host):
    assert host.run("echo yes").stdout == "yes\\n"
"""


def test_a_connection_that_drops_in_a_check_leaves_it_unknown(lab: Lab, world: Any) -> None:
    lab("up", "ana", "--no-bake")
    world.add_check(BREAKS, name="zlast")
    world.fault(drops="break-here")

    ran = lab("verify", "ana", "--format", "json")

    assert ran.code == NOT_ALL_WELL
    [ana] = students(ran)
    assert outcomes(ana) == {
        "web.there": "passed",
        "web.answers": "passed",
        "web.breaks": "unknown",
        "web.behind": "unknown",
        # The next one has a connection of its own.
        "web.later": "passed",
    }
    breaks = next(check for check in ana["checks"] if check["id"] == "web.breaks")
    assert breaks["points"] is None
    assert breaks["message"].startswith("no SSH connection to the machine: ")
    assert (ana["score"], ana["max_score"], ana["outcome"]) == (5, 5, "unknown")


def test_a_connection_that_drops_in_every_check_is_4(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    world.fault(drops="echo")
    (world.project / "provision/tiny/checks/test_web.py").unlink()
    world.add_check(BREAKS.partition('@check("web.behind"')[0])

    ran = lab("verify", "--format", "json")

    assert ran.code == NOTHING_EVALUATED
    assert [(it["score"], it["max_score"], it["outcome"]) for it in students(ran)] == [
        (None, 0, "unknown")
    ] * 3


def test_no_check_at_all_is_4_and_said(lab: Lab, world: Any) -> None:
    lab("up", "ana", "--no-bake")
    (world.project / "provision/tiny/checks/test_web.py").unlink()

    ran = lab("verify", "ana", "--format", "json")

    assert ran.code == NOTHING_EVALUATED
    [ana] = students(ran)
    assert (ana["score"], ana["max_score"], ana["outcome"], ana["checks"]) == (
        None,
        0,
        "unknown",
        [],
    )
    assert "hello-ana: has no checks" in ran.err
    table = lab("verify", "ana")
    assert table.code == NOTHING_EVALUATED
    assert "no check was run" in table.out
    assert "0/" not in table.out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def test_it(:\n", "SyntaxError"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("def test_it(): pass\n", "has no mark `check`"),
    ],
)
def test_checks_of_which_nothing_can_be_read_are_4(
    lab: Lab, world: Any, text: str, why: str
) -> None:
    lab("up", "ana", "luis", "--no-bake")
    (world.project / "provision/tiny/checks/test_web.py").write_text(text)

    ran = lab("verify", "ana", "luis", "--format", "json")

    assert ran.code == NOTHING_EVALUATED
    for student in students(ran):
        assert (student["score"], student["max_score"], student["outcome"]) == (None, 0, "unknown")
        assert {check["points"] for check in student["checks"]} == {None}
        assert why in student["checks"][0]["message"]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("conftest.py", "def broken(:\n", "SyntaxError"),
        ("test_more.py", "raise SystemExit(0)\n", "SystemExit"),
        ("test_more.py", "import os; os._exit(0)\n", ""),
        ("test_more.py", "import os; os.kill(os.getpid(), 9)\n", ""),
    ],
)
def test_checks_that_end_pytest_are_told_and_no_result_is_made_up(
    lab: Lab, world: Any, name: str, text: str, why: str
) -> None:
    lab("up", "ana", "--no-bake")
    (world.project / "provision/tiny/checks" / name).write_text(text)

    ran = lab("verify", "ana", "--format", "json")

    assert ran.code == NOTHING_EVALUATED
    [ana] = students(ran)
    assert (ana["score"], ana["max_score"], ana["outcome"]) == (None, 0, "unknown")
    assert outcomes(ana) == {"checks": "unknown"}
    assert why in ana["checks"][0]["message"]
    assert "hello-ana: not evaluated: the process that runs the checks" in ran.err


# A clipboard's content, a wiped screen, C1's own CSI, markup, text that runs backwards, a title, a link.
EVIL = (
    "\x1b]52;c;ZXZpbA==\x07 \x1b[2J\x1b[H \x9b2J\x9d0;t\x9c [/red] [bold]x[/bold] \u202egnp.exe\u2066 "
    "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x08\x08\x7f\r"
)
# What no file of a roster's or of labs.yaml can hold is left out of names.
EVIL_NAME = "Ana [/red] \u202egnp\u2066 [link=file:///]x[/link] :smile:"


def assert_inert(ran: Any, *, coloured: bool = False) -> None:
    text = ran.out + ran.err
    found = ACTIVE.findall(COLOUR.sub("", text) if coloured else text)
    assert found == [], f"{found} in {text!r}"


@pytest.fixture(params=["plain", "coloured"])
def coloured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "coloured":
        monkeypatch.setenv("FORCE_COLOR", "1")
    return bool(request.param == "coloured")


def test_names_are_inert_everywhere(lab: Lab, world: Any, coloured: bool) -> None:
    world.edit("Ana Núñez", json.dumps(EVIL_NAME))
    world.add_check('@check("web.name")\ndef test_name(student):\n    assert False, student.name\n')
    runs = [lab("up"), lab("status"), lab("verify"), lab("logs"), lab("verify", "--format", "json")]
    runs += [lab("up", "--format", "json"), lab("status", "--format", "json"), lab("validate")]
    for ran in runs:
        assert_inert(ran, coloured=coloured)
    assert "Ana [/red] �gnp� [link=file:///]x[/link] :smile:" in COLOUR.sub("", runs[2].out)
    assert EVIL_NAME in {check["message"] for check in students(runs[4])[0]["checks"]}


def test_what_steps_print_is_inert_everywhere(lab: Lab, world: Any, coloured: bool) -> None:
    world.fault(steps={"hello-ana": "app"}, words=f"{EVIL} why")
    table, data, logs = lab("up", "--no-bake"), lab("up", "--format", "json"), lab("logs", "ana")

    for ran in (table, data, logs, lab("status"), lab("status", "--format", "json")):
        assert_inert(ran, coloured=coloured)
    assert "[/red] [bold]x[/bold]" in " ".join(table.out.split())
    assert EVIL.rstrip("\r") in "\n".join(data.json["machines"][0]["tail"])
    # The log itself is what was said, byte for byte; `lab logs` is how to look at it.
    assert EVIL.encode() in (world.project / ".lab/logs/hello-ana.log").read_bytes()


def test_what_checks_find_is_inert_everywhere(lab: Lab, world: Any, coloured: bool) -> None:
    lab("up", "ana", "--no-bake")
    (world.root / "evil").write_bytes(EVIL.encode() + b"\xff\xfe\n")
    world.add_check(
        f"""
@pytest.mark.check(id="web.evil", step="web", hint={EVIL!r}, title={EVIL!r})
def test_evil(host):
    found = host.file(f"{{os.environ['LAB_STUB_WORLD']}}/evil").content.decode(errors="replace")
    assert not found, f"found {{found}} \\ud800"

@check("web.raises")
def test_raises(host):
    raise ValueError(host.run(f"cat {{os.environ['LAB_STUB_WORLD']}}/evil").stdout)
"""
    )
    table, data = lab("verify", "ana"), lab("verify", "ana", "--format", "json")

    for ran in (table, data):
        assert ran.code == NOT_ALL_WELL
        assert_inert(ran, coloured=coloured)
    checks = {check["id"]: check for check in students(data)[0]["checks"]}
    assert (checks["web.evil"]["outcome"], checks["web.raises"]["outcome"]) == ("failed", "unknown")
    assert checks["web.evil"]["hint"] == EVIL
    assert "[/red] [bold]x[/bold]" in checks["web.evil"]["message"]
    assert "[/red] [bold]x[/bold]" in " ".join(COLOUR.sub("", table.out).split())
    for kept in (world.project / ".lab/runs").iterdir():
        assert ACTIVE.findall(kept.read_text(encoding="utf-8")) == []


def test_what_programs_of_the_host_say_is_inert_everywhere(
    lab: Lab, world: Any, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.machines.kit.PATIENCE_S", 0.0)
    lab("up", "ana", "--no-bake")
    runs = []
    world.fault(boot={"hello-luis": EVIL}, unreachable=["hello-ana"], words=EVIL)
    for words in (("up",), ("verify",), ("logs",)):
        runs += [lab(*words)] + ([lab(*words, "--format", "json")] if words != ("logs",) else [])
    world.fault(**{"lxc-ls": {"stderr": EVIL, "stdout": EVIL}})
    runs += [lab("status"), lab("up"), lab("verify")]
    world.fault(
        vagrant__up={
            "stderr": f"{EVIL} the machine index {EVIL}",
            "stdout": f"==> hello-luis: {EVIL}\n",
        }
    )
    runs += [lab("up", "--no-bake"), lab("up", "--no-bake", "--format", "json"), lab("logs")]

    for ran in runs:
        assert_inert(ran, coloured=coloured)
    assert {ran.code for ran in runs} <= {OK, NOT_ALL_WELL, NOTHING_EVALUATED}
    assert any(re.search(r"\[/red\] \[bold\]x\[/bold\]", ran.out + ran.err) for ran in runs)
