"""Vagrant, through python-vagrant where that fits and past it where it does not.

It does not for many machines in one call. Every call is a Ruby process of about a second, so lab
makes as few as it can: one for all machines of an operation. python-vagrant builds the commands and
reads their output; the running is lab's own, with logs, time-outs and the output of a failure.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import vagrant

from lab.errors import LabError, ProcessError
from lab.system import crash, process

QUICK_S = 120
_DOWNLOAD_S = 3600.0
# Vagrant gives up on each machine by itself long before this.
_AROUND_BOOT_S = 300.0
_AROUND_BOOT_PER_MACHINE_S = 20.0
_ENVIRONMENT = {
    "VAGRANT_NO_COLOR": "1",
    "VAGRANT_CHECKPOINT_DISABLE": "1",
    # Vagrant starts two dozen programs a machine: without copying all of its own memory for each.
    "CHILDPROCESS_POSIX_SPAWN": "true",
    # Room for its objects from the start, instead of collecting garbage all the way there.
    "RUBY_GC_HEAP_INIT_SLOTS": "600000",
}
_OF_MACHINE = re.compile(r"^(?:==>|   ) ([-a-z0-9]+): (.*)$")
_BATCH_ERROR = re.compile(r"^An error occurred while executing the action on the '([-a-z0-9]+)'$")


class VagrantKilled(ProcessError):
    """A signal ended Vagrant before it could say what became of each machine."""


class _VagrantFailed(ProcessError):
    """Vagrant ended with an exit code other than 0; `said` is all of its stderr."""

    said = ""


class _Binding(vagrant.Vagrant):
    """python-vagrant, with its processes run by `lab.system.process`."""

    def __init__(self, root: Path, log: Path | None) -> None:
        super().__init__(root=str(root))  # type: ignore[no-untyped-call]  # python-vagrant's
        self.log = log

    def _make_vagrant_command(self, args: Sequence[str | None]) -> list[str]:
        return ["vagrant", *(arg for arg in args if arg is not None)]

    def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
        self._run_vagrant_command(args)

    def _run_vagrant_command(
        self,
        args: Sequence[str | None],
        *,
        timeout_s: float = QUICK_S,
        on_line: Callable[[str], None] | None = None,
        env: Mapping[str, str] | None = None,
        stop: threading.Event | None = None,
    ) -> str:
        crash.point(f"before vagrant {args[0]}")
        completed = process.run(
            self._make_vagrant_command(args),
            cwd=Path(self.root),
            env={**_ENVIRONMENT, **(env or {})},
            log=self.log,
            timeout_s=timeout_s,
            on_line=on_line,
            stop=stop,
            check=False,
        )
        crash.point(f"vagrant {args[0]} has ended")
        if not completed.ok:
            raise _explained(completed, self.log)
        return completed.stdout


class Vagrant:
    """Vagrant in the folder of the generated Vagrantfile."""

    def __init__(self, project: Path, *, log: Path | None = None) -> None:
        self._binding = _Binding(project, log)

    def up(
        self,
        names: Sequence[str],
        *,
        provider: str,
        on_line: Callable[[str, str], None],
        boot_timeout_s: float,
        stop: threading.Event | None = None,
    ) -> dict[str, str]:
        """Create and boot machines at once, without their provisioners.

        Args:
            names: the machines.
            provider: what boots them.
            on_line: told a machine's name and each line that Vagrant says of it, from another
                thread.
            boot_timeout_s: how long a machine may take from its start to its first SSH login.
            stop: when this is set Vagrant is ended; what runs goes on running.

        Returns:
            What went wrong, by machine; the others are up as far as Vagrant can tell. That it took
            far longer than it should is what went wrong with all of them.

        Raises:
            VagrantKilled: a signal ended Vagrant, as `stop` does.
            LabError: it cannot be used at all.
        """
        command = ["up", *names, f"--provider={provider}", "--no-provision", "--parallel"]

        def hand_on(line: str) -> None:
            if match := _OF_MACHINE.match(line):
                on_line(match[1], match[2])

        try:
            self._binding._run_vagrant_command(
                command,
                timeout_s=boot_timeout_s + _AROUND_BOOT_S + _AROUND_BOOT_PER_MACHINE_S * len(names),
                on_line=hand_on,
                env={"LAB_BOOT_SECONDS": str(math.ceil(boot_timeout_s))},
                stop=stop,
            )
        except _VagrantFailed as error:
            return batch_errors(error.said) or dict.fromkeys(names, error.in_words())
        except VagrantKilled:
            raise
        except ProcessError as error:
            return dict.fromkeys(names, error.in_words())
        return {}

    def halt(self, names: Sequence[str], *, patience: float) -> None:
        """Stop machines, each of which takes `patience` times as long as a container.

        Raises:
            LabError: Vagrant could not.
        """
        self._binding._run_vagrant_command(
            ["halt", *names], timeout_s=(QUICK_S + 15 * len(names)) * patience
        )

    def destroy(self, names: Sequence[str]) -> None:
        """Remove machines for good; those that do not exist are no error.

        Raises:
            LabError: Vagrant could not.
        """
        self._binding._run_vagrant_command(
            ["destroy", *names, "--force"], timeout_s=QUICK_S + 15 * len(names)
        )

    def add_box(self, name: str, url: str, *, provider: str) -> None:
        """Give Vagrant a box under a name, in place of one that it has.

        Raises:
            LabError: the box cannot be had, or is none.
        """
        self._binding._run_vagrant_command(
            ["box", "add", name, url, "--force", "--provider", provider], timeout_s=_DOWNLOAD_S
        )

    def remove_box(self, name: str, *, provider: str) -> None:
        """Take a box away from Vagrant.

        Raises:
            LabError: there is none.
        """
        self._binding.box_remove(name, provider)  # type: ignore[no-untyped-call]  # python-vagrant's

    def validate(self) -> None:
        """See that Vagrant accepts the Vagrantfile.

        Raises:
            LabError: it does not; with its reasons.
        """
        self._binding._run_vagrant_command(["validate"])


def batch_errors(text: str) -> dict[str, str]:
    """What went wrong by machine, from what Vagrant prints when some of a batch failed."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if match := _BATCH_ERROR.match(line.strip()):
            current = found.setdefault(match[1], [])
        elif current is not None and not line.startswith("machine. Please handle this error"):
            current.append(line.strip())
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def _explained(completed: process.Completed, log: Path | None) -> LabError:
    if "machine index" in completed.stderr.lower():
        return LabError(
            "Vagrant's own list of machines (its machine index) is damaged",
            details=completed.tail(),
            hint="Nothing is lost: move ~/.vagrant.d/data/machine-index away, "
            "and run the same command again.",
            log=log,
        )
    kind = VagrantKilled if completed.returncode < 0 else _VagrantFailed
    error = kind(
        f"`vagrant {completed.argv[1]}` {process.describe_exit(completed.returncode)}",
        details=completed.tail(200),
        log=log,
    )
    if isinstance(error, _VagrantFailed):
        error.said = completed.stderr
    return error
