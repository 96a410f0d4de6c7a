"""What libvirt keeps for lab's machines: pool, networks, images. All of it is made as it is needed.

What is there already, and does not work, is what is looked for.
"""

from __future__ import annotations

from lab.machines.health import Command, Verdict, note, ok
from lab.machines.providers import libvirt_network, libvirt_storage
from lab.machines.providers import libvirt_virsh as virsh
from lab.system import process

_LOCK = libvirt_storage.ROOT / "incoming/lock"
_PART = libvirt_storage.ROOT / "incoming/image.part"


def pool() -> Verdict:
    """Whether the storage pool is active, if it is there."""
    name = libvirt_storage.POOL
    up, all_ = (
        answer.split() for answer in virsh.ask("pool-list --name", "pool-list --all --name")
    )
    if name in up:
        return ok(f"{name} is active, in {libvirt_storage.IMAGES}")
    if name not in all_:
        return ok("made with the first machine")
    return note(f"The storage pool {name} is not active", commands=(_virsh("pool-start", name),))


def networks() -> Verdict:
    """Whether those of lab's networks that there are, are up."""
    up, all_ = (answer.split() for answer in virsh.ask("net-list --name", "net-list --all --name"))
    ours = [name for name in libvirt_network.NAMES.values() if name in all_]
    if not ours:
        return ok("made with the first machine")
    down = [name for name in ours if name not in up]
    if not down:
        return ok(f"up: {', '.join(ours)}")
    return note(
        f"libvirt's networks are down: {', '.join(down)}",
        commands=tuple(_virsh("net-start", name) for name in down),
    )


def half_copied_image() -> Verdict:
    """The image of a box that nobody has finished copying into the pool."""
    # Root's, and closed to others. Who copies holds the lock.
    script = '[ -e "$1" ] || exit 0; flock --nonblock "$2" true || { echo busy; exit; }; echo left'
    said = process.run(
        process.as_root(["sh", "-c", script, "sh", str(_PART), str(_LOCK)]), timeout_s=20
    ).stdout.strip()
    if said != "left":
        return ok("one is being copied now" if said else "none")
    remove = ("flock", "--nonblock", str(_LOCK), "rm", "-f", str(_PART))
    return note(
        f"{_PART}, of a lab that was killed; the next box that is copied replaces it",
        commands=(Command(argv=remove, as_root=True),),
    )


def _virsh(*words: str) -> Command:
    return Command(argv=("virsh", "--connect", virsh.URI, *words), as_root=True)
