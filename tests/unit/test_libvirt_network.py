"""libvirt's networks: who gets which address, and where a machine belongs."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.errors import HostError
from lab.machines.providers import libvirt_network
from lab.machines.providers.libvirt_network import NAMES, allot, mac_of, room, xml_of
from lab.machines.providers.libvirt_virsh import (
    Network,
    Reservation,
    adapted,
    parse_domains,
    parse_network,
    parse_untouched_mb,
)
from tests.unit.conftest import WANTED

NETWORK = ipaddress.IPv4Network("10.177.0.0/22")
ANA = replace(WANTED, name="ana")
LUIS, MARTA = replace(ANA, name="luis"), replace(ANA, name="marta")
DOMAIN = """<domain type='qemu'>
  <name>ana</name>
  <features><acpi /><tcg><tb-cache unit='MiB'>256</tb-cache></tcg></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
  <devices>
    <interface type='network'>
      <mac address='52:54:0a:b1:00:02' />
      <source network='lab' />
    </interface>
  </devices>
</domain>"""


def kept(guest: str, ip: str) -> Reservation:
    return Reservation(guest=guest, ip=ip, mac=mac_of(ip))


def networks(**reserved: str) -> Mapping[str, Network]:
    """`lab` with what it keeps, and `lab_open` with nothing."""
    return {
        "lab": Network(
            name="lab",
            bridge="virbr-lab",
            gateway=ipaddress.IPv4Interface("10.177.0.1/22"),
            reserved={guest: kept(guest, ip) for guest, ip in reserved.items()},
        ),
        "lab-open": Network(
            name="lab-open",
            bridge="virbr-lab-open",
            gateway=ipaddress.IPv4Interface("10.177.4.1/22"),
        ),
    }


@pytest.mark.parametrize("name", NAMES.values())
def test_a_network_s_definition_is_read_back(name: str) -> None:
    xml = xml_of(name, NETWORK)
    found = parse_network(xml)
    assert found is not None
    assert (found.name, str(found.gateway), dict(found.reserved)) == (name, "10.177.0.1/22", {})
    assert len(found.bridge) <= 15
    isolated, internet = next(kind for kind, it in NAMES.items() if it == name)
    root = ElementTree.fromstring(xml)
    assert (root.find("port[@isolated='yes']") is not None) == isolated
    assert (root.find("forward") is not None) == internet


def test_a_network_that_is_not_there_or_has_no_addresses_is_none() -> None:
    assert parse_network("") is None
    assert parse_network("<network><name>bridged</name><bridge name='br0'/></network>") is None


def test_new_guests_get_the_first_addresses_that_nobody_has() -> None:
    there = networks(old="10.177.0.2", luis="10.177.0.4")
    found = allot([ANA, LUIS, MARTA], there, running={"luis"})
    assert found.given == {
        "ana": "10.177.0.3/22",
        "luis": "10.177.0.4/22",
        "marta": "10.177.0.5/22",
    }
    assert found.add == (
        ("lab", kept("ana", "10.177.0.3")),
        ("lab", kept("marta", "10.177.0.5")),
    )
    assert (found.drop, found.left_out) == ((), 0)


def test_what_was_given_stays_and_what_was_lost_is_given_again_when_the_guest_stops() -> None:
    there = networks(ana="10.177.0.9")
    runs = allot([ANA, LUIS], there, running={"ana", "luis"})
    assert runs.given == {"ana": "10.177.0.9/22"}
    assert (runs.add, runs.drop) == ((), ())
    stopped = allot([ANA, LUIS], there, running={"ana"})
    assert stopped.given == {"ana": "10.177.0.9/22", "luis": "10.177.0.2/22"}
    assert (stopped.add, stopped.drop) == ((("lab", kept("luis", "10.177.0.2")),), ())


def test_who_is_isolated_no_longer_moves_when_stopped_and_not_before() -> None:
    open_ = replace(ANA, isolated=False)
    there = networks(ana="10.177.0.2")
    running = allot([open_], there, running={"ana"})
    assert (running.given, running.add) == ({"ana": "10.177.0.2/22"}, ())
    stopped = allot([open_], there, running=())
    assert stopped.given == {"ana": "10.177.4.2/22"}
    assert stopped.add == (("lab-open", kept("ana", "10.177.4.2")),)
    assert stopped.drop == (("lab", kept("ana", "10.177.0.2")),)


def test_addresses_of_guests_that_nobody_made_are_let_go() -> None:
    there = networks(ana="10.177.0.2", dead="10.177.0.3")
    found = allot([ANA], there, running=(), forgotten={"ana", "dead"})
    assert found.drop == (("lab", kept("dead", "10.177.0.3")),)
    assert found.given == {"ana": "10.177.0.2/22"}


def test_a_full_network_says_for_how_many_it_has_none() -> None:
    hosts = [str(it) for it in NETWORK.hosts()]
    full = networks(**{f"g{number}": ip for number, ip in enumerate(hosts[1:-65])})
    found = allot([ANA, LUIS], full, running=())
    assert (found.given, found.left_out) == ({"ana": f"{hosts[-65]}/22"}, 1)
    assert room(full.values()) == (1, 957)
    assert room(()) == (957, 957)


def test_a_hardware_address_goes_with_the_address() -> None:
    assert mac_of("10.177.0.2/22") == mac_of("10.177.0.2") == "52:54:0a:b1:00:02"


def test_a_definition_that_is_as_it_should_be_stays() -> None:
    assert not adapted(DOMAIN, kind="qemu", network="lab", mac="52:54:0a:b1:00:02")


def test_a_machine_moves_to_another_network_and_to_kvm() -> None:
    root = ElementTree.fromstring(
        adapted(DOMAIN, kind="kvm", network="lab-open", mac="52:54:0a:b1:04:02")
    )
    source, mac = root.find("devices/interface/source"), root.find("devices/interface/mac")
    assert source is not None
    assert mac is not None
    assert (root.get("type"), source.get("network")) == ("kvm", "lab-open")
    assert mac.get("address") == "52:54:0a:b1:04:02"
    assert root.find("features/tcg") is None
    assert root.find("features/acpi") is not None
    assert [ElementTree.tostring(it) for it in root.findall("cpu")] == [
        b'<cpu mode="host-passthrough" />'
    ]


def test_a_machine_that_was_made_under_kvm_is_emulated_where_that_works_no_longer() -> None:
    under_kvm = adapted(DOMAIN, kind="kvm", network="lab", mac="52:54:0a:b1:00:02").replace(
        '<cpu mode="host-passthrough" />',
        '<cpu mode="host-passthrough" check="none" migratable="on" />',
    )
    assert "migratable" in under_kvm
    root = ElementTree.fromstring(
        adapted(under_kvm, kind="qemu", network="lab", mac="52:54:0a:b1:00:02")
    )
    # libvirt refuses `migratable` of any other processor than the host's.
    assert [it.attrib for it in root.findall("cpu")] == [{"mode": "custom", "match": "exact"}]
    assert root.findtext("cpu/model") == "qemu64"
    assert (root.get("type"), root.findtext("features/tcg/tb-cache")) == ("qemu", "256")
    assert not adapted(
        ElementTree.tostring(root, encoding="unicode"),
        kind="qemu",
        network="lab",
        mac="52:54:0a:b1:00:02",
    )


def test_guests_may_have_names_with_spaces() -> None:
    one, two = "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a01", "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a02"
    found = parse_domains(f"{one} ana\n{two} Windows 11  old\n\n", f"{two}\n\n", "\n")
    assert {name: it.state for name, it in found.items()} == {
        "ana": "unknown",
        "Windows 11  old": "running",
    }


def test_memory_that_was_given_and_not_touched_is_counted() -> None:
    said = (
        "Domain: 'a'\n  balloon.current=524288\n  balloon.maximum=524288\n  balloon.rss=262144\n\n"
        "Domain: 'b'\n  balloon.maximum=524288\n  balloon.rss=999999\n\n"
        "Domain: 'c'\n  balloon.maximum=524288\n\n"
    )
    assert parse_untouched_mb(said, beside_mb=100) == 356.0
    assert parse_untouched_mb("", beside_mb=100) == 0


def test_a_network_that_cannot_be_is_refused_when_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"lab": networks()["lab"]}
    routed: list[ipaddress.IPv4Network] = []
    monkeypatch.setattr(libvirt_network.virsh, "networks", lambda _: there)
    monkeypatch.setattr(libvirt_network.virsh, "ask", lambda _: ["lab"])
    monkeypatch.setattr(libvirt_network, "_routed", lambda: routed)
    libvirt_network.require_for(["lab", "lab-open"])
    routed += libvirt_network._CANDIDATES
    libvirt_network.require_for(["lab"])
    with pytest.raises(HostError, match="Every private network") as caught:
        libvirt_network.require_for(["lab", "lab-open"])
    assert "ip -4 route show table all" in caught.value.hint
    there["lab"] = replace(there["lab"], bridge="virbr7")
    with pytest.raises(HostError, match="has a network lab here that lab did not make"):
        libvirt_network.require_for(["lab"])
