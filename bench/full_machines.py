"""Full machines of libvirt: lab beside a hand-written Vagrantfile, both on the same hypervisor in one run.

Where KVM does not work both are emulated by QEMU, which takes ten minutes a side; so it is no part of what `bench/run`
measures unless it is asked for with `--only full`.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import side_by_side as bench

from lab.machines.boxes import catalog
from lab.machines.boxes.seed_disc import write_seed_disc
from lab.machines.kvm import Kvm, try_kvm

VAGRANT_KEY = "rubygems-integration/all/gems/vagrant-[0-9]*/keys/vagrant.pub"
# libvirt's own user must be able to read it, whoever runs the measurement.
SEED = Path("/var/tmp/lab-bench-seed.iso")
WAIT_S = 1200
STUDENTS = ("s01", "s02")


def measure_full_machines(folder: Path) -> None:
    """Two students from nothing to apps that answer, and one more time with the bake there."""
    folder.mkdir()
    works = try_kvm().kvm is Kvm.WORKS
    driver = "kvm" if works else "qemu"
    print(
        f"## Two full machines, libvirt with {'KVM' if works else 'QEMU, emulated'}\n\n"
        "| | seconds | plain / lab |\n|---|---|---|",
        flush=True,
    )
    bench.run([*bench.LAB, "box", "build", bench.BOX, "--provider", "libvirt"], folder)
    with plain_box(folder / "box"):
        plain = plain_vagrant(folder / "plain", driver)
    print(f"| plain Vagrantfile | {plain:.0f} | |", flush=True)
    with bench.lab_class(folder / "lab", STUDENTS, provider="libvirt") as project:
        bench.run([*bench.LAB, "box", "prune"], project)
        cold = bench.lab_up(project, STUDENTS, limit_s=WAIT_S)
        print(
            f"| lab, cold: the bake is made within | {cold:.0f} | {plain / cold:.1f} |", flush=True
        )
        bench.run([*bench.LAB, "destroy", "--yes"], project)
        warm = bench.lab_up(project, STUDENTS, limit_s=WAIT_S)
        print(f"| lab, warm: the bake is there | {warm:.0f} | {plain / warm:.1f} |", flush=True)
        reset = bench.seconds_of(
            lambda: bench.run([*bench.LAB, "reset", STUDENTS[0], "--discard", "--yes"], project)
        )
        print(f"| lab reset of one | {reset:.0f} | |\n", flush=True)


@contextlib.contextmanager
def plain_box(folder: Path) -> Iterator[None]:
    """A box `bench/plain` as one would download it: lab's image, let in by Vagrant's well-known key.

    The key is on the disc that lab's boxes read at their first boot.
    """
    box = catalog.find(f"lab/{bench.BOX}", provider="libvirt")
    if box is None:
        sys.exit(f"Vagrant has no box lab/{bench.BOX} for libvirt")
    folder.mkdir()
    tar = [
        "tar",
        "--create",
        "--file",
        str(folder / "plain.box"),
        "--directory",
        str(box.folder),
        ".",
    ]
    bench.run(tar, folder)
    bench.run(
        [
            *("vagrant", "box", "add", "--force", "bench/plain", str(folder / "plain.box")),
            "--provider",
            "libvirt",
        ],
        folder,
    )
    keys = folder / "keys"
    keys.mkdir()
    (keys / "hostname").write_text("plain\n")
    shutil.copy(next(Path("/usr/share").glob(VAGRANT_KEY)), keys / "admin.pub")
    bench.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "host")], folder)
    write_seed_disc(SEED, keys=keys)
    SEED.chmod(0o644)
    try:
        yield
    finally:
        SEED.unlink(missing_ok=True)
        bench.run(
            ["vagrant", "box", "remove", "--force", "bench/plain", "--provider", "libvirt"], folder
        )


def plain_vagrant(folder: Path, driver: str) -> float:
    """Seconds of a hand-written Vagrantfile's `vagrant up`, until the last app answers."""
    shutil.copytree(bench.HERE / "plain", folder)
    environment = {
        "STUDENTS": " ".join(STUDENTS),
        "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "DRIVER": driver,
        "SEED": str(SEED),
    }
    started = time.monotonic()
    try:
        bench.run(["vagrant", "up"], folder, environment)
        sites = [_site(folder, student, environment) for student in STUDENTS]
        bench.wait_for_sites(lambda: sites, len(STUDENTS), limit_s=WAIT_S)
        return time.monotonic() - started
    finally:
        bench.run(["vagrant", "destroy", "--force"], folder, environment)


def _site(folder: Path, student: str, environment: dict[str, str]) -> bench.Site:
    config = bench.run(["vagrant", "ssh-config", student], folder, environment)
    address = next(
        line.split()[1] for line in config.splitlines() if line.split()[:1] == ["HostName"]
    )
    return bench.Site(address, f"hellopython.{student}.{bench.DOMAIN}")
