"""What every provider can do for lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lab.classroom.classes import MachineSize


@dataclass(frozen=True, kw_only=True)
class Guest:
    """What the provider really has.

    Attributes:
        name: what the provider calls it.
        state: `running`, `stopped` or `unknown`.
        ip: its address, "" while there is none.
        started: whether lab's seed was run for it, at its first start: lab made it, and it may hold
            somebody's work.
    """

    name: str
    state: str
    ip: str = ""
    started: bool = False


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses with their prefix length (`10.0.3.7/24`), by guest, and their network's gateway.

    None at all where a provider's guests get theirs as they boot.
    """

    gateway: str = ""
    of: Mapping[str, str] = field(default_factory=dict)


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

    def settings(self, size: MachineSize, address: str) -> tuple[tuple[str, str], ...]:
        """A machine's share of the host, and its address if any, as Vagrant's provider has them."""

    def allot_addresses(self, guests: Sequence[str]) -> Addresses:
        """Give guests addresses of their own, before they boot, that no other guest will have.

        One that was allotted before stays; a guest that exists without one gets none.

        Raises:
            HostError: the network has not so many left.
            ProcessError: the provider's network could not be asked.
        """

    def remove(self, guest: str) -> None:
        """Remove a guest that Vagrant has lost track of; nothing happens when there is none.

        Raises:
            ProcessError: it could not be removed.
        """

    def halt(self, guest: str) -> None:
        """Stop a guest that is not among Vagrant's machines of this project.

        Raises:
            ProcessError: it could not be stopped.
        """

    def pack(self, guest: str, *, root_id: str, recipe: str, work: Path, log: Path) -> Path:
        """Make a Vagrant box of a stopped guest, without what is the guest's own.

        Args:
            guest: its name.
            root_id: what the box's root is called on this host.
            recipe: the digest of what went into it.
            work: an empty folder for what is made on the way.
            log: gets the output of the commands.

        Returns:
            The box file, in `work`.

        Raises:
            ProcessError: a command failed.
        """

    def roots(self) -> dict[str, bool]:
        """The unpacked roots that clones share, by name; whether a guest on this host uses each."""

    def remove_root(self, root: str) -> None:
        """Remove a root that no guest uses.

        Raises:
            ProcessError: it could not be removed.
        """

    def check_room(self, guests: int) -> None:
        """See that the host's limits allow so many guests in all.

        Raises:
            HostError: which limit does not, and the command that raises it.
        """
