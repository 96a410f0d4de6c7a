"""What checks are given: hosts over one connection, a view from outside, and patience."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.checks import backend, fixtures
from lab.checks.backend import connect
from lab.checks.evidence import NotAsExpected, NotEvaluated
from lab.checks.fixtures import CheckedStudent, LabHost, Response, reboot_guest, wait_until
from lab.errors import ConnectionLost
from lab.machines.ssh import Shell
from lab.system.files import LabFolder

Program = Callable[[str, str], Path]


@pytest.fixture
def shell(tmp_path: Path, local_guest: Path) -> Iterator[Shell]:
    del local_guest
    shell = Shell(LabFolder(tmp_path), "hello-ana")
    yield shell
    shell.close()


def test_testinfra_sees_the_guest(shell: Shell, tmp_path: Path) -> None:
    host = connect(shell, "hello-ana")
    path = tmp_path / "it's a $file"
    path.write_text("ñ\n")
    file = host.file(str(path))
    assert file.exists
    assert file.is_file
    assert file.content_string == "ñ\n"
    assert not host.file("/no/such/file").exists
    done = host.run("echo %s; echo err >&2; exit 3", "a b; $(id)")
    assert (done.rc, done.stdout, done.stderr) == (3, "a b; $(id)\n", "err\n")
    assert host.run(r"printf 'a\377'").stdout == "a�"


def test_a_student_s_command_runs_in_a_login_of_theirs(shell: Shell) -> None:
    student = connect(shell, "hello-ana", login="ana")
    assert student.run("echo $USER in $PWD").stdout == "ana in /\n"
    assert student.run("printf %s", "it's $HOME").stdout == "it's $HOME"
    assert connect(shell, "hello-ana").run("echo ${USER:-root}").stdout != "ana\n"


def test_two_hosts_on_one_connection_are_two(shell: Shell) -> None:
    one, other = connect(shell, "hello-ana"), connect(shell, "hello-ana", login="ana")
    assert one.run("echo 1").stdout == "1\n"
    assert other.run("echo $USER").stdout == "ana\n"


def test_a_command_of_root_s_that_takes_too_long_is_nobody_s_failure(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "COMMAND_TIMEOUT_S", 2.0)
    with pytest.raises(NotEvaluated) as caught:
        connect(shell, "hello-ana").run("sleep 60\n")
    assert caught.value.why == {
        "en": "the machine took longer than 2 s over `sleep 60`",
        "es": "la máquina tardó más de 2 s con `sleep 60`",
    }
    assert connect(shell, "hello-ana").run("timeout 0.1 sleep 60").rc == 124
    assert connect(shell, "hello-ana", login="ana").run("sleep 60").rc == 124


def test_a_guest_that_goes_on_as_before_was_not_rebooted(
    shell: Shell, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixtures, "REBOOT_TIMEOUT_S", 0.5)
    program("systemctl", "exit 1")
    with pytest.raises(NotAsExpected) as caught:
        reboot_guest(shell)
    assert caught.value.expected == {
        "en": "the machine to reboot within 0.5 s",
        "es": "que la máquina se reiniciara en menos de 0.5 s",
    }


def test_a_guest_that_does_not_come_back_is_lost(
    shell: Shell, program: Program, local_guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixtures, "REBOOT_TIMEOUT_S", 1.0)
    program("systemctl", f"touch {local_guest}/down")
    with pytest.raises(ConnectionLost):
        reboot_guest(shell)


def test_a_guest_that_has_gone_is_lost_and_no_answer(shell: Shell, local_guest: Path) -> None:
    (local_guest / "down").touch()
    with pytest.raises(ConnectionLost):
        connect(shell, "hello-ana").file("/etc/passwd").exists  # noqa: B018 (asking is the point)


def test_a_student_s_home() -> None:
    student = CheckedStudent("ana", "Ana", "", "ana.example.org", {})
    assert student.home == "/home/ana"


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("X-Host", self.headers["Host"])
        self.end_headers()
        self.wfile.write(b"Hello \xff" + self.path.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A web server here, where the guest's port 80 would be."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        connection = fixtures.http.client.HTTPConnection
        monkeypatch.setattr(
            fixtures.http.client,
            "HTTPConnection",
            lambda address, _, timeout: connection(address, server.server_port, timeout=timeout),
        )
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("site")
def test_the_site_is_asked_for_by_its_virtual_host() -> None:
    lab_host = LabHost("127.0.0.1", "hello.ana.example.org")
    found = lab_host.get()
    assert (found.status, found.body) == (200, "Hello �/")
    assert found.headers["X-Host"] == "hello.ana.example.org"
    assert lab_host.get("/none", host="other.example.org").headers["X-Host"] == "other.example.org"
    assert lab_host.get("/none").status == 404


def test_where_nothing_answers_the_status_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = fixtures.http.client.HTTPConnection
    monkeypatch.setattr(
        fixtures.http.client,
        "HTTPConnection",
        lambda a, _, timeout: connection(a, 9, timeout=timeout),
    )
    assert LabHost("127.0.0.1", "a.example.org").get() == Response(
        0, "[Errno 111] Connection refused"
    )


def test_a_path_that_cannot_be_asked_for_has_no_answer() -> None:
    assert LabHost("127.0.0.1", "a.example.org").get("/ \n").status == 0


def test_waiting_ends_with_the_first_true_value() -> None:
    answers = iter([0, "", "here", "later"])
    assert wait_until(lambda: next(answers), timeout_s=5, every_s=0) == "here"


def test_waiting_ends_when_time_is_up() -> None:
    started = time.monotonic()
    assert wait_until(list, timeout_s=0.1, every_s=0.01) == []
    assert time.monotonic() - started < 2
