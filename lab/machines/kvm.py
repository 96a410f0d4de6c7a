"""Whether KVM works on this computer, tried by booting a kernel under it.

A `/dev/kvm` says little: there are hosts on which it opens and answers the version of its API, and
a kernel hangs before its first word. So a kernel is booted without a disk: under a KVM that works
it says which version it is within a second, and soon panics for want of a root.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from lab.errors import LabError, ProcessError
from lab.machines.boxes.catalog import vagrant_home
from lab.system import process
from lab.system.files import read_json, write_json
from lab.system.kernel import Kernel

DEVICE = Path("/dev/kvm")
QEMU = "qemu-system-x86_64"
_BOOT = Path("/boot")
_BOOT_S = 15.0
# How long a QEMU that is to end may take before it is killed, and how long lab waits for that.
_KILL_S = 2.0
_END_S = 10.0
# How `timeout` ends when its command was ended, or had to be killed, itself with it.
_TIMED_OUT = (124, 137, -9)
_USELESS_FOR_S = 3600.0
_VERDICT_NAME = "lab-kvm.json"
_SIGN_OF_LIFE = "Linux version"


class Kvm(StrEnum):
    """What KVM on this computer is good for."""

    WORKS = "works"
    MISSING = "missing"
    USELESS = "useless"
    UNTRIED = "untried"


@dataclass(frozen=True, kw_only=True)
class KvmTrial:
    """How trying KVM ended: `why` says what was seen, `fix` what would change it."""

    kvm: Kvm
    why: str
    fix: str = ""


def remembered_trial() -> KvmTrial:
    """How trying KVM ended on this computer, tried once for as long as it runs.

    Where KVM is of no use, to see that takes a quarter of a minute; that is tried again after an
    hour, as what hindered it may pass: another hypervisor, or a computer that was busy.

    Raises:
        Interrupted: somebody stopped lab.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, LabError):
        noted = read_json(vagrant_home() / _VERDICT_NAME)
        trial = KvmTrial(kvm=Kvm(noted["kvm"]), why=str(noted["why"]), fix=str(noted["fix"]))
        fresh = 0 <= time.time() - noted["tried_s"] < _USELESS_FOR_S
        if noted["circumstances"] == _circumstances() and (fresh or trial.kvm is not Kvm.USELESS):
            return trial
    trial = try_kvm()
    remember(trial)
    return trial


def remember(trial: KvmTrial) -> None:
    """Note how trying KVM ended just now, for `remembered_trial`."""
    if trial.kvm is Kvm.UNTRIED:
        return
    noted = {"circumstances": _circumstances(), "tried_s": int(time.time()), **asdict(trial)}
    # Whoever cannot note it tries again.
    with suppress(LabError):
        write_json(vagrant_home() / _VERDICT_NAME, noted)


def _circumstances() -> list[str]:
    """What a verdict holds for: this run of the kernel, the device, and what it is tried with."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    device = DEVICE.stat() if DEVICE.exists() else None
    kernel = _kernel([_BOOT])
    return [
        boot.read_text().strip() if boot.exists() else "",
        f"{device.st_rdev} {device.st_ctime_ns}" if device else "",
        shutil.which(QEMU) or "",
        kernel.name if kernel else "",
    ]


def try_kvm(*, roots: Sequence[Path] = (), timeout_s: float = _BOOT_S) -> KvmTrial:
    """Boot a kernel under KVM, and see whether it comes to life.

    Args:
        roots: unpacked roots of guests that may hold a kernel, where this computer has none in
            `/boot`.
        timeout_s: how long a kernel may stay silent.

    Raises:
        Interrupted: somebody stopped lab.
    """
    if not DEVICE.exists():
        return KvmTrial(kvm=Kvm.MISSING, why=f"There is no {DEVICE}")
    if shutil.which(QEMU) is None:
        return KvmTrial(
            kvm=Kvm.UNTRIED,
            why=f"{DEVICE} is there, and without {QEMU} nobody can tell whether it works",
            fix="sudo apt-get install --no-install-recommends qemu-system-x86",
        )
    kernel = _kernel([_BOOT, *(root / "boot" for root in roots)])
    if kernel is None:
        return KvmTrial(
            kvm=Kvm.UNTRIED,
            why=f"{DEVICE} is there, and no kernel (/boot/vmlinuz-*) to try it with",
            fix="sudo apt-get install --no-install-recommends linux-image-cloud-amd64",
        )
    try:
        root = process.run(process.as_root(["true"]), check=False)
    except process.Interrupted:
        raise
    except LabError as error:
        return KvmTrial(kvm=Kvm.UNTRIED, why=error.message, fix=error.hint)
    if not root.ok:
        return KvmTrial(
            kvm=Kvm.UNTRIED,
            why=f"{DEVICE} is there, and only root can try it: {root.tail(1)}",
            fix="Run lab as root, or let your user run sudo without a password (visudo).",
        )
    return _booted(kernel, timeout_s)


def emulated_guests_run(kernel: Kernel) -> bool:
    """Whether a guest of lab's is emulated now, whatever KVM is good for at the next start.

    QEMU's command line says so, without a question to libvirt. Where lab may not see root's
    processes (`hidepid`), there is none.
    """
    return any(map(_is_emulated_guest, kernel.command_lines()))


def _is_emulated_guest(words: Sequence[str]) -> bool:
    options = dict(pairwise(words))
    return options.get("-name", "").startswith("guest=lab") and (
        options.get("-accel", "").startswith("tcg")
        # An older libvirt says it here.
        or ",accel=tcg" in options.get("-machine", "")
    )


def _kernel(folders: Sequence[Path]) -> Path | None:
    """The newest kernel in the first of the folders that has one."""
    for folder in folders:
        with suppress(OSError):
            kernels = sorted(folder.glob("vmlinuz-*"), key=lambda path: path.stat().st_mtime)
            if kernels:
                return kernels[-1]
    return None


def _booted(kernel: Path, timeout_s: float) -> KvmTrial:
    with tempfile.TemporaryDirectory(prefix="lab-kvm-") as work:
        console = Path(work) / "console"
        # QEMU empties a file that is there. One that it makes is root's, and may be closed to lab.
        console.touch()
        # As root, like every hypervisor that is a service: the device and the kernel may be closed
        # to others. And ended by root: lab itself could not, where it is not root.
        command = [
            *("timeout", "-k", f"{_KILL_S:g}", f"{timeout_s:g}"),
            *(QEMU, "-accel", "kvm", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-serial", f"file:{console}", "-kernel", str(kernel)),
            # A panic is the end of it, at once.
            *("-append", "console=ttyS0 panic=-1"),
        ]
        words = f"the kernel said nothing for {timeout_s:.0f} s"
        try:
            completed = process.run(
                process.as_root(command), timeout_s=timeout_s + _KILL_S + _END_S, check=False
            )
            if completed.returncode not in _TIMED_OUT:
                words = completed.tail(3)
        except process.Interrupted:
            raise
        except ProcessError:
            pass
        except LabError as error:
            return KvmTrial(kvm=Kvm.UNTRIED, why=error.message, fix=error.hint)
        said = console.read_text(errors="replace")
    if _SIGN_OF_LIFE in said:
        return KvmTrial(kvm=Kvm.WORKS, why=f"{kernel.name} boots under KVM")
    return KvmTrial(
        kvm=Kvm.USELESS,
        why=f"{DEVICE} is there, and {kernel.name} does not boot under KVM: {words}",
        fix="Full virtual machines need it: turn on virtualisation (VT-x, AMD-V) in the firmware; "
        "on a virtual machine, nested virtualisation in its host.",
    )
