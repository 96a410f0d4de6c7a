"""Students' machines are kept apart, and the proof of that fails when they are not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.machines.conftest import BOX, ClassFolder

LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs:
  apart: {{guide: tiny, students: [ana, luis]}}
  open: {{guide: tiny, isolation: off, students: [zoe]}}
  shut: {{guide: tiny, isolation: off, internet: off, students: [eva]}}
"""
NAMES = ("apart-ana", "apart-luis", "open-zoe", "shut-eva")
APART = {"apart-ana", "apart-luis"}


@pytest.fixture(scope="module")
def students(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("isolation", LABS_YAML)
    folder.add_tiny_guide()
    folder.lab("up")
    return folder


def rows_of(folder: ClassFolder, *targets: str, exit_code: int) -> dict[str, Any]:
    document = folder.json("verify", "--isolation", *targets, exit_code=exit_code)
    return {row["machine"]: row for row in document["isolation"]}


def reached(rows: dict[str, Any]) -> set[tuple[str, str]]:
    """Who reaches whom and should not."""
    return {
        (name, it["machine"])
        for name, row in rows.items()
        for it in row["reaches"]
        if not it["allowed"]
    }


def ways(rows: dict[str, Any], name: str, other: str) -> list[str]:
    [found] = [it["ways"] for it in rows[name]["reaches"] if it["machine"] == other]
    return list(found)


def as_root(*words: str) -> None:
    subprocess.run(["sudo", *words], check=True, capture_output=True)


def ports() -> list[str]:
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    return [line.split("@")[0] for line in links.stdout.splitlines() if line.startswith("labiw")]


def test_students_are_kept_apart_and_neighbours_are_not(students: ClassFolder) -> None:
    rows = rows_of(students, exit_code=0)
    assert tuple(rows) == NAMES
    assert {row["outcome"] for row in rows.values()} == {"passed"}
    for name in NAMES:
        others = {other for other in NAMES if other != name}
        kept = others if name in APART else APART
        assert set(rows[name]["kept_from"]) == kept
        assert {it["machine"] for it in rows[name]["reaches"]} == others - kept
    assert "tcp 22" in ways(rows, "open-zoe", "shut-eva")
    assert [row["beyond"] for row in rows.values()] == [None, None, None, False]


def test_the_host_serves_those_without_the_internet(students: ClassFolder) -> None:
    knock = "exec 3<>/dev/tcp/$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')/53"
    students.student("eva", knock)
    students.student("ana", knock)


def test_the_port_of_dhcp_is_no_way_out(students: ClassFolder) -> None:
    # An older lab on this computer may have set its own rules since.
    students.lab("up")
    # What this computer hands on to there is counted, and goes no further.
    as_root("nft", "add", "table", "ip", "lab_try")
    hook = "{ type filter hook forward priority -300; }"
    as_root("nft", "add", "chain", "ip", "lab_try", "forward", hook)
    as_root("nft", "add rule ip lab_try forward ip daddr 192.0.2.67 udp dport 67 counter drop")
    try:
        counted = []
        for login in ("eva", "ana"):
            students.student(login, "echo out >/dev/udp/192.0.2.67/67")
            listed = ["sudo", "nft", "list", "chain", "ip", "lab_try", "forward"]
            said = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
            counted.append("packets 0 " not in said)
        assert counted == [False, True]
    finally:
        as_root("nft", "delete", "table", "ip", "lab_try")


def test_nothing_of_the_proof_is_left(students: ClassFolder) -> None:
    rows_of(students, "ana", exit_code=0)
    for login in ("ana", "luis", "zoe", "eva"):
        left = students.root(login, "ls -d /run/lab-neighbours.* || true; pgrep -c perl || true")
        assert left.split() == ["0"]


def test_a_student_s_key_opens_no_other_machine(students: ClassFolder) -> None:
    theirs = (students.path / ".lab/ssh/apart-luis/student.pub").read_text()
    keys = "/home/ana/.ssh/authorized_keys"
    students.root("ana", f"cp -p {keys} ~root/keys; cat >>{keys} <<<'{theirs}'")
    try:
        rows = rows_of(students, "ana", exit_code=1)
        assert [it["kind"] for it in rows["apart-ana"]["findings"]] == ["others-key"]
    finally:
        students.root("ana", f"cp -p ~root/keys {keys}")


def test_passwords_are_seen(students: ClassFolder) -> None:
    # The first line counts.
    conf, line = "/etc/ssh/sshd_config", "PasswordAuthentication yes"
    students.root("ana", f"cp -p {conf} /root; sed -i '1i{line}' {conf}; systemctl restart ssh")
    try:
        rows = rows_of(students, "ana", exit_code=1)
        assert {it["kind"] for it in rows["apart-ana"]["findings"]} == {"password"}
    finally:
        students.root("ana", f"cp -p ~root/sshd_config {conf}; systemctl restart ssh")


def test_a_host_key_that_was_swapped_is_an_error(students: ClassFolder) -> None:
    key = "/etc/ssh/ssh_host_ed25519_key"
    students.root(
        "luis",
        f"cp -p {key} {key}.pub /root; rm {key}; ssh-keygen -q -t ed25519 -N '' -f {key}; systemctl restart ssh",
    )
    try:
        rows = rows_of(students, "luis", exit_code=1)
        assert [it["kind"] for it in rows["apart-luis"]["findings"]] == ["host-key"]
        refused = students.lab("ssh", "luis", "--", "true", exit_code=255)
        assert "verification failed" in refused.stderr
    finally:
        # By LXC: nothing else gets in any more.
        [name] = [it for it in students.guests() if it.endswith("-apart-luis")]
        mend = "cp -p ~root/ssh_host_ed25519_key* /etc/ssh/; systemctl restart ssh"
        as_root("lxc-attach", "--name", name, "--", "bash", "-c", mend)
    rows_of(students, "luis", exit_code=0)


def test_without_the_rules_the_proof_fails(students: ClassFolder) -> None:
    as_root("nft", "delete", "table", "bridge", "lab")
    for port in ports():
        as_root("bridge", "link", "set", "dev", port, "isolated", "off")
    rows = rows_of(students, exit_code=1)
    others = {(name, it) for name in NAMES for it in NAMES if name != it}
    assert reached(rows) == others - {("open-zoe", "shut-eva"), ("shut-eva", "open-zoe")}
    assert ways(rows, "apart-ana", "apart-luis")[-1] == "tcp 22"
    assert rows["shut-eva"]["beyond"] is True
    assert [it["kind"] for it in rows["shut-eva"]["findings"]] == ["internet"]
    told = students.lab("verify", "--isolation", exit_code=1).stdout
    assert "reaches apart-luis: arp, " in told

    # All of them run: nothing is started again.
    students.lab("up")
    rows_of(students, exit_code=0)


def test_without_the_route_s_rule_the_proof_fails(students: ClassFolder) -> None:
    rules = subprocess.run(["ip", "rule"], capture_output=True, text=True, check=True).stdout
    network = students.student("ana", "ip -4 route show dev eth0 proto kernel").split()[0]
    [rule] = [line for line in rules.splitlines() if f"to {network} iif lxcbr0 prohibit" in line]
    as_root("ip", "rule", "del", *rule.split(":")[1].replace("from all", "").split())
    rows = rows_of(students, exit_code=1)
    assert ("apart-ana", "apart-luis") in reached(rows)
    assert ways(rows, "apart-ana", "apart-luis") == ["gateway"]

    students.lab("up")
    rows_of(students, exit_code=0)


def test_a_changed_policy_waits_for_the_next_start(students: ClassFolder) -> None:
    labs = students.path / "labs.yaml"
    labs.write_text(LABS_YAML.replace("isolation: off, students: [zoe]", "students: [zoe]"))
    try:
        planned = {row["login"]: row for row in students.json("plan", exit_code=None)["machines"]}
        assert planned["zoe"]["label"] == "drifted"
        assert "isolation off" in planned["zoe"]["why"]
        assert planned["ana"]["label"] == "ok"
        assert ("open-zoe", "shut-eva") in reached(rows_of(students, exit_code=1))
        students.lab("halt", "zoe")
        students.lab("up", "zoe")
        rows = rows_of(students, exit_code=0)
        assert set(rows["open-zoe"]["kept_from"]) == set(NAMES) - {"open-zoe"}
    finally:
        labs.write_text(LABS_YAML)
