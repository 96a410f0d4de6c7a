"""A VirtualBox box: a VMDK disk that boots by itself, and the OVF description of a machine.

The disk's kernel is the standard one. That of libvirt's boxes is smaller, and has no drivers for
what VirtualBox gives a machine; so a libvirt box cannot be converted, and this is built instead.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from lab.machines.boxes import disk
from lab.machines.boxes.box_file import write_box_file

_HERE = Path(__file__).parent
_OVF = _HERE / "box.ovf"
_VAGRANTFILE = _HERE / "Vagrantfile"
SCRIPTS = (*disk.SCRIPTS, _OVF, _VAGRANTFILE)
FREE_GB = disk.FREE_GB
IMAGE = "box-disk001.vmdk"
# What VirtualBox and the OVF standard (CIM_OperatingSystem) call 64-bit systems.
_SYSTEMS = {"debian": ("Debian_64", 96), "ubuntu": ("Ubuntu_64", 94)}


def require() -> None:
    """See that this computer can make disks; VirtualBox need not be there.

    Raises:
        HostError: a program is missing; with the command that installs it.
    """
    disk.require()


def finish(root: Path, *, log: Path) -> None:
    """Make a finished root one of a machine of VirtualBox's."""
    disk.finish(root, provider="virtualbox", log=log)


def pack(root: Path, *, name: str, recipe: str, log: Path) -> Path:
    """Make the box of a root; returns its file, beside the root."""
    how = ("-O", "vmdk", "-o", "subformat=streamOptimized,adapter_type=lsilogic")
    image = disk.make_box_image(root, IMAGE, how=how, log=log)
    folder = image.parent
    (folder / "box.ovf").write_text(ovf(name, image=image), encoding="utf-8")
    shutil.copy(_VAGRANTFILE, folder)
    metadata = {"provider": "virtualbox", "lab_recipe": recipe}
    return write_box_file(folder, image=IMAGE, metadata=metadata, log=log)


def ovf(name: str, *, image: Path) -> str:
    """The description of a machine with a profile's disk, as VirtualBox imports it.

    Args:
        name: the profile's.
        image: its disk, of `disk.SIZE_GB`.
    """
    os_type, os_id = _SYSTEMS[name.partition("-")[0]]
    return Template(_OVF.read_text(encoding="utf-8")).substitute(
        image=escape(image.name),
        size_bytes=image.stat().st_size,
        capacity_bytes=disk.SIZE_GB << 30,
        name=escape(name),
        os_type=os_type,
        os_id=os_id,
    )
