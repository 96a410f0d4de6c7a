"""A testinfra backend over one live connection to a guest.

No command costs a process or a login of its own.
"""

from __future__ import annotations

import shlex
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from lab.checks.evidence import NotEvaluated, shortened
from lab.checks.transcript import Transcript, answer_of
from lab.classroom.wording import say_in_all
from lab.machines.ssh import Shell

COMMAND_TIMEOUT_S = 60.0
# Of 512 bytes: what a student's login prints without end, in the background even, is stopped before
# it has the guest's memory.
_STUDENT_FILE_BLOCKS = 4096
_SHOWN_CHARACTERS = 100


class LiveBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs commands in a guest as root, or in a fresh login of `login`.

    A fresh login has the groups that the account has now: a session that stays would keep the old
    ones.
    """

    NAME = "lab"

    def __init__(
        self, shell: Shell, machine: str, *, login: str = "", transcript: Transcript | None = None
    ) -> None:
        super().__init__(machine)
        self._shell = shell
        self._login = login
        self._transcript = transcript or Transcript()
        # Asked for by testinfra with a command a host; every box of ours speaks it.
        self._encoding = "UTF-8"

    def run(self, command: str, *args: str, **_kwargs: Any) -> CommandResult:  # noqa: ANN401 (testinfra's signature)
        """Run a command; testinfra's own signature.

        Raises:
            ConnectionLost: the guest does not answer (any more).
            NotEvaluated: as root it took too long. A student's login may be made to hang, so there
                that is an answer, with the exit code 124.
        """
        command = line = self.get_command(command, *args)
        if self._login:
            login, quoted = shlex.quote(self._login), shlex.quote(command)
            line = (
                f"ulimit -f {_STUDENT_FILE_BLOCKS} && cd / && "
                f"exec runuser --login {login} --command {quoted}"
            )
        # Noted before it is known how it ends: the connection may be lost over it.
        self._transcript.note(command, where=self._login)
        answer = self._shell.run(line, timeout_s=COMMAND_TIMEOUT_S)
        said = answer_of(self.decode(answer.stdout), self.decode(answer.stderr), answer.exit_code)
        self._transcript.note(command, said, where=self._login)
        if answer.timed_out and not self._login:
            shown = shortened(" ".join(command.split()), _SHOWN_CHARACTERS)
            seconds = f"{COMMAND_TIMEOUT_S * self._shell.patience:g}"
            raise NotEvaluated(say_in_all("checks.too_slow", seconds=seconds, command=shown))
        return self.result(answer.exit_code, command.encode(), answer.stdout, answer.stderr)

    def decode(self, data: bytes) -> str:
        """Text of the guest's, whatever bytes it holds."""
        return data.decode(errors="replace")


def connect(
    shell: Shell, machine: str, *, login: str = "", transcript: Transcript | None = None
) -> Host:
    """A testinfra host on a guest: as root, or as `login`; `transcript` is told of what it asks."""
    backend = LiveBackend(shell, machine, login=login, transcript=transcript)
    host = Host(backend)
    backend.set_host(host)
    return host
