"""The fixtures that a guide's checks are given: the guest, its student, the view from outside."""

from __future__ import annotations

import http.client
import shlex
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from testinfra.host import Host

from lab.checks.backend import connect
from lab.checks.evidence import expect
from lab.checks.request import Target
from lab.checks.transcript import Transcript
from lab.classroom.wording import say_in_all
from lab.errors import ConnectionLost
from lab.machines.ssh import Shell

T = TypeVar("T")
# The prompt of what is asked from this computer.
LAB_HOST = "lab host"
REBOOT_TIMEOUT_S = 120.0
_RETRY_S = 0.3
_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class CheckedStudent:
    """Whose machine is checked, as checks see it."""

    login: str
    name: str
    email: str
    vhost: str
    vars: dict[str, str]

    @property
    def home(self) -> str:
        """The folder that the account step gives the student."""
        return f"/home/{self.login}"


@dataclass(frozen=True)
class Response:
    """An HTTP response; `status` is 0 when nothing answered, and `body` then says why."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


class LabHost:
    """This computer, on which lab runs: sees the guest as a browser would."""

    def __init__(
        self,
        address: str,
        vhost: str,
        transcript: Transcript | None = None,
        *,
        patience: float = 1.0,
    ) -> None:
        self._patience = patience
        self._address = address
        self._vhost = vhost
        self._transcript = transcript or Transcript()

    def get(self, path: str = "/", host: str | None = None, timeout_s: float = 5) -> Response:
        """Ask the guest's web server for a path, by the student's virtual host or another name."""
        found = self._get(path, host, timeout_s * self._patience)
        header = f"Host: {host or self._vhost}"
        url = f"http://{self._address}{path}"
        said = f"HTTP {found.status}\n{found.body}" if found.status else found.body
        self._transcript.note(shlex.join(["curl", "-i", "-H", header, url]), said, where=LAB_HOST)
        return found

    def _get(self, path: str, host: str | None, timeout_s: float) -> Response:
        connection = http.client.HTTPConnection(self._address, 80, timeout=timeout_s)
        # The connection's own time limit begins anew with each byte.
        late = threading.Event()
        limit = None
        try:
            connection.connect()
            limit = threading.Timer(timeout_s, _cut_off, [connection.sock, late])
            limit.start()
            connection.request("GET", path, headers={"Host": host or self._vhost})
            response = connection.getresponse()
            body = response.read(_BODY_BYTES).decode(errors="replace")
            found = Response(response.status, body, dict(response.getheaders()))
        except (OSError, http.client.HTTPException) as error:
            found = Response(0, str(error))
        finally:
            if limit is not None:
                limit.cancel()
            connection.close()
        return Response(0, f"no whole answer within {timeout_s:g} s") if late.is_set() else found


def _cut_off(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    # It may have been closed this very moment.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class MachineFixtures:
    """The fixtures of the machine that this process checks.

    pytest binds them while it collects, before there is a machine: `point_at` comes later, in the
    machine's fork.
    """

    _target: Target
    _shell: Shell

    def __init__(self) -> None:
        self.transcript = Transcript()

    def point_at(self, target: Target, shell: Shell) -> None:
        """Say which machine it is."""
        self._target = target
        self._shell = shell

    @pytest.fixture
    def student(self) -> CheckedStudent:
        """Whose machine it is."""
        target = self._target
        return CheckedStudent(
            target.login, target.name, target.email, target.vhost, dict(target.vars)
        )

    @pytest.fixture
    def host(self) -> Host:
        """The guest, as root."""
        return connect(self._shell, self._target.machine, transcript=self.transcript)

    @pytest.fixture
    def as_student(self) -> Host:
        """The guest, as the student: each command in a fresh login."""
        target = self._target
        return connect(self._shell, target.machine, login=target.login, transcript=self.transcript)

    @pytest.fixture
    def from_lab_host(self) -> LabHost:
        """The computer that lab runs on."""
        return LabHost(
            self._target.address,
            self._target.vhost,
            self.transcript,
            patience=self._shell.patience,
        )

    @pytest.fixture
    def patience(self) -> float:
        """How many times longer than in a container things may take in the guest."""
        return self._shell.patience

    @pytest.fixture
    def wait_until(self) -> Callable[..., object]:
        """Ask again and again until the answer is true, or time is up."""
        patience = self._shell.patience

        def wait(predicate: Callable[[], T], timeout_s: float = 10, every_s: float = 0.2) -> T:
            return wait_until(predicate, timeout_s=timeout_s * patience, every_s=every_s)

        return wait

    @pytest.fixture
    def expect(self) -> Callable[..., None]:
        """Fail the check unless something is true, with what was expected and what was found."""
        return expect

    @pytest.fixture
    def reboot(self) -> Callable[[], None]:
        """Reboot the guest, and wait until it lets lab in again."""

        def reboot() -> None:
            self.transcript.note("systemctl reboot")
            reboot_guest(self._shell)

        return reboot


def reboot_guest(shell: Shell) -> None:
    """Reboot the guest, and wait until it lets lab in again.

    Raises:
        ConnectionLost: it does not.
        NotAsExpected: it goes on as before.
    """
    before = _boot_mark(shell)
    shell.run("(sleep 0.2; systemctl reboot) >/dev/null 2>&1 &", timeout_s=10)
    limit_s = REBOOT_TIMEOUT_S * shell.patience
    deadline = time.monotonic() + limit_s
    while True:
        time.sleep(_RETRY_S)
        shell.close()
        try:
            if _boot_mark(shell) != before:
                return
        except ConnectionLost:
            if time.monotonic() > deadline:
                raise
        else:
            expect(
                time.monotonic() <= deadline,
                expected=say_in_all("checks.reboots", seconds=f"{limit_s:g}"),
            )


def wait_until(predicate: Callable[[], T], timeout_s: float = 10, every_s: float = 0.2) -> T:
    """The predicate's first true value, or its last one when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every_s)


def _boot_mark(shell: Shell) -> bytes:
    # The kernel's boot id tells a virtual machine's boots apart, the start of process 1 a
    # container's.
    answer = shell.run(
        "cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat", timeout_s=10
    )
    if answer.timed_out:
        raise ConnectionLost("The machine is too slow", details="it did not answer in time")
    return answer.stdout
