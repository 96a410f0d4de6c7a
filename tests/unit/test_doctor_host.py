"""Disks, clock and what lab runs in."""

from __future__ import annotations

import email.utils
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.machines.health import Health
from lab.machines.probes import disk, surroundings
from tests.unit.conftest import Program


class Archive(http.server.BaseHTTPRequestHandler):
    """An archive whose clock is as far off as its class says."""

    off_s = 0.0

    def do_HEAD(self) -> None:
        self.send_response_only(404)
        if self.off_s < 1e9:
            self.send_header("Date", email.utils.formatdate(time.time() + self.off_s))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def archive() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Archive) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/debian"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_folder_is_tried_by_writing_and_left_as_it_was(tmp_path: Path) -> None:
    assert disk.writable(tmp_path, needed_gb=0, why="").outcome is Health.OK
    assert disk.writable_by_root(tmp_path, needed_gb=0, why="").outcome is Health.OK
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_yet_to_be_made_is_tried_above(tmp_path: Path) -> None:
    verdict = disk.writable(tmp_path / "a/b/c", needed_gb=0, why="")
    assert verdict.outcome is Health.OK
    assert verdict.found.startswith(f"{tmp_path}: ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named() -> None:
    # Not even root writes there.
    there = Path("/proc/self")
    verdict = disk.writable(there, needed_gb=0, why="It is needed.")
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found.startswith(f"{there} cannot be written: ")
    assert verdict.fix.startswith(f"findmnt -T {there}")


def test_root_cannot_write_either(program: Program) -> None:
    program("mktemp", "echo 'Read-only file system' >&2; exit 1")
    verdict = disk.writable_by_root(Path("/"), needed_gb=0, why="It is needed.")
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found == "/ cannot be written: Read-only file system"


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = disk.writable(tmp_path, needed_gb=1e9, why="")
    assert verdict.outcome is Health.PROBLEM
    assert "1000000000.0 GB are wanted" in verdict.found
    assert disk.writable(tmp_path, needed_gb=1e9, why="", urgent=False).outcome is Health.NOTE
    values = list(os.statvfs(tmp_path))
    values[5], values[7] = 1000, 3  # files in all, and those still free to us
    monkeypatch.setattr(disk.os, "statvfs", lambda _: os.statvfs_result(values))
    assert "3 more files" in disk.writable(tmp_path, needed_gb=0, why="").found


def test_the_clock_is_the_archive_s(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.clock(mirror=archive).outcome is Health.OK
    monkeypatch.setattr(Archive, "off_s", 10000.0)
    verdict = surroundings.clock(mirror=archive)
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found == "This computer's clock is 3 hours behind the archive's"
    assert "timedatectl" in verdict.fix
    monkeypatch.setattr(Archive, "off_s", -400000.0)
    assert "5 days ahead of" in surroundings.clock(mirror=archive).found


def test_an_archive_that_does_not_say_leaves_the_clock_unknown(
    archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Archive, "off_s", 1e9)
    assert surroundings.clock(mirror=archive).outcome is Health.UNKNOWN
    nobody = "http://127.0.0.1:9/debian"
    assert surroundings.clock(mirror=nobody).outcome is Health.UNKNOWN
    monkeypatch.setattr(surroundings, "host_mirror", lambda _: None)
    assert surroundings.clock().outcome is Health.UNKNOWN


def test_files_of_the_future_are_touched(tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    assert surroundings.from_the_future(tmp_path).outcome is Health.OK
    late = time.time() + 86400
    (tmp_path / "late").touch()
    os.utime(tmp_path / "late", (late, late))
    verdict = surroundings.from_the_future(tmp_path)
    assert verdict.outcome is Health.NOTE
    [command] = verdict.commands
    command.run()
    assert surroundings.from_the_future(tmp_path).outcome is Health.OK


def test_home(tmp_path: Path) -> None:
    assert surroundings.home({"HOME": str(tmp_path)}).outcome is Health.OK
    assert surroundings.home({}).outcome is Health.PROBLEM
    assert surroundings.home({"HOME": "/nowhere/at/all"}).outcome is Health.PROBLEM


def test_a_umask_that_shuts_out_oneself() -> None:
    before = os.umask(0o022)
    try:
        assert surroundings.umask().outcome is Health.OK
        os.umask(0o700)
        assert surroundings.umask().outcome is Health.PROBLEM
        # Looking does not change it.
        assert os.umask(0o022) == 0o700
    finally:
        os.umask(before)


def test_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings.locale, "getpreferredencoding", lambda **_: "UTF-8")
    assert surroundings.utf8().outcome is Health.OK
    monkeypatch.setattr(surroundings.locale, "getpreferredencoding", lambda **_: "ANSI_X3.4-1968")
    assert surroundings.utf8().outcome is Health.NOTE


def test_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.temporary_files().outcome is Health.OK
    monkeypatch.setattr(surroundings.tempfile, "tempdir", str(tmp_path / "none"))
    assert surroundings.temporary_files().outcome is Health.PROBLEM


def test_lab_s_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings.python_packages().outcome is Health.OK
    monkeypatch.setattr(surroundings, "_PACKAGES", ("no_such_package_of_lab",))
    verdict = surroundings.python_packages()
    assert verdict.outcome is Health.PROBLEM
    assert "No module named 'no_such_package_of_lab'" in verdict.found
