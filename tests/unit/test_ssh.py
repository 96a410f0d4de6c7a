"""SSH: a configuration with pinned keys, one-off commands, and a shell that stays."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ConnectionLost, ProcessError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.machines.ssh import Answer, Shell, command_line, run_as_root, write_config
from lab.system import process
from lab.system.files import LabFolder
from lab.workflow.project import Project

Program = Callable[[str, str], Path]

CONFIG = """\
Host hello-ana
  HostName 10.0.3.1
  User vagrant
  IdentityFile "{ssh}/hello-ana/admin"
  HostKeyAlias hello-ana

Host hello-ana.student
  HostName 10.0.3.1
  User ana
  IdentityFile "{ssh}/hello-ana/student"
  HostKeyAlias hello-ana

Host *
  IdentitiesOnly yes
  KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256
  UserKnownHostsFile "{ssh}/known_hosts"
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  PasswordAuthentication no
"""


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TERM_GRACE_S", 0.5)


@pytest.fixture
def ana(project: Project) -> Machine:
    return project.machines[0]


@pytest.fixture
def folder(project: Project) -> LabFolder:
    return project.folder


def test_machines_with_an_address_are_in_the_configuration(
    project: Project, folder: LabFolder
) -> None:
    write_config(folder, project.machines, {"hello-ana": "10.0.3.1", "hello-luis": ""})
    config = folder.ssh / "config"
    assert config.read_text().startswith(CONFIG.format(ssh=folder.ssh))
    assert "ForwardAgent no" in config.read_text()
    assert (folder.ssh / "known_hosts").read_text() == "hello-ana ssh-ed25519 AAAAhost\n"
    assert config.stat().st_mode & 0o777 == 0o600


def test_a_machine_behind_a_port_of_this_computer_is_reached_there(
    folder: LabFolder, ana: Machine
) -> None:
    ssh.write_config(folder, [replace(ana, ports={22: 22007, 80: 28007})], {ana.name: "127.0.0.1"})
    text = (folder.ssh / "config").read_text()
    assert text.count("  HostName 127.0.0.1\n  Port 22007\n") == 2
    ssh.write_config(folder, [ana], {ana.name: "10.0.3.7"})
    assert "Port" not in (folder.ssh / "config").read_text()


def test_a_percent_sign_in_a_path_is_no_token(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "50% of it")
    write_config(folder, [], {})
    line = f'  UserKnownHostsFile "{tmp_path}/50%% of it/.lab/ssh/known_hosts"\n'
    assert line in (folder.ssh / "config").read_text()


def test_a_command_is_handed_on_word_by_word(folder: LabFolder) -> None:
    config = str(folder.ssh / "config")
    assert command_line(folder, "hello-ana") == ["ssh", "-F", config, "hello-ana"]
    assert command_line(folder, "hello-ana", ["ls", "a b", "$(id)"], tty=True) == [
        *("ssh", "-F", config, "-t", "hello-ana"),
        "ls 'a b' '$(id)'",
    ]


def test_a_script_runs_as_root(
    program: Program, folder: LabFolder, ana: Machine, tmp_path: Path
) -> None:
    program("ssh", 'printf "%s\\n" "$@"; cat; exit 3')
    lines: list[str] = []
    done = run_as_root(
        folder,
        ana,
        "echo 'it is'",
        stdin=b"fed\n",
        log=tmp_path / "log",
        on_line=lines.append,
        timeout_s=10,
    )
    script = shlex.join(["/usr/bin/sudo", "-n", "/bin/bash", "-c", "echo 'it is'"])
    words = ["-F", str(folder.ssh / "config"), "hello-ana", "-o", "BatchMode=yes", script, "fed"]
    assert done.returncode == 3
    assert done.stdout.splitlines() == words
    assert lines == words
    assert "fed" in (tmp_path / "log").read_text()


def test_no_connection_is_told_as_that(program: Program, folder: LabFolder, ana: Machine) -> None:
    program("ssh", "echo 'ssh: connect to host: No route to host' >&2; exit 255")
    with pytest.raises(ConnectionLost) as caught:
        run_as_root(folder, ana, "true", timeout_s=10)
    assert caught.value == ConnectionLost(
        "No SSH connection to hello-ana", details="ssh: connect to host: No route to host"
    )


def test_a_connection_that_hangs_is_ended(
    program: Program, folder: LabFolder, ana: Machine
) -> None:
    program("ssh", "exec sleep 60")
    with pytest.raises(ProcessError, match="took longer than"):
        run_as_root(folder, ana, "true", timeout_s=0.2)


@pytest.mark.parametrize(
    ("greeting", "answers"),
    [(b"SSH-2.0-OpenSSH_9\r\n", True), (b"220 mail\r\n", False), (b"", False)],
)
def test_an_ssh_server_is_known_by_its_greeting(greeting: bytes, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        assert ssh.listens("127.0.0.1", server.getsockname()[1]) is answers
        thread.join()


def test_where_nothing_listens_is_no_ssh_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not ssh.listens("127.0.0.1", port)


@pytest.fixture
def shell(folder: LabFolder, local_guest: Path) -> Iterator[Shell]:
    del local_guest
    shell = Shell(folder, "hello-ana")
    yield shell
    shell.close()


def test_commands_go_over_one_connection(shell: Shell, program: Program, tmp_path: Path) -> None:
    stub = (tmp_path / "stub-bin" / "ssh").read_text()
    program("ssh", f"echo x >>{shlex.quote(str(tmp_path / 'logins'))}\n{stub}")
    assert shell.run("echo out; echo err >&2; exit 3") == Answer(
        exit_code=3, stdout=b"out\n", stderr=b"err\n"
    )
    assert shell.run("pwd; umask").stdout == b"/\n0022\n"
    assert shell.run("cat").stdout == b""
    assert shell.run("exit 0") == Answer(exit_code=0, stdout=b"", stderr=b"")
    assert (tmp_path / "logins").read_text() == "x\n"


@pytest.mark.parametrize(
    "text", ["it's", "a\nb\n\n", 'say "no"', "\\ $HOME `id`", "ñ 日本", "0 5\n", "x" * 300_000]
)
def test_a_command_is_read_to_the_last_byte(shell: Shell, text: str) -> None:
    script = f"cat <<'END OF TEXT'\n{text}\nEND OF TEXT\n"
    assert shell.run(script).stdout == f"{text}\n".encode()
    assert shell.run("echo next").stdout == b"next\n"


def test_an_answer_may_be_any_bytes(shell: Shell) -> None:
    answer = shell.run(r"printf '\000\377\n0 0 0\n'; printf '\001' >&2; false")
    assert answer == Answer(exit_code=1, stdout=b"\0\xff\n0 0 0\n", stderr=b"\1")


def test_an_answer_is_bounded(shell: Shell) -> None:
    answer = shell.run("head -c 5000000 /dev/zero | tr '\\0' x")
    assert answer.stdout == b"x" * 1_000_000
    assert shell.run("echo next").stdout == b"next\n"


@pytest.mark.parametrize("noise", ["0 6 0\\nactive", "0 0\\nYWN0aXZl\\n\\n"])
def test_what_runs_on_in_the_background_answers_nothing_else(
    shell: Shell, tmp_path: Path, noise: str
) -> None:
    busy = tmp_path / "busy"
    busy.touch()
    shell.run(f"while [ -e {shlex.quote(str(busy))} ]; do printf '{noise}'; done & sleep 0.1")
    for number in range(30):
        answer = shell.run(f"echo {number}; echo err >&2; exit 3")
        assert answer == Answer(exit_code=3, stdout=f"{number}\n".encode(), stderr=b"err\n")
    busy.unlink()


def test_what_the_guest_s_environment_says_does_not_change_what_is_asked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/home/ana/lib")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/home/ana/lib")
    monkeypatch.setenv("BASH_FUNC_cat%%", "() { echo forged; }")
    monkeypatch.setenv("PATH", f"/home/ana/bin:{os.environ['PATH']}")
    monkeypatch.setenv("SUDO_COMMAND", "all of lab's own script")
    answer = shell.run("echo true | cat; echo $PYTHONPATH$LD_LIBRARY_PATH$SUDO_COMMAND; echo $PATH")
    true, empty, path = answer.stdout.decode().splitlines()
    assert (true, empty) == ("true", "")
    assert "/home/ana" not in path


def test_an_answer_without_end_is_stopped_long_before_the_time_is_up(shell: Shell) -> None:
    answer = shell.run("yes", timeout_s=600)
    assert (answer.exit_code, len(answer.stdout)) == (128 + signal.SIGXFSZ, 1_000_000)
    assert shell.run("echo on").stdout == b"on\n"


def test_a_command_that_takes_too_long_is_ended(shell: Shell) -> None:
    late = Answer(exit_code=124, stdout=b"so far\n", stderr=b"", timed_out=True)
    assert shell.run("echo so far; sleep 60", timeout_s=1) == late
    assert shell.run("timeout 0.1 sleep 60").timed_out is False
    assert shell.run("echo next").stdout == b"next\n"


def test_what_sh_says_of_a_command_is_without_the_place_where_lab_keeps_it(shell: Shell) -> None:
    assert shell.run("no-such; echo /a.b/command: 1: x").stderr == b"no-such: not found\n"
    assert b"Syntax error" in shell.run("(").stderr.partition(b":")[0]


def test_a_time_out_below_a_second_is_one_too(shell: Shell) -> None:
    assert shell.run("sleep 1.2", timeout_s=0.4).exit_code == 124


def test_a_connection_that_breaks_is_lost_and_made_anew(shell: Shell) -> None:
    shell.run("true")
    with pytest.raises(ConnectionLost, match="No SSH connection to hello-ana"):
        shell.run("kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $$))")
    assert shell.run("echo back").stdout == b"back\n"


def test_a_guest_that_is_down_is_told_with_ssh_s_words(shell: Shell, local_guest: Path) -> None:
    (local_guest / "down").touch()
    with pytest.raises(ConnectionLost) as caught:
        shell.run("true")
    assert caught.value.details == "ssh: connect to host 10.0.0.9 port 22: No route to host"
    (local_guest / "down").unlink()
    assert shell.run("echo up").stdout == b"up\n"


def test_something_else_at_the_other_end_is_not_lab_s_shell(
    program: Program, folder: LabFolder
) -> None:
    program("ssh", "echo Welcome; cat")
    with pytest.raises(ConnectionLost, match="No SSH connection"):
        Shell(folder, "hello-ana").run("true")


def test_a_guest_that_does_not_answer_is_not_waited_for(
    program: Program, folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_CONNECT_S", 0.2)
    program("ssh", "exec sleep 60")
    with pytest.raises(ConnectionLost) as caught:
        Shell(folder, "hello-ana").run("true")
    assert caught.value.details == "it did not answer in time"


def test_closing_ends_the_connection_and_its_folder(shell: Shell, local_guest: Path) -> None:
    shell.run("true")
    assert list(local_guest.glob("run.*"))
    shell.close()
    deadline = time.monotonic() + 3
    while list(local_guest.glob("run.*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert os.listdir(local_guest) == []  # noqa: PTH208 (names are enough)
