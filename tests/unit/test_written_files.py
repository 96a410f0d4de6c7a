"""The files that Vagrant and the guests need from the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.machines.boxes.lxc import ISOLATE, SEED
from lab.machines.vagrantfile import render_vagrantfile
from lab.workflow.files import write_guest_settings, write_vagrantfile
from lab.workflow.project import Project

LABS = """
labs:
  hello: {guide: tiny, box: debian-12, domain: a.org, students: [ana], guest: {apt_mirror: "http://m.example.org"}}
  plain: {guide: tiny, domain: a.org, students: [ana]}
"""


def below(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_files_are_written_once(classroom: Callable[..., Project]) -> None:
    project = classroom(LABS)
    before = below(project.path)
    write_guest_settings(project)
    write_vagrantfile(project)
    written = below(project.path)
    assert sorted(set(written) - set(before)) == [
        ".lab/guest/hello/apt-mirror",
        ".lab/isolate",
        ".lab/seed",
        "Vagrantfile",
    ]
    assert (project.folder.root / "guest/plain").is_dir()
    for script in (SEED, ISOLATE):
        assert (project.folder.root / script.name).read_text() == script.read_text()
        assert (project.folder.root / script.name).stat().st_mode & 0o777 == 0o755
    assert (project.path / "Vagrantfile").read_text() == render_vagrantfile(
        project.machines, project=project.path, provider=project.provider
    )
    write_guest_settings(project)
    write_vagrantfile(project)
    assert below(project.path) == written
