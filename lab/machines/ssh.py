"""SSH to the machines.

lab's own configuration with pinned host keys, one-off commands, and a shell that stays.
"""

from __future__ import annotations

import base64
import math
import re
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ConnectionLost
from lab.machines.fleet import Machine
from lab.machines.providers.base import SSH
from lab.system import process
from lab.system.conversation import Conversation
from lab.system.files import LabFolder, write_if_changed

CONNECTION_FAILED = 255
_CONNECT_S = 60.0
# To the end of the exchange of keys.
_HANDSHAKE_S = 5
# A machine that is killed says nothing more: so long after that its connection is lost.
_SILENCE_S = 30
_ALIVE_EVERY_S = 5
# What the loop below keeps of each stream is 1 MB: so long is its line.
_LINE_BYTES = 1_333_336
_HEAD_BYTES = 100
# By their paths: a PATH in /etc/environment that lacks them is an everyday mistake of students, and
# not to leave their machine unknown.
_AS_ROOT = ("/usr/bin/sudo", "-n", "/bin/bash", "-c")

# How the guest's `sh` begins what it has to say of the command itself.
_SCRIPT = re.compile(rb"^/\S+\.\w{6}/command: (?:\d+: )?", re.MULTILINE)

# Runs in the guest as root: reads `LIMIT SIZE` and SIZE bytes of a command, answers `EXIT LATE`,
# LATE being 1 when the time was up, and a line of base64 for each stream. What a command has left
# in the background may still write to its streams, or cut them short: a line is one whatever they
# hold by then. Every program that the loop starts itself is paid for with each command.
_LOOP = r"""
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# What is asked is not to depend on what somebody has written into /etc/environment, which gets here
# too; and what is answered not to hold this script, which sudo puts into SUDO_COMMAND.
unset -f $(compgen -A function)
unset ENV BASH_ENV LD_PRELOAD LD_LIBRARY_PATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PERL5LIB PERL5OPT
unset MAIL OLDPWD SUDO_COMMAND SUDO_GID SUDO_UID SUDO_USER
umask 077; d=$(mktemp -d /run/lab.XXXXXX) || exit 1; trap 'rm -rf "$d"' EXIT
cd /; umask 022; LC_ALL=C
# In KB. An answer without end would take the memory that /run is in, and lab's shell with it. It
# holds for all that a command writes, and apt's lists are files of fifty megabytes.
ulimit -f 262144
echo ready
n=0
while read -r limit size; do
  n=$((n + 1)); out=$d/out$n; err=$d/err$n
  read -r -N "$size" command
  # A command of which only a part could be written is not the one that was asked for.
  printf %s "$command" >"$d/command" || exit 1
  SECONDS=0 late=0
  LC_ALL=C.UTF-8 timeout -k 2 "$limit" sh "$d/command" >"$out" 2>"$err" </dev/null; code=$?
  # A command may well end with 124 itself, of a `timeout` of its own.
  if ((SECONDS >= limit && (code == 124 || code == 137))); then late=1; fi
  printf '%d %d\n' "$code" "$late"
  for stream in "$out" "$err"; do
    [[ ! -s $stream ]] || head -c 1000000 "$stream" | base64 -w 0
    echo
  done
  ((n % 20)) || rm -f "$d"/out* "$d"/err*
done
"""


def write_config(
    folder: LabFolder, machines: Sequence[Machine], addresses: Mapping[str, str]
) -> None:
    """Write `.lab/ssh/config` and `known_hosts` for the machines that have an address.

    `ssh -F .lab/ssh/config NAME` is the administrator, `NAME.student` the student's own account.
    """
    blocks, known = [], []
    known_hosts = folder.ssh / "known_hosts"
    for machine in machines:
        address = addresses.get(machine.name)
        if not address:
            continue
        known.append(f"{machine.name} {' '.join(machine.keys.host_public.split()[:2])}\n")
        accounts = (
            (machine.name, "vagrant", machine.keys.admin),
            (f"{machine.name}.student", machine.student.login, machine.keys.student),
        )
        blocks += [
            f"Host {alias}\n"
            f"  HostName {address}\n"
            f"{_port_line(machine.ssh_port)}"
            f"  User {user}\n"
            f"  IdentityFile {_quoted(key)}\n"
            f"  HostKeyAlias {machine.name}\n"
            for alias, user, key in accounts
        ]
    patience = max((machine.patience for machine in machines), default=1.0)
    common = (
        "Host *\n"
        "  IdentitiesOnly yes\n"
        # Of all that is safe the quickest: OpenSSH's first choice takes a tenth of a second more.
        "  KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256\n"
        f"  UserKnownHostsFile {_quoted(known_hosts)}\n"
        "  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking yes\n"
        "  PasswordAuthentication no\n"
        f"  ConnectTimeout {math.ceil(_HANDSHAKE_S * patience)}\n"
        f"  ServerAliveInterval {_ALIVE_EVERY_S}\n"
        f"  ServerAliveCountMax {math.ceil(_SILENCE_S * patience / _ALIVE_EVERY_S)}\n"
        "  ForwardAgent no\n"
        "  ControlPath none\n"
        "  LogLevel ERROR\n"
    )
    write_if_changed(known_hosts, "".join(known), mode=0o600)
    write_if_changed(folder.ssh / "config", "\n".join([*blocks, common]), mode=0o600)


def command_line(
    folder: LabFolder, alias: str, command: Sequence[str] = (), *, tty: bool = False
) -> list[str]:
    """The `ssh` command for a machine.

    Several words reach the guest's shell as those words; a single one is a line for that shell, as
    `ssh` itself has it.
    """
    flags = ["-t"] if tty else []
    line = command[0] if len(command) == 1 else shlex.join(command)
    return [
        "ssh",
        "-F",
        str(folder.ssh / "config"),
        *flags,
        alias,
        *([line] if command else []),
    ]


def run_as_root(  # noqa: PLR0913 (what `process.run` takes, on a machine)
    folder: LabFolder,
    machine: Machine,
    script: str,
    *,
    stdin: bytes | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float,
) -> process.Completed:
    """Run a shell script as root in a guest.

    Its time-out is multiplied by the machine's patience.

    Raises:
        ConnectionLost: there is no connection, or it broke.
        ProcessError: it took too long.
    """
    completed = process.run(
        [
            *command_line(folder, machine.name),
            "-o",
            "BatchMode=yes",
            shlex.join([*_AS_ROOT, script]),
        ],
        stdin=stdin,
        log=log,
        on_line=on_line,
        timeout_s=timeout_s * machine.patience,
        check=False,
    )
    if completed.returncode == CONNECTION_FAILED:
        raise ConnectionLost(
            f"No SSH connection to {machine.name}", details=completed.tail(3), log=log
        )
    return completed


def listens(address: str, port: int = SSH, *, timeout_s: float = 1.0) -> bool:
    """Whether an SSH server answers there by now; at most `timeout_s` go by."""
    try:
        with socket.create_connection((address, port), timeout=timeout_s) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command in a guest left behind; at most 1 MB of each stream.

    `timed_out` when it took too long and was ended for that.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False


class Shell:
    """A root shell in a guest over one connection: commands in turns, a few milliseconds each.

    Attributes:
        patience: how many times longer than in a container everything may take; each time-out is
            multiplied by it.
    """

    def __init__(self, folder: LabFolder, machine: str, *, patience: float = 1.0) -> None:
        self.patience = patience
        self._argv = [
            *command_line(folder, machine),
            "-o",
            "BatchMode=yes",
            shlex.join([*_AS_ROOT, _LOOP]),
        ]
        self._machine = machine
        self._conversation: Conversation | None = None

    def run(self, command: str, *, timeout_s: float = 60.0) -> Answer:
        """Run a command line with the guest's `sh`; one that takes too long is ended.

        Raises:
            ConnectionLost: the guest does not answer (any more).
        """
        conversation = self._connected()
        # No shell takes a NUL.
        data = command.replace("\0", "").encode()
        # `timeout` in the guest takes 0 for no limit at all.
        limit_s = max(1, math.ceil(timeout_s * self.patience))
        try:
            conversation.send(f"{limit_s} {len(data)}\n".encode() + data)
            head = conversation.read_line(timeout_s=limit_s + 10 * self.patience, limit=_HEAD_BYTES)
            exit_code, late = (int(word) for word in head.split())
            stdout, stderr = (
                base64.b64decode(
                    conversation.read_line(timeout_s=30 * self.patience, limit=_LINE_BYTES),
                    validate=True,
                )
                for _ in range(2)
            )
        except (EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise self._lost(error) from error
        return Answer(
            exit_code=exit_code,
            stdout=stdout,
            # Where lab keeps the command is nothing that its reader could look at.
            stderr=_SCRIPT.sub(b"", stderr),
            timed_out=late == 1,
        )

    def close(self) -> None:
        """End the connection; the next `run` makes a new one."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None

    def _connected(self) -> Conversation:
        if self._conversation is None:
            conversation = Conversation(self._argv)
            try:
                greeting = conversation.read_line(
                    timeout_s=_CONNECT_S * self.patience, limit=_HEAD_BYTES
                )
                if greeting != b"ready":
                    raise ValueError(greeting)
            except (EOFError, TimeoutError, ValueError) as error:
                conversation.close()
                raise self._lost(error) from error
            self._conversation = conversation
        return self._conversation

    def _lost(self, error: Exception) -> ConnectionLost:
        why = str(error)
        if isinstance(error, TimeoutError):
            why = "it did not answer in time"
        elif isinstance(error, ValueError):
            why = "something else than lab's shell answered"
        return ConnectionLost(f"No SSH connection to {self._machine}", details=why)


def _port_line(port: int) -> str:
    return f"  Port {port}\n" if port != SSH else ""


def _quoted(path: Path) -> str:
    # ssh_config: a double-quoted word; `%` begins a token.
    return '"' + str(path).replace("%", "%%") + '"'
