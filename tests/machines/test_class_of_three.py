"""The main job: a class of three comes up green, is broken in many ways, and is mended."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.conftest import BOX, ClassFolder

LABS_YAML = f"""\
defaults:
  box: {BOX}
  domain: vps.claseando.es
  guest: {{ca_certificates: host}}
labs:
  hellopython:
    students:
      - {{login: ana, name: "Ana Núñez #{{File.write('/tmp/lab-was-here', 'x')}}", email: ana@example.org}}
      - {{login: luis, name: "Luis $(touch /tmp/lab-was-here) `id` 'O''Hara'", email: luis@example.org}}
      - marta
"""

SITE = "program.answers program.reachable program.reboot"
ANSWERS = f"program.loopback program.logs program.crash {SITE}"
CONTROL = "program.stop program.start program.restart"
PROGRAM = "program.autostart program.stopsignal program.commands program.running program.status"

# Three rounds of three: who is broken, by whom (root, or the student), how; the one check that
# then fails, and those that it blocks.
BREAKAGES = (
    {
        "ana": ("root", "rm /etc/nginx/sites-enabled/*.ana.* && systemctl reload nginx",
                "vhost.enabled", f"vhost.static {SITE}"),
        "luis": ("root", "sed -i s/8080/8081/ /etc/nginx/sites-available/*.luis.* && nginx -s reload",
                 "vhost.uwsgi_pass", SITE),
        "marta": ("root", "gpasswd -d marta supervisor",
                  "account.group", f"program.status {CONTROL}"),
    },
    {
        "ana": ("student", "supervisorctl stop hellopython",
                "program.running", f"{CONTROL} {ANSWERS}"),
        "luis": ("student", "cd webapps/hellopython && sed -i 's/return .*/raise RuntimeError(1)/' main.py"
                            " && supervisorctl restart hellopython",
                 "app.hello", SITE),
        "marta": ("student", "chmod -x webapps/hellopython/run.sh && supervisorctl restart hellopython",
                  "app.executable", f"program.running {CONTROL} {ANSWERS}"),
    },
    {
        "ana": ("root", "systemctl stop nginx",
                "nginx.running", f"vhost.static {SITE}"),
        "luis": ("root", "systemctl stop supervisor",
                 "supervisor.running",
                 f"supervisor.settings supervisor.socket program.settings {PROGRAM} {CONTROL} {ANSWERS}"),
        "marta": ("root", "rm /etc/supervisor/conf.d/hellopython.conf && supervisorctl update",
                  "program.settings", f"{PROGRAM} {CONTROL} {ANSWERS}"),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def classroom(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("three", LABS_YAML)
    folder.lab("up")
    return folder


def test_the_class_comes_up_green(classroom: ClassFolder) -> None:
    document = classroom.json("verify")

    assert document["version"] == 1
    (lab,) = document["labs"]
    assert lab["lab"] == "hellopython"
    assert [student["login"] for student in lab["students"]] == ["ana", "luis", "marta"]
    for student in lab["students"]:
        assert set(student) == {
            "login", "machine", "score", "max_score", "total_points", "outcome", "at", "checks",
        }  # fmt: skip
        assert student["machine"] == f"hellopython-{student['login']}"
        assert student["outcome"] == "passed"
        assert student["score"] == student["max_score"] == student["total_points"] == 60
        assert len(student["checks"]) == 45
        assert len({check["step"] for check in student["checks"]}) == 10
    assert set(lab["students"][0]["checks"][0]) == {
        "id", "step", "title", "outcome", "points", "max_points", "message", "hint", "seconds",
        "hidden", "blocked_by", "evidence",
    }  # fmt: skip


def test_status_knows_every_machine(classroom: ClassFolder) -> None:
    document = classroom.json("status")

    assert document["version"] == 1
    assert [row["login"] for row in document["machines"]] == ["ana", "luis", "marta"]
    for row in document["machines"]:
        assert (row["state"], row["provider"]) == ("running", "lxc")
        assert (row["steps_done"], row["steps_total"], row["step"]) == (10, 10, "program")
        assert row["url"] == f"http://hellopython.{row['login']}.vps.claseando.es/"
        assert _get(row["ip"], f"hellopython.{row['login']}.vps.claseando.es") == (
            200,
            "Hello World!",
        )


def test_up_again_changes_nothing(classroom: ClassFolder) -> None:
    before = classroom.root("ana", "cat /var/lib/lab/steps/*")
    document = classroom.json("up")

    assert [(row["ok"], row["changed"]) for row in document["machines"]] == [(True, False)] * 3
    assert classroom.root("ana", "cat /var/lib/lab/steps/*") == before


def test_every_step_may_run_again_and_the_class_stays_green(classroom: ClassFolder) -> None:
    classroom.lab("provision", "marta", "--force")
    assert classroom.outcomes("marta") == {"marta": {}}


def test_nothing_is_downloaded_for_a_student(classroom: ClassFolder) -> None:
    route = classroom.root("luis", "ip route show default").strip()
    classroom.root("luis", "ip route del default; rm -rf ~luis/webapps ~luis/.local")
    try:
        classroom.lab("up", "luis")
        assert classroom.outcomes("luis") == {"luis": {}}
    finally:
        classroom.root("luis", f"ip route show default | grep -q . || ip route add {route}")


def test_a_site_that_keeps_nginx_from_starting_is_mended_by_its_own_step(
    classroom: ClassFolder,
) -> None:
    broken = "echo 'server {' >>/etc/nginx/sites-available/*.ana.*; systemctl restart nginx"
    classroom.root("ana", broken, exit_code=1)

    # The step `nginx` comes first, and must not end the run because nginx does not start.
    document = classroom.json("up", "ana")

    assert [(row["ok"], row["changed"]) for row in document["machines"]] == [(True, True)]
    assert classroom.root("ana", "nginx -q -t && systemctl is-active nginx") == "active\n"
    [ana] = [row for row in classroom.json("plan")["machines"] if row["login"] == "ana"]
    assert (ana["label"], ana["why"]) == ("ok", "")


def test_names_are_only_ever_names(classroom: ClassFolder) -> None:
    assert not Path("/tmp/lab-was-here").exists()
    for login in ("ana", "luis"):
        classroom.root(login, "test ! -e /tmp/lab-was-here")
    assert classroom.root("ana", "getent passwd ana | cut -d: -f5").startswith("Ana Núñez #{File")
    assert "$(touch /tmp/lab-was-here) `id` 'O''Hara'" in classroom.root(
        "luis", "getent passwd luis"
    )


def test_students_get_in_by_key_alone_and_have_no_root(classroom: ClassFolder) -> None:
    assert classroom.student("ana", "id -un").strip() == "ana"
    assert "supervisor" in classroom.student("ana", "id -Gn").split()
    classroom.student("ana", "sudo -n true", exit_code=1)
    settings = classroom.root("ana", "sshd -T")
    assert "passwordauthentication no" in settings
    assert "permitrootlogin no" in settings
    shadow = classroom.root("ana", "cut -d: -f1,2 /etc/shadow").split()
    assert not [line for line in shadow if len(line.split(":")[1]) > 13]


def test_a_swapped_host_key_is_refused(classroom: ClassFolder) -> None:
    known = classroom.path / ".lab/ssh/known_hosts"
    good = known.read_text()
    keys = [line.split(" ", 1)[1] for line in good.splitlines()]
    names = [line.split(" ", 1)[0] for line in good.splitlines()]
    known.write_text(
        "".join(f"{name} {key}\n" for name, key in zip(names, keys[1:] + keys[:1], strict=True))
    )
    try:
        # lab writes the file anew, so ssh is asked itself.
        done = subprocess.run(
            ["ssh", "-F", str(classroom.path / ".lab/ssh/config"), "hellopython-ana", "true"],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == 255
        assert "Host key verification failed" in done.stderr
    finally:
        known.write_text(good)


def test_a_halted_class_comes_back_as_it_was(classroom: ClassFolder) -> None:
    before = {row["login"]: row["ip"] for row in classroom.json("status")["machines"]}
    classroom.lab("halt", "luis")
    states = {row["login"]: row["state"] for row in classroom.json("status")["machines"]}
    assert states == {"ana": "running", "luis": "stopped", "marta": "running"}
    halted = classroom.json("verify", "luis", exit_code=4)["labs"][0]["students"][0]
    assert halted["outcome"] == "unknown"
    assert {check["points"] for check in halted["checks"]} == {None}

    classroom.lab("up")

    assert {row["login"]: row["ip"] for row in classroom.json("status")["machines"]} == before
    assert classroom.outcomes("luis") == {"luis": {}}


@pytest.mark.parametrize("round_", range(len(BREAKAGES)))
def test_what_is_broken_is_named_and_up_mends_it(classroom: ClassFolder, round_: int) -> None:
    for login, (who, script, _, _) in BREAKAGES[round_].items():
        run = classroom.root if who == "root" else classroom.student
        run(login, script, exit_code=None)

    assert classroom.outcomes() == {
        login: {failed: "failed", **dict.fromkeys(blocked.split(), "blocked")}
        for login, (_, _, failed, blocked) in BREAKAGES[round_].items()
    }

    classroom.lab("up")
    assert classroom.outcomes() == {"ana": {}, "luis": {}, "marta": {}}


def test_a_students_own_work_is_left_alone_and_a_broken_one_kept(classroom: ClassFolder) -> None:
    app = "webapps/hellopython"
    classroom.student("ana", f"sed -i 's/Hello World!/Hola/' {app}/main.py")
    classroom.lab("up", "ana")
    assert "Hola" in classroom.student("ana", f"cat {app}/main.py")

    classroom.student("ana", f"echo 'import nothing_like_this' >>{app}/main.py")
    classroom.lab("up", "ana")
    assert "Hello World!" in classroom.student("ana", f"cat {app}/main.py")
    assert "nothing_like_this" in classroom.student("ana", f"cat {app}/main.py.saved-by-lab")


def test_plain_vagrant_finds_every_step_done(classroom: ClassFolder) -> None:
    said = classroom.vagrant("provision", "hellopython-ana")
    assert said.count("kept") == 10


def _get(address: str, host: str) -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection(address, 80, timeout=10)) as connection:
        connection.request("GET", "/", headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read().decode()
