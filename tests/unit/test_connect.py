"""`lab ssh` and `lab logs`: one machine from near by."""

from __future__ import annotations

import pytest

from lab.errors import NOT_ALL_WELL, MachineError, UsageError
from lab.workflow.connect import log_tails, ssh_command
from lab.workflow.project import Project


@pytest.fixture
def running(project: Project) -> Project:
    project.provider.add("lab-c0ffee-hello-ana", ip="10.0.3.1")
    project.provider.add("lab-c0ffee-hello-luis", state="stopped")
    return project


def test_the_student_s_own_account_by_default(running: Project) -> None:
    config = str(running.folder.ssh / "config")
    assert ssh_command(running, "ana", [], admin=False, tty=True) == [
        *("ssh", "-F", config, "hello-ana.student")
    ]
    assert ssh_command(running, "hello/ana", ["ls", "a b"], admin=True, tty=True) == [
        *("ssh", "-F", config, "-t", "hello-ana", "ls 'a b'")
    ]
    assert ssh_command(running, "ana", ["ls"], admin=False, tty=False)[-2:] == [
        *("hello-ana.student", "ls")
    ]
    assert "HostName 10.0.3.1\n" in (running.folder.ssh / "config").read_text()


@pytest.mark.parametrize(("login", "state"), [("luis", "stopped"), ("marta", "not there")])
def test_a_machine_that_does_not_run_is_told_with_what_starts_it(
    running: Project, login: str, state: str
) -> None:
    with pytest.raises(MachineError) as caught:
        ssh_command(running, login, [], admin=False, tty=False)
    assert caught.value.exit_code == NOT_ALL_WELL
    assert caught.value == MachineError(f"hello-{login} is {state}", hint=f"lab up hello/{login}")


def test_one_machine_at_a_time(running: Project) -> None:
    with pytest.raises(UsageError) as caught:
        ssh_command(running, "hello", [], admin=False, tty=False)
    assert caught.value == UsageError(
        "hello is more than one machine: hello/ana, hello/luis, hello/marta",
        hint="lab ssh hello/ana",
    )


def test_the_ends_of_the_logs(project: Project) -> None:
    log = project.folder.log_of("hello-ana")
    log.write_bytes(b"one\ntwo\nthr\xffee\n")
    project.folder.log_of("hello-zoe").write_text("not of this class\n")
    assert list(log_tails(project, [], lines=2)) == [(f"hello-ana ({log})", "two\nthr�ee")]


@pytest.mark.parametrize(
    ("targets", "message"), [([], "There is no log yet"), (["anna"], "No lab")]
)
def test_no_log_is_told(project: Project, targets: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(log_tails(project, targets, lines=2))
