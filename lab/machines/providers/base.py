"""What every provider can do for lab."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lab.classroom.classes import MachineSize
from lab.machines.boxes.catalog import Box
from lab.machines.health import Command

# How long a machine may take to boot, and to stop. A provider's patience multiplies these.
BOOT_TIMEOUT_S = 300.0
HALT_TIMEOUT_S = 60.0
# How long Vagrant waits for one SSH connection.
SSH_TIMEOUT_S = 15.0
_LEAST_TOTAL = 1024
# Where guests listen, and where this computer's own ports do that lead there.
SSH, HTTP = 22, 80
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Guest:
    """What the provider really has.

    Attributes:
        name: what the provider calls it.
        state: `running`, `stopped` or `unknown`.
        ip: its address, "" while there is none.
        started: whether lab's seed was run for it, at its first start: lab made it, and it may hold
            somebody's work.
        identity: tells it from any other that has had its name, and from itself before it was put
            back to fresh; "" while it was never started. The host knows it: nobody in the guest
            can change it.
        vagrant_id: what Vagrant's note of it says, "" where that is its name.
    """

    name: str
    state: str
    ip: str = ""
    started: bool = False
    identity: str = ""
    vagrant_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A guest as it is to be.

    Attributes:
        name: what the provider calls it.
        box: the Vagrant box that it is a clone of.
        size: its share of the host.
        address: its address and the prefix length of its network (`10.0.3.7/24`), "" where it
            comes with the boot.
        keys: the folder with what is its own: keys, name and address (`lab.machines.keys`).
        isolated: whether it is kept from all other guests.
        internet: whether it reaches further than the host.
        ports: the ports of this computer that lead to its own, by its own; empty where it is
            reached at its address.
    """

    name: str
    box: str
    size: MachineSize
    address: str
    keys: Path
    isolated: bool
    internet: bool
    ports: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A guest's disk as it once was, kept beside the guest; it goes with it.

    Attributes:
        name: lab's name for it.
        created: when it was taken, in seconds since 1970; 0 where that is not known.
        size_mb: what it takes of the host's disk.
    """

    name: str
    created: float
    size_mb: int


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses with their prefix length (`10.0.3.7/24`), by guest, and their network's gateway.

    None at all where a provider's guests get theirs as they boot. `ports` are the ports of this
    computer that lead to a guest's own, by guest and by its own; empty where guests are reached at
    their addresses.
    """

    gateway: str = ""
    of: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Something of the host that machines share, and that can be used up.

    Attributes:
        name: what it is, in a few words; `needs` speaks of it by this name.
        unit: `MB`, `GB`, or "" where things are counted.
        free: what machines that do not run yet may still use; below zero where more was promised
            than there is.
        of: how much the host has in all.
        hint: the command or edit that raises it, "" where none does; `{total}` in it stands for the
            new total (see `hint_for`).
        promised: whether machines seldom use what they are promised of it, so that
            `lab up --overcommit` may leave it out.
    """

    name: str
    unit: str
    free: float
    of: float
    hint: str = ""
    promised: bool = False

    def hint_for(self, needed: float) -> str:
        """The hint, with a total that leaves `needed` free: a power of two, and no small one."""
        total = max(_LEAST_TOTAL, math.ceil(self.of), math.ceil(self.of - self.free + needed))
        return self.hint.replace("{total}", str(1 << (total - 1).bit_length()))


class Provider(Protocol):
    """A kind of machine that Vagrant can boot.

    Attributes:
        name: as labs.yaml has it.
        boot_memory_mb: what a machine really uses when it has booted.
        one_by_one: whether Vagrant must have made and started a machine before another Vagrant may
            begin with the next; they boot side by side all the same.
        addresses_any_box: whether guests of any box take an address that was allotted to them, and
            not only those of lab's own profiles.
        before_pack: a script that root runs in a guest before it is stopped to be packed; "" where
            `pack` itself takes out what is the guest's own.
    """

    name: str
    one_by_one: bool
    boot_memory_mb: int
    addresses_any_box: bool
    before_pack: str

    @property
    def boot_weight(self) -> int:
        """How many machines a processor can boot at a time."""

    @property
    def patience(self) -> float:
        """How many times longer than in a container things may take; time-outs grow by it."""

    def remarks(self) -> tuple[str, ...]:
        """What is worth saying before machines boot, a sentence each: that they are emulated."""

    def require(self) -> None:
        """See that it works on this host.

        Raises:
            HostError: what is missing, and the command that mends it.
        """

    def require_for(self, wanted: Sequence[Wanted]) -> None:
        """See that guests can be on this host as they are wanted to be; nothing is changed.

        It is asked before anything is fetched, made or destroyed for them.

        Args:
            wanted: the guests that are to be made or started, with or without addresses.

        Raises:
            HostError: they cannot; with what in labs.yaml, or which command, mends that.
            ProcessError: the provider did not answer.
        """

    def guests(self, prefix: str) -> dict[str, Guest]:
        """All guests whose name starts with `prefix`, by name, in one query.

        Raises:
            ProcessError: the provider did not answer.
        """

    def settings(self, wanted: Wanted) -> tuple[tuple[str, str], ...]:
        """A guest's share of the host and its network, as Vagrant's provider has them."""

    def seed_disc(self, guest: str) -> str:
        """The file of the disc from which a guest takes what is its own, "" where it needs none."""

    def keep_apart(self, wanted: Sequence[Wanted], *, log: Path) -> None:
        """See that the host's rules keep guests apart: those that run, and before others start.

        Somebody may have taken the rules away since. It comes after `allot_addresses`.

        Args:
            wanted: the guests.
            log: gets the output of the commands.

        Raises:
            HostError: the host cannot keep them apart.
            ProcessError: a command failed.
        """

    def prepare(
        self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path
    ) -> Mapping[str, str]:
        """See that the host has what guests need before Vagrant starts them.

        Args:
            wanted: the guests that are about to be started.
            new: the names of those that must still be made.
            log: gets the output of the commands.

        Returns:
            Why some guests must not be started, and what mends that, by name; nothing of theirs
            was touched.

        Raises:
            HostError: the host cannot have it; with the command that mends that.
            ProcessError: a command failed.
        """

    def allot_addresses(self, guests: Sequence[Wanted]) -> Addresses:
        """Give guests addresses of their own, before they boot, that no other guest will have.

        One that was allotted before stays; a guest that exists without one may get none. Whatever
        address the guests are wanted to have does not count.

        Raises:
            HostError: the network has not so many left.
            ProcessError: the provider's network could not be asked.
        """

    def remove(self, guest: str) -> None:
        """Remove a guest that Vagrant has lost track of; nothing happens when there is none.

        Raises:
            ProcessError: it could not be removed.
        """

    def removal(self, guest: str) -> Command:
        """The command that removes a guest, for who does it by hand."""

    def clear(self, guests: Collection[str]) -> None:
        """Remove what the host keeps for guests that are no more: addresses, discs, identities.

        A guest that is still there keeps all of it.

        Raises:
            ProcessError: it could not be removed.
        """

    def halt(self, guest: str) -> None:
        """Stop a guest, without Vagrant.

        Raises:
            ProcessError: it could not be stopped.
        """

    def require_snapshots(self) -> None:
        """See that guests' disks can be kept and put back.

        Raises:
            HostError: not this provider's; with what does instead.
        """

    def not_renewable(self, guests: Sequence[str]) -> Mapping[str, str]:
        """Why guests cannot be made fresh by `renew`, by name; those that can are left out.

        Raises:
            ProcessError: the provider did not answer.
        """

    def snapshots(self, prefix: str) -> Mapping[str, tuple[Snapshot, ...]]:
        """The snapshots of all guests whose name starts with `prefix`, in one query, oldest first.

        Guests without any are left out.

        Raises:
            ProcessError: the provider did not answer.
        """

    def save_snapshot(self, guest: str, name: str) -> None:
        """Keep a guest's disk as it is; one of that name is replaced.

        A guest that runs stands still for a moment, and goes on whatever comes of it. One that is
        cut off is no snapshot.

        Raises:
            MachineError: it could not be kept; an earlier one of that name is intact.
        """

    def restore_snapshot(self, guest: str, name: str, *, keep_as: str | None) -> None:
        """Give a stopped guest the disk, and the identity, that a snapshot has.

        It is done or not done: what was cut off is finished, or was never begun, when the guest is
        next looked after (`prepare`, or any of these).

        Args:
            guest: its name.
            name: the snapshot's.
            keep_as: a new snapshot, which what was there becomes; None drops that.

        Raises:
            MachineError: it could not be done; what was there is intact.
        """

    def renew(self, guest: str, *, keep_as: str | None) -> None:
        """Give a stopped guest the disk of a fresh clone; its next start gives it a new identity.

        Keys, name and address are what they were. See `restore_snapshot` for the rest.

        Raises:
            MachineError: it could not be done; what was there is intact.
        """

    def delete_snapshot(self, guest: str, name: str) -> None:
        """Remove a snapshot.

        Raises:
            MachineError: there is none, or it could not be removed.
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

    def root_of(self, box: Box) -> str:
        """What the unpacked root of a box is, or would be, called on this host; "" for none.

        It is what its clones share, whatever that is.
        """

    def export_box(self, box: Box, *, work: Path, log: Path) -> Path:
        """A box that Vagrant has as a file that is all of it, on any other host too.

        Args:
            box: the box.
            work: an empty folder for what is made.
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

    def capacity(self) -> tuple[Limit, ...]:
        """The host's limits that a class may meet; one that cannot be read is left out.

        Raises:
            ProcessError: the provider did not answer.
        """

    def needs(self, size: MachineSize, *, new: bool) -> Mapping[str, float]:
        """What one machine takes of each limit when it is started, by `Limit.name`.

        Args:
            size: what labs.yaml gives it.
            new: whether it must still be made; one that was made has its disk and its address.
        """
