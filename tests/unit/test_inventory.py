"""What a guest holds, listed for real in a folder of the test's own, and what has changed there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.machines import inventory as module
from lab.machines.inventory import (
    Entry,
    Inventory,
    Service,
    differences,
    restarted,
    stopped,
    take_inventory,
)
from lab.system import process
from lab.workflow.project import Project

Take = Callable[..., Inventory]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("etc", "home/ana/.cache", "var/log", "proc", "var/lib/lab/steps"):
        (root / folder).mkdir(parents=True)
    return root


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch, root: Path, project: Project) -> Take:
    """Takes the folder's inventory as if it were a guest's disk; `.read` is what was read of it."""
    read: list[str] = []

    def as_root(folder: Any, machine: Any, script: str, **given: Any) -> process.Completed:
        here = script.replace("find / ", f"find {root} ").replace("-path /", f"-path {root}/")
        here = here.replace("/var/lib/lab/steps", f"{root}/var/lib/lab/steps")
        done = subprocess.run(
            ["bash", "-c", here], input=given.get("stdin") or b"", capture_output=True, check=True
        )
        if given.get("stdin"):
            read.extend(given["stdin"].decode().split("\0"))
        for line in done.stdout.decode(errors="replace").splitlines():
            given["on_line"](line.replace(str(root), ""))
        return process.Completed(argv=(), returncode=0, stdout="", stderr="", seconds=0.0)

    monkeypatch.setattr(module.ssh, "run_as_root", as_root)

    def take(before: Inventory | None = None) -> Inventory:
        read.clear()
        return take_inventory(project.machines[0], project.folder, before=before)

    take.read = read  # type: ignore[attr-defined]
    return take


def test_what_is_done_to_a_disk_shows(take: Take, root: Path, monkeypatch: Any) -> None:
    # The stand-in for SSH gives file names as the guest has them, and reads them there.
    def touch(name: str, text: str = "text") -> Path:
        path = root / name
        path.write_text(text)
        return path

    touch("etc/same")
    touch("etc/content", "a")
    touch("etc/mode").chmod(0o644)
    gone = touch("etc/gone")
    link = root / "etc/link"
    link.symlink_to("same")
    before = with_digests(take(), root)
    touch("etc/content", "b")
    (root / "etc/mode").chmod(0o600)
    gone.unlink()
    link.unlink()
    link.symlink_to("content")
    touch("etc/new ñ 'one'")
    assert list(differences(before, with_digests(take(), root)).values()) == [
        "~ /etc/content",
        "- /etc/gone",
        f"~ /etc/link (777 {owner(root)} same -> 777 {owner(root)} content)",
        f"~ /etc/mode (644 {owner(root)} -> 600 {owner(root)})",
        "+ /etc/new ñ 'one'",
    ]


def owner(root: Path) -> str:
    return f"{root.stat().st_uid}:{root.stat().st_gid}"


def with_digests(inventory: Inventory, root: Path) -> Inventory:
    """The same with each file's text in its digest's place."""
    return replace(
        inventory,
        files={
            path: replace(
                it, digest=(root / path.lstrip("/")).read_text() if it.kind == "f" else ""
            )
            for path, it in inventory.files.items()
        },
    )


def test_what_changes_by_itself_is_left_out(take: Take, root: Path) -> None:
    before = take()
    for name in (
        "proc/1",
        "var/log/syslog",
        "var/lib/lab/digest",
        "home/ana/.cache/it",
        "home/ana/app.log",
        "etc/module.pyc",
        "etc/passwd-",
    ):
        (root / name).write_text("x")
    assert differences(before, take()) == {}


def test_only_what_has_changed_is_read_again(
    take: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def digests(machine: Any, folder: Any, paths: list[str]) -> dict[str, str]:
        asked.append(paths)
        return {path: f"digest of {path}" for path in paths} | {"/etc/nobody": "x"}

    monkeypatch.setattr(module, "_digests", digests)
    (root / "etc/one").write_text("1")
    (root / "etc/two").write_text("2")
    first = take()
    assert first.files["/etc/one"].digest == "digest of /etc/one"
    (root / "etc/two").write_text("3")
    second = take(first)
    assert [sorted(paths) for paths in asked] == [["/etc/one", "/etc/two"], ["/etc/two"]]
    assert second.files["/etc/one"] == first.files["/etc/one"]
    assert "/etc/nobody" not in second.files


def test_the_digests_are_those_of_the_files(take: Any, root: Path, project: Project) -> None:
    path = root / "etc/two words\nand ñ"
    path.write_text("text")
    found = module._digests(project.machines[0], project.folder, [str(path), str(root / "gone")])
    digest = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    assert found == {"/etc/two words?and ñ": digest}


def test_what_a_step_noted_of_its_state(take: Take, root: Path) -> None:
    (root / "var/lib/lab/steps/web").write_text("d1 0 1.5 abc\n")
    assert take().states == {"web": "abc"}


def running(**services: str) -> Inventory:
    """What these services run; those of a name in capitals only while they are asked for things."""
    return Inventory(
        files={},
        services={
            name: Service(run=run, lasting=not name.isupper()) for name, run in services.items()
        },
        states={},
    )


def test_services_that_were_restarted() -> None:
    before = running(nginx="10", ssh="11", gone="12", IDLE="13")
    assert restarted(before, running(nginx="20", ssh="11", new="21", IDLE="14")) == (
        "IDLE",
        "nginx",
    )


def test_services_that_were_stopped_and_not_those_that_end_by_themselves() -> None:
    before = running(nginx="10", gone="12", IDLE="13")
    assert stopped(before, running(nginx="20", new="21")) == ("gone",)


def test_the_services_of_systemd_and_of_supervisor(
    take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {
        "systemctl": """
case $1 in
    list-units) printf '%s loaded active running Words\\n' nginx.service idle.service own.service user@0.service ;;
    show) printf 'Id=nginx.service\\nUnitFileState=enabled\\nInvocationID=a1\\n\\n'
        printf 'Id=idle.service\\nUnitFileState=static\\nInvocationID=b2\\nBusName=org.idle\\n\\n'
        printf 'Id=own.service\\nUnitFileState=static\\nInvocationID=c3\\nBusName=\\n'
        [ "$*" = "${*/user@/}" ] ;;
esac
""",
        "supervisorctl": """
echo 'app        RUNNING   pid 12, uptime 0:00:05'
echo 'broken     BACKOFF   Exited too quickly'
""",
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash{text}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert take().services == {
        "nginx.service": Service(run="a1"),
        "idle.service": Service(run="b2", lasting=False),
        "own.service": Service(run="c3"),
        "app (supervisor)": Service(run="12"),
    }


def test_a_file_in_a_folder_s_place_is_another_thing() -> None:
    folder = Inventory(
        files={"/a": Entry(kind="d", mode="755", owner="0:0")}, services={}, states={}
    )
    file = replace(folder, files={"/a": Entry(kind="f", mode="755", owner="0:0", digest="x")})
    assert differences(folder, file) == {"/a": "~ /a"}
