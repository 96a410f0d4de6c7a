"""The small disc that a full machine takes what is its own from, at its first boot.

An ISO 9660 image with the label `cidata`. lab's own boxes read the plain files (the script
`disk/lab-seed`); a box with cloud-init reads `meta-data` and `user-data`, as its NoCloud data
source asks for them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

from lab.system.files import write_bytes_atomically

LABEL = "cidata"
_REQUIRED = ("hostname", "host", "host.pub", "admin.pub")
_OPTIONAL = ("address", "resolv.conf")
_PRIVATE_FILE = 0o600
# Of a file on the disc: for its owner alone, and root mounts it.
_READ_ONLY = 0o100400


def write_seed_disc(path: Path, *, keys: Path) -> None:
    """Make the disc of a machine; nobody else on this computer can read it.

    The same keys give another image byte for byte, since it holds the time at which it was made.

    Args:
        path: the image; it is there whole or not at all.
        keys: the folder with what is the machine's own (`lab.machines.keys`).

    Raises:
        FileNotFoundError: a key is missing: `keys.ensure_keys` has not been there.
        LabError: the image cannot be written.
    """
    names = (*_REQUIRED, *(name for name in _OPTIONAL if (keys / name).exists()))
    texts = {name: (keys / name).read_text(encoding="utf-8") for name in names}
    write_bytes_atomically(path, _image(texts | _for_cloud_init(texts)), mode=_PRIVATE_FILE)


def _for_cloud_init(texts: Mapping[str, str]) -> dict[str, str]:
    """What cloud-init wants to be told; JSON is YAML too, and cannot be quoted wrongly."""
    hostname = texts["hostname"].strip()
    public = texts["admin.pub"].strip()
    user_data = {
        "hostname": hostname,
        "preserve_hostname": False,
        "manage_etc_hosts": True,
        "ssh_deletekeys": True,
        "ssh_genkeytypes": [],
        "ssh_keys": {
            "ed25519_private": texts["host"],
            "ed25519_public": texts["host.pub"].strip(),
        },
        "disable_root": True,
        "ssh_pwauth": False,
        "users": [
            {
                "name": "vagrant",
                "lock_passwd": True,
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [public],
            }
        ],
    }
    meta_data = {"instance-id": hostname, "local-hostname": hostname}
    return {
        "user-data": f"#cloud-config\n{json.dumps(user_data, indent=2)}\n",
        "meta-data": f"{json.dumps(meta_data)}\n",
    }


def _image(texts: Mapping[str, str]) -> bytes:
    """An ISO 9660 image of files; their names are Rock Ridge's and Joliet's."""
    # Every command knows the providers, and few make discs: it takes its time to import.
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=1, vol_ident=LABEL, rock_ridge="1.09", joliet=3)
    for number, (name, text) in enumerate(sorted(texts.items())):
        data = text.encode()
        disc.add_fp(
            io.BytesIO(data),
            len(data),
            iso_path=f"/FILE{number}.;1",
            rr_name=name,
            joliet_path=f"/{name}",
            file_mode=_READ_ONLY,
        )
    image = io.BytesIO()
    disc.write_fp(image)
    disc.close()
    return image.getvalue()
