"""Which provider boots the machines, and why not another."""

from __future__ import annotations

from lab.machines.health import Verdict, from_error, note, ok
from lab.machines.providers import trouble_with, untried


def provider_works(name: str, *, used: str) -> Verdict:
    """Whether a provider works on this computer.

    Args:
        name: its name.
        used: the name of the one that boots this class's machines; another is only looked at for
            who would rather have that one.
    """
    trouble = trouble_with(untried(name))
    if trouble is None:
        return ok("it works, and is used" if name == used else "it works, and is not used")
    if name == used:
        return from_error(trouble, why="It is what boots the machines.")
    lines = (f"It is not used, and does not work: {trouble.message}", trouble.details)
    return note("\n".join(line for line in lines if line), fix=trouble.hint)
