"""Routing rules that close the ways around isolation by the host: it holds on the bridge only."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ProcessError
from lab.machines.providers import lxc
from lab.machines.providers.libvirt_virsh import Network
from lab.system import process


def forbid_detours(
    networks: Iterable[Network], *, offline: Collection[str], log: Path | None
) -> None:
    """Refuse what a guest sends to another by way of the host.

    LXC's guests are others, too; `boxes/lxc/isolate` does the same from its side. What is without
    the internet is handed on nowhere, whatever becomes of libvirt's firewall. The host's own
    addresses are looked up before any such rule.

    Args:
        networks: all of lab's.
        offline: the names of those that are without the internet.
        log: gets the output of the commands.

    Raises:
        ProcessError: the kernel did not take a rule.
    """
    there = list(networks)
    targets = [it.gateway.network for it in there]
    at = lxc.bridge_address()
    beside = [ipaddress.IPv4Interface(at).network] if at else []
    wanted = [_Detour(it.bridge, str(target)) for it in there for target in [*targets, *beside]]
    wanted += [_Detour(lxc.BRIDGE, str(target)) for target in targets if beside]
    wanted += [_Detour(it.bridge) for it in there if it.name in offline]
    missing = _not_forbidden(wanted)
    if not missing:
        return
    # Another lab may be quicker: with -force the rest is done all the same.
    process.run(
        process.as_root(["ip", "-4", "-force", "-batch", "-"]),
        stdin="".join(f"rule add pref 100 {it.rule}\n" for it in missing).encode(),
        log=log,
        check=False,
    )
    if left := _not_forbidden(missing):
        raise ProcessError(
            "Machines cannot be kept apart: the kernel did not take a routing rule",
            details="\n".join(it.rule for it in left),
            hint=f"sudo ip rule add pref 100 {left[0].rule}   (says why)",
            log=log,
        )


@dataclass(frozen=True)
class _Detour:
    """A way over the host, from a bridge to a network; "" is every network."""

    bridge: str
    to: str = ""

    @property
    def rule(self) -> str:
        """What refuses it, in the words and the order in which `ip rule` shows it."""
        return f"from all {f'to {self.to} ' if self.to else ''}iif {self.bridge} prohibit"


def _not_forbidden(ways: Sequence[_Detour]) -> list[_Detour]:
    # A rule says `[detached]` while its bridge is not there.
    said = process.run(["ip", "-4", "rule", "show"]).stdout.replace(" [detached]", "")
    rules = {" ".join(line.partition(":")[2].split()) for line in said.splitlines()}
    return [it for it in ways if it.rule not in rules]
