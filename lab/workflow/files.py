"""The files that Vagrant and the guests need from the host.

They are written anew before each operation that uses them.
"""

from __future__ import annotations

from lab.machines.boxes.lxc import ISOLATE, SEED
from lab.machines.boxes.profiles import PROFILES
from lab.machines.guest_settings import write_settings
from lab.machines.kit import settings_folder
from lab.machines.vagrantfile import render_vagrantfile
from lab.system import crash
from lab.system.files import LabFolder, write_if_changed
from lab.workflow.project import Project

_OURS = b"# Written by lab from labs.yaml"


def write_guest_settings(project: Project, *, offline: bool = False) -> None:
    """Write what each lab hands to its guests.

    Args:
        project: whose labs.
        offline: whether the guests are to do without the internet.

    Raises:
        HostError: labs.yaml hands something of this host to the guests that it does not have.
        LabError: a file cannot be written.
    """
    for lab in project.classroom.labs:
        profile = PROFILES.get(lab.box)
        write_settings(
            settings_folder(project.folder, lab.name),
            lab.guest,
            distribution=profile.distribution if profile else "",
            offline=offline,
        )


def write_vagrantfile(project: Project) -> None:
    """Write the Vagrantfile, and the scripts that it names.

    Raises:
        LabError: a file cannot be written.
    """
    write_hooks(project.folder)
    text = render_vagrantfile(project.machines, project=project.path, provider=project.provider)
    path = project.path / "Vagrantfile"
    if path.exists() and not path.read_bytes().startswith(_OURS):
        # Somebody's own, from before lab: it is kept beside ours.
        crash.point(f"before {path} is put aside")
        path.rename(path.with_name("Vagrantfile.before-lab"))
        crash.point(f"{path} is put aside")
    write_if_changed(path, text)


def write_hooks(folder: LabFolder) -> None:
    """Write the scripts that LXC runs as it starts a clone; the Vagrantfile names them.

    One gives it what is its own, the other keeps it from others.
    """
    for script in (SEED, ISOLATE):
        write_if_changed(folder.root / script.name, script.read_text(encoding="utf-8"), mode=0o755)
