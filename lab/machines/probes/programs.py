"""The programs that lab runs, each tried on something small."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from lab.errors import HostError, LabError
from lab.machines.boxes.profiles import Profile
from lab.machines.health import Verdict, from_error, note, ok, problem, unknown
from lab.machines.probes.vagrant_index import is_damaged
from lab.machines.providers import lxc
from lab.system import process

_INSTALL = "sudo apt-get install --no-install-recommends"
_QUICK_S = 20.0
_RUBY_S = 120.0
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_VAGRANTFILE = """\
Vagrant.configure('2') do |config|
  config.vm.box = 'lab/doctor'
  config.vm.provider 'lxc'
end
"""
# Namespaces, control groups and an interface on the bridge, with this computer's own files as root.
_CONTAINER = """\
lxc.uts.name = {name}
lxc.net.0.type = veth
lxc.net.0.link = {bridge}
lxc.net.0.flags = up
lxc.console.path = none
lxc.apparmor.profile = generated
lxc.apparmor.allow_nesting = 1
"""


def root_rights() -> Verdict:
    """Whether lab may run commands as root without being asked for a password."""
    tried = process.run(process.as_root(["id", "-u"]), check=False, timeout_s=_QUICK_S)
    if tried.ok and tried.stdout.strip() == "0":
        return ok("lab runs as root" if os.geteuid() == 0 else "sudo asks for no password")
    return problem(
        tried.tail(2) or "sudo asks for a password",
        why="LXC's commands run as root, and nobody is there to type a password.",
        fix="Run lab as root, or let your user run sudo without a password: sudo visudo",
    )


def vagrant() -> Verdict:
    """Whether Vagrant runs."""
    # As old as the oldest that the Vagrantfile takes.
    return _runs(
        ["vagrant", "--version"],
        why="Vagrant makes and boots the machines.",
        package="vagrant vagrant-lxc",
        timeout_s=_RUBY_S,
    )


def vagrant_lxc() -> Verdict:
    """Whether Vagrant takes a Vagrantfile for LXC: its plugin loads then."""
    with tempfile.TemporaryDirectory(prefix="lab-doctor-") as work:
        (Path(work) / "Vagrantfile").write_text(_VAGRANTFILE, encoding="utf-8")
        tried = process.run(
            ["vagrant", "validate"],
            cwd=Path(work),
            env={
                "VAGRANT_DEFAULT_PROVIDER": "lxc",
                "VAGRANT_CHECKPOINT_DISABLE": "1",
                "VAGRANT_NO_COLOR": "1",
                # Another folder's, which the caller's environment may name.
                "VAGRANT_CWD": work,
                "VAGRANT_VAGRANTFILE": "Vagrantfile",
            },
            check=False,
            timeout_s=_RUBY_S,
        )
    if tried.ok:
        return ok("Vagrant takes a Vagrantfile for lxc")
    if is_damaged():
        return unknown("Vagrant does nothing while its list of machines is damaged (vagrant.index)")
    return problem(
        tried.tail(4),
        why="Without this plugin Vagrant knows no LXC, and makes no machine.",
        fix=f"{_INSTALL} vagrant-lxc",
    )


def container() -> Verdict:
    """Whether LXC starts a container with an interface on the bridge."""
    why = "Each machine is such a container."
    if shutil.which("lxc-execute") is None:
        return problem("`lxc-execute` is not installed", why=why, fix=f"{_INSTALL} lxc")
    name = f"labtry-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="lab-doctor-") as work:
        config = Path(work) / "config"
        config.write_text(_CONTAINER.format(name=name, bridge=lxc.BRIDGE), encoding="utf-8")
        execute = ["lxc-execute", f"--name={name}", f"--lxcpath={work}", f"--rcfile={config}"]
        tried = process.run(
            process.as_root([*execute, "--", "uname", "-n"]),
            check=False,
            timeout_s=_QUICK_S,
        )
        # What LXC leaves there is root's.
        process.run(process.as_root(["find", work, "-mindepth", "1", "-delete"]), check=False)
    if tried.ok and tried.stdout.strip() == name:
        return ok(f"a container starts, on {lxc.BRIDGE}")
    if "bridge" in tried.stderr and "doesn't exist" in tried.stderr:
        return unknown(f"No container starts without the bridge {lxc.BRIDGE}: see bridge.up")
    return problem(tried.tail(4), why=why, fix="lxc-checkconfig   (says what the kernel lacks)")


def ssh() -> Verdict:
    """Whether SSH takes the settings that lab gives it."""
    return _runs(
        ["ssh", "-G", "-F", "none", "-o", "KexAlgorithms=curve25519-sha256", "localhost"],
        why="Steps and checks reach the machines over SSH.",
        package="openssh-client",
        shown="takes lab's settings",
    )


def ssh_keygen() -> Verdict:
    """Whether `ssh-keygen` makes a key."""
    with tempfile.TemporaryDirectory(prefix="lab-doctor-") as work:
        key = Path(work) / "key"
        return _runs(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)],
            why="Each machine has keys of its own.",
            package="openssh-client",
            shown="makes a key",
        )


def debootstrap(profile: Profile, *, box_is_there: bool) -> Verdict:
    """Whether the box could be built: debootstrap runs, knows the release, and has its keys."""
    why = "Without it the machines' box cannot be built."
    keyring = Path(profile.keyring)
    try:
        program = _found("debootstrap", package="debootstrap")
        process.run([program, "--version"], timeout_s=_QUICK_S)
        script = Path("/usr/share/debootstrap/scripts", profile.suite)
        if not script.exists():
            raise HostError(f"debootstrap does not know {profile.suite} ({script} is missing)")
        if profile.keyring and not keyring.is_file():
            raise HostError(
                f"The keys of the {profile.distribution} archive are not here: {keyring}",
                hint=f"{_INSTALL} {profile.keyring_package.split()[0]}   "
                f"(or lab box build {profile.name} --keyring FILE)",
            )
    except HostError as error:
        if box_is_there:
            return note(f"{error.message}; the box {profile.box} is built already", fix=error.hint)
        return from_error(error, why=why)
    return ok(f"debootstrap runs, and can build {profile.box}")


def dnsmasq() -> Verdict:
    """Whether dnsmasq, the bridge's DHCP and DNS server, runs."""
    try:
        program = _found("dnsmasq", package="dnsmasq-base")
    except HostError as error:
        return from_error(error, why="It gives machines their addresses and name server.")
    tried = process.run([program, "--test", "--conf-file=/dev/null"], check=False, timeout_s=20)
    if tried.ok:
        return ok("dnsmasq runs")
    return problem(
        tried.tail(2),
        why="It gives machines their addresses and name server.",
        fix="sudo apt-get install --reinstall dnsmasq-base",
    )


def _runs(
    argv: list[str], *, why: str, package: str, shown: str = "", timeout_s: float = _QUICK_S
) -> Verdict:
    if shutil.which(argv[0]) is None:
        return problem(f"`{argv[0]}` is not installed", why=why, fix=f"{_INSTALL} {package}")
    try:
        tried = process.run(argv, timeout_s=timeout_s)
    except process.Interrupted:
        raise
    except LabError as error:
        found = "\n".join(text for text in (error.message, error.details) if text)
        return problem(found, why=why, fix=f"sudo apt-get install --reinstall {package}")
    return ok(shown or tried.stdout.strip() or f"{argv[0]} runs")


def _found(name: str, *, package: str) -> str:
    """The path of a system program, which may be on root's PATH only."""
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    if path is None:
        raise HostError(f"`{name}` is not installed", hint=f"{_INSTALL} {package}")
    return path
