"""A finding: what a check came to, whatever became of the check itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import HostError
from lab.machines.health import (
    Check,
    Command,
    Finding,
    Health,
    Verdict,
    examine,
    ok,
    problem,
    unknown,
)
from lab.system.process import Interrupted


def found_by(look: Callable[[], Verdict]) -> Finding:
    check = Check(id="a.check", title="A check", look=lambda _: look())
    finding, _ = examine(check, lambda _: None)
    return finding


def failing_with(error: Exception) -> Callable[[], Verdict]:
    def look() -> Verdict:
        raise error

    return look


def test_what_is_well_needs_no_fix() -> None:
    assert found_by(lambda: ok("as it should be")) == Finding(
        id="a.check", title="A check", outcome=Health.OK, found="as it should be"
    )


def test_a_safe_fix_is_shown_as_the_commands_that_are_run() -> None:
    commands = (
        Command(argv=("sysctl", "-w", "a.b=1"), as_root=True),
        Command(argv=("rm", "--", "two words")),
    )
    check = Check(id="a", title="A", look=lambda _: problem("no", why="so", commands=commands))
    finding, to_run = examine(check, lambda _: None)
    assert finding.fix == "sudo sysctl -w a.b=1\nrm -- 'two words'"
    assert finding.safe
    assert to_run == commands


def test_a_fix_that_could_harm_is_only_told() -> None:
    finding = found_by(lambda: problem("no", why="so", fix="restart it all"))
    assert (finding.fix, finding.safe) == ("restart it all", False)


def test_a_check_that_lab_could_not_make_is_unknown_with_the_reason() -> None:
    finding = found_by(failing_with(HostError("no `ip` here", hint="install it")))
    assert (finding.outcome, finding.found, finding.fix) == (
        Health.UNKNOWN,
        "no `ip` here",
        "install it",
    )


def test_a_check_that_blows_up_is_its_own_unknown() -> None:
    finding = found_by(failing_with(ZeroDivisionError("division by zero")))
    assert finding.outcome is Health.UNKNOWN
    assert finding.found == "The check itself failed: ZeroDivisionError: division by zero"
    assert found_by(lambda: unknown("nobody knows")).outcome is Health.UNKNOWN


def test_an_interruption_ends_everything() -> None:
    with pytest.raises(Interrupted):
        found_by(failing_with(Interrupted("stopped")))
