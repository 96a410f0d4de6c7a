"""Debian packages of this host's own CPython 3.7, for a guest that stands in for Ubuntu 18.04.

A CPython is linked against the libraries of the release that it was built on. So the guest is of this host's release,
whichever of lab's Debian profiles that is.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PREFIX = "opt/python3.7"
LIBRARIES = (
    "libbz2-1.0, libcrypt1, libexpat1, libffi8 | libffi7, liblzma5, libncursesw6, libreadline8, "
    "libsqlite3-0, libssl3 | libssl1.1, libuuid1, zlib1g, libc6-dev"
)
# Parts that no step needs, two of which want a graphical system.
LEFT_OUT = ("test", "tkinter", "idlelib", "turtledemo", "__pycache__", "*.a", "_tkinter*.so")


def prefix_of_host_python() -> Path | None:
    """Where a CPython 3.7 that works is installed on this host, None when there is none."""
    candidates = [*sorted(Path.home().glob(".pyenv/versions/3.7.*/bin/python3.7"))]
    found = shutil.which("python3.7")
    if found:
        candidates.append(Path(found))
    for candidate in candidates:
        done = subprocess.run(
            [candidate, "-c", "import sys, ssl, ensurepip; print(sys.base_prefix)"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return Path(done.stdout.strip())
    return None


def host_profile() -> str:
    """The box profile of this host's own release, "" when lab has none."""
    lines = Path("/etc/os-release").read_text().splitlines()
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    name = f"{release.get('ID', '')}-{release.get('VERSION_ID', '').strip(chr(34))}"
    return name if name in {"debian-11", "debian-12"} else ""


def build_packages(prefix: Path, folder: Path) -> list[Path]:
    """`python3.7`, `python3.7-dev` and `python3.7-venv`; the first one holds everything."""
    tree = folder / "python3.7"
    shutil.copytree(
        prefix / "lib",
        tree / PREFIX / "lib",
        symlinks=True,
        ignore=shutil.ignore_patterns(*LEFT_OUT),
    )
    shutil.copytree(prefix / "include", tree / PREFIX / "include", symlinks=True)
    (tree / PREFIX / "bin").mkdir()
    shutil.copy(prefix / "bin/python3.7", tree / PREFIX / "bin/python3.7")
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/python3.7").symlink_to(f"/{PREFIX}/bin/python3.7")
    # Where the loader and the linker look: the paths that were compiled in are the host's.
    (tree / "etc/ld.so.conf.d").mkdir(parents=True)
    (tree / "etc/ld.so.conf.d/python3.7.conf").write_text(f"/{PREFIX}/lib\n")
    (tree / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (tree / "usr/lib/x86_64-linux-gnu/libpython3.7m.so").symlink_to(
        f"/{PREFIX}/lib/libpython3.7m.so"
    )
    postinst = "#!/bin/sh\nset -e\nldconfig\n"
    packages = [_package(tree, "python3.7", LIBRARIES, folder, postinst)]
    for part in ("dev", "venv"):
        empty = folder / f"python3.7-{part}"
        empty.mkdir()
        packages.append(_package(empty, f"python3.7-{part}", "python3.7", folder))
    return packages


def _package(tree: Path, name: str, depends: str, folder: Path, postinst: str = "") -> Path:
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        f"Package: {name}\nVersion: 3.7.99-lab1\nArchitecture: amd64\nMaintainer: lab's tests\n"
        f"Depends: {depends}\nDescription: {name}, as built on the host of lab's tests\n"
    )
    if postinst:
        (control / "postinst").write_text(postinst)
        (control / "postinst").chmod(0o755)
    target = folder / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, target],
        check=True, capture_output=True,
    )  # fmt: skip
    return target
