"""What libvirt says, through its `virsh`: one process for many questions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from lab.errors import ProcessError
from lab.system import process

URI = "qemu:///system"
_TIMEOUT_S = 120.0
_MARK = "@lab asks@"
# Emulated, it boots in two thirds of the time of the best one.
PLAIN_PROCESSOR = "qemu64"


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """An address that a network keeps for a guest.

    Attributes:
        guest: the guest's name.
        ip: the address.
        mac: the hardware address by which the network's DHCP server knows the guest.
    """

    guest: str
    ip: str
    mac: str


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of libvirt's.

    Attributes:
        name: libvirt's name for it.
        bridge: the interface on the host.
        gateway: the host's own address there, with the network's prefix length.
        reserved: the addresses that it keeps, by guest.
    """

    name: str
    bridge: str
    gateway: ipaddress.IPv4Interface
    reserved: Mapping[str, Reservation] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A guest as libvirt has it; `state` is as `Guest.state` has it."""

    name: str
    uuid: str
    state: str


def command(*words: str) -> list[str]:
    """The `virsh` command that is run as root."""
    return process.as_root(_plain(*words))


def run(*words: str, log: Path | None = None, check: bool = True) -> process.Completed:
    """Run one command of `virsh`.

    Raises:
        ProcessError: it failed and `check` is set, or took too long.
    """
    return process.run(command(*words), log=log, timeout_s=_TIMEOUT_S, check=check)


def run_as_user(*words: str) -> process.Completed:
    """Run one command of `virsh` without root's rights, as Vagrant does; it may well fail.

    Raises:
        ProcessError: it took too long.
    """
    return process.run(_plain(*words), timeout_s=_TIMEOUT_S, check=False)


def read(what: str, xml: str, *, log: Path | None = None) -> process.Completed:
    """Run a command of `virsh` that takes a file of XML, from its input; it may well fail."""
    return process.run(
        command(what, "/dev/stdin"),
        stdin=xml.encode(),
        log=log,
        timeout_s=_TIMEOUT_S,
        check=False,
    )


def ask(*questions: str) -> list[str]:
    """The answers to commands of `virsh`, in their order; "" to one that failed.

    Raises:
        ProcessError: libvirt did not answer.
    """
    # Whatever fails, virsh goes on with the next command; and it echoes without a line's end.
    script = "".join(f"echo '{_MARK}'; {question}; " for question in questions)
    completed = run(f"{script}echo '{_MARK}'", check=False)
    answers = completed.stdout.split(_MARK)[1:]
    if len(answers) != len(questions) + 1:
        raise ProcessError("libvirt did not answer", details=completed.tail())
    return answers[:-1]


def domains_and(*questions: str) -> tuple[dict[str, Domain], list[str]]:
    """The guests by name, and the answers to more questions as from `ask`.

    Raises:
        ProcessError: libvirt did not list its guests. That is not to have none.
    """
    script = "".join(
        f"echo '{_MARK}'; {question}; "
        for question in ("list --state-running --uuid", "list --state-shutoff --uuid", *questions)
    )
    # The exit code is the last command's.
    completed = run(f"{script}echo '{_MARK}'; list --all --uuid --name", check=False)
    answers = completed.stdout.split(_MARK)[1:]
    if not completed.ok or len(answers) != len(questions) + 3:
        raise ProcessError(
            "libvirt did not say which machines there are",
            details=completed.tail(),
            hint="sudo virsh list --all   (says why)",
        )
    running, shut_off, *more, all_ = answers
    return parse_domains(all_, running, shut_off), more


def domains() -> dict[str, Domain]:
    """The guests by name.

    Raises:
        ProcessError: libvirt did not list its guests.
    """
    return domains_and()[0]


def parse_domains(all_: str, running: str, shut_off: str) -> dict[str, Domain]:
    """The guests by name, from three lists of libvirt's: all, by UUID and name, and UUIDs."""
    run_, stopped = set(running.split()), set(shut_off.split())
    found: dict[str, Domain] = {}
    for line in all_.splitlines():
        # The name is last: it may hold spaces.
        uuid, _, name = line.strip().partition(" ")
        if uuid:
            state = "running" if uuid in run_ else "stopped" if uuid in stopped else "unknown"
            found[name.strip()] = Domain(name=name.strip(), uuid=uuid, state=state)
    return found


def adapted(xml: str, *, kind: str, network: str, mac: str) -> str:
    """A stopped guest's definition as it is to be for its next start, "" where it is so already.

    Vagrant takes neither another network nor another hypervisor into account once it has made a
    guest.

    Args:
        xml: the definition as it is.
        kind: `kvm` or `qemu`.
        network: the network that it belongs in.
        mac: its hardware address there.
    """
    root = ElementTree.fromstring(xml)  # noqa: S314 (as below)
    changed = root.get("type") != kind
    if changed:
        _change_hypervisor(root, kind)
    for path, key, value in (
        ("devices/interface/source", "network", network),
        ("devices/interface/mac", "address", mac),
    ):
        element = root.find(path)
        if element is not None and element.get(key) != value:
            element.set(key, value)
            changed = True
    return ElementTree.tostring(root, encoding="unicode") if changed else ""


def _change_hypervisor(root: ElementTree.Element, kind: str) -> None:
    """Give a definition another hypervisor, and the processor and limits that go with it."""
    root.set("type", kind)
    for processor in root.findall("cpu"):
        root.remove(processor)
    features = root.find("features")
    if features is None:
        features = ElementTree.SubElement(root, "features")
    for emulator in features.findall("tcg"):
        features.remove(emulator)
    if kind == "kvm":
        ElementTree.SubElement(root, "cpu", mode="host-passthrough")
        return
    processor = ElementTree.SubElement(root, "cpu", mode="custom", match="exact")
    ElementTree.SubElement(processor, "model", fallback="allow").text = PLAIN_PROCESSOR
    # As the Vagrantfile has it.
    cache = ElementTree.SubElement(ElementTree.SubElement(features, "tcg"), "tb-cache", unit="MiB")
    cache.text = "256"


def parse_network(xml: str) -> Network | None:
    """A network from its XML, None where it has no address of its own (or is not there)."""
    if not xml.strip():
        return None
    # Root's own libvirt wrote it.
    root = ElementTree.fromstring(xml)  # noqa: S314
    ip, bridge = root.find("ip"), root.find("bridge")
    if ip is None or bridge is None or ip.get("family", "ipv4") != "ipv4":
        return None
    length = ip.get("netmask") or ip.get("prefix")
    hosts = [
        Reservation(guest=it.get("name", ""), ip=it.get("ip", ""), mac=it.get("mac", ""))
        for it in ip.iterfind("dhcp/host")
    ]
    return Network(
        name=root.findtext("name", ""),
        bridge=bridge.get("name", ""),
        gateway=ipaddress.IPv4Interface(f"{ip.get('address')}/{length}"),
        reserved={host.guest: host for host in hosts if host.guest},
    )


def networks(names: Sequence[str]) -> dict[str, Network]:
    """Those of the networks that are there, by name.

    Raises:
        ProcessError: libvirt did not answer.
    """
    found = map(parse_network, ask(*(f"net-dumpxml {name}" for name in names)))
    return {network.name: network for network in found if network is not None}


MEMORY = "domstats --nowait --balloon --list-active"
_MEMORY_OF = re.compile(r"^\s*balloon\.(maximum|rss)=(\d+)$", re.MULTILINE)


def parse_untouched_mb(memory: str, *, beside_mb: int) -> float:
    """Memory that the running guests may still take, from the answer to `MEMORY`.

    Args:
        memory: that answer.
        beside_mb: what QEMU itself takes for each, beside the guest's memory.
    """
    untouched = 0.0
    for guest in memory.split("Domain:")[1:]:
        kb = {what: int(value) for what, value in _MEMORY_OF.findall(guest)}
        if kb.keys() == {"maximum", "rss"}:
            untouched += max(0.0, (kb["maximum"] - kb["rss"]) / 1024 + beside_mb)
    return untouched


def _plain(*words: str) -> list[str]:
    return ["virsh", "--quiet", "--connect", URI, *words]


def guests_with_address(networks: Iterable[Network]) -> dict[str, str]:
    """The address that is kept for each guest."""
    return {name: host.ip for it in networks for name, host in it.reserved.items()}
