"""Ways around isolation by the host: which routing rules close them, and what becomes of one that is refused."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from lab.errors import ProcessError
from lab.machines.providers import libvirt_detours, lxc
from lab.machines.providers.libvirt_virsh import Network
from tests.unit.conftest import Program

LAB = Network(name="lab", bridge="virbr-lab", gateway=ipaddress.IPv4Interface("10.177.0.1/22"))
# Keeps the rules that it is told, and shows them as the kernel does.
IP = """
folder=$(dirname "$0")
case "$*" in
    "-4 rule show") printf '0:\\tfrom all lookup local\\n'; cat "$folder/rules" 2>/dev/null || : ;;
    "-4 -force -batch -") echo >>"$folder/calls"; sed 's/^rule add pref 100 /100:\\t/' >>"$folder/rules" ;;
    *) echo "ip $*: not expected" >&2; exit 1 ;;
esac
"""


def test_no_way_leads_over_the_host_to_another_of_lab_s_networks(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = program("ip", IP).parent
    monkeypatch.setattr(libvirt_detours.process, "as_root", list)
    monkeypatch.setattr(lxc, "bridge_address", lambda: "10.0.3.1/24")
    offline = Network(
        name="lab-offline",
        bridge="virbr-lab-off",
        gateway=ipaddress.IPv4Interface("10.177.8.1/22"),
    )
    there = [LAB, offline]
    (folder / "rules").write_text(
        "99:\tfrom all to 10.177.0.0/22 iif virbr-lab [detached] prohibit\n"
    )
    for _ in range(2):
        libvirt_detours.forbid_detours(there, offline={"lab-offline"}, log=None)
    assert (folder / "calls").read_text() == "\n"
    assert (folder / "rules").read_text().splitlines()[1:] == [
        "100:\tfrom all to 10.177.8.0/22 iif virbr-lab prohibit",
        "100:\tfrom all to 10.0.3.0/24 iif virbr-lab prohibit",
        "100:\tfrom all to 10.177.0.0/22 iif virbr-lab-off prohibit",
        "100:\tfrom all to 10.177.8.0/22 iif virbr-lab-off prohibit",
        "100:\tfrom all to 10.0.3.0/24 iif virbr-lab-off prohibit",
        "100:\tfrom all to 10.177.0.0/22 iif lxcbr0 prohibit",
        "100:\tfrom all to 10.177.8.0/22 iif lxcbr0 prohibit",
        "100:\tfrom all iif virbr-lab-off prohibit",
    ]


def test_a_rule_that_the_kernel_refuses_is_an_error(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("ip", "exit 0")
    monkeypatch.setattr(libvirt_detours.process, "as_root", list)
    monkeypatch.setattr(lxc, "bridge_address", lambda: "")
    with pytest.raises(ProcessError, match="did not take a routing rule") as caught:
        libvirt_detours.forbid_detours([LAB], offline=(), log=None)
    assert caught.value.details == "from all to 10.177.0.0/22 iif virbr-lab prohibit"
