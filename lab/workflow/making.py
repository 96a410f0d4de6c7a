"""The making of machines that cannot be made side by side: one at a time for all labs of a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from lab.machines.boxes import catalog
from lab.machines.providers.base import Provider
from lab.system import lock

# What Vagrant says when the provider has made and started a guest, which only boots then.
STARTED = ("Waiting for machine to boot", "Waiting for domain to get an IP address")
# The first clone of a box takes minutes, and another lab may be at one.
_WAIT_S = 3600.0


@contextmanager
def made_alone(
    provider: Provider, *, operation: str, tell: Callable[[str], None]
) -> Iterator[Callable[[], None]]:
    """Make a machine while no other lab of this user's makes one, if the provider's need that.

    It lasts to the end of the block, or until what the block is given is called, from any thread.
    What makes the machine may go on then. A lab that is killed lets go only when its Vagrant has
    ended.

    Args:
        provider: makes it.
        operation: what it is made for, for the one who has to wait.
        tell: told who is waited for, and "" when that is over.

    Raises:
        LockedError: another lab made one for an hour.
        Interrupted: lab was interrupted while it waited.
    """
    with ExitStack() as held:
        if provider.one_by_one:
            path = catalog.vagrant_home() / f"lab-{provider.name}-making.lock"
            held.enter_context(
                lock.hold(
                    path,
                    operation=operation,
                    wait_s=_WAIT_S,
                    on_wait=tell,
                    what="making a machine",
                    outlived=True,
                )
            )
            tell("")
        yield held.close
