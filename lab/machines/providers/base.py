"""What every provider can do for lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.classroom.classes import MachineSize


@dataclass(frozen=True, kw_only=True)
class Guest:
    """What the provider really has.

    `state` is `running`, `stopped` or `unknown`; `ip` is "" while there is none.
    """

    name: str
    state: str
    ip: str = ""


class Provider(Protocol):
    """A kind of machine that Vagrant can boot."""

    name: str

    def require(self) -> None:
        """See that it works on this host.

        Raises:
            HostError: what is missing, and the command that mends it.
        """

    def guests(self, prefix: str) -> dict[str, Guest]:
        """All guests whose name starts with `prefix`, by name, in one query.

        Raises:
            ProcessError: the provider did not answer.
        """

    def limits(self, size: MachineSize) -> tuple[tuple[str, str], ...]:
        """A machine's share of the host, as the Vagrant provider's own settings."""

    def ever_started(self, guest: str) -> bool:
        """Whether a guest was ever booted, and so may hold somebody's work."""

    def remove(self, guest: str) -> None:
        """Remove a guest that Vagrant has lost track of; nothing happens when there is none.

        Raises:
            ProcessError: it could not be removed.
        """

    def check_room(self, guests: int) -> None:
        """See that the host's limits allow so many guests in all.

        Raises:
            HostError: which limit does not, and the command that raises it.
        """
