"""What may happen to a class: each fault is a small function that breaks one thing, and tells what it did."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from soak_class import GUIDE, SoakedClass, children_named, descendants, lxc, wait_until_ended

# From nothing to apps that answer: what falls into this span falls into the middle of an `up`.
_UP_S = 6.0
# A lab that is interrupted tells its children, and waits for them to go.
_END_S = 60.0
_STATE_WRITES = 40


@dataclass(frozen=True)
class Harm:
    """What was done, whose machine went with it, and what should not have happened at once."""

    did: str
    destroyed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


Fault = Callable[[SoakedClass, random.Random], Harm]
FAULTS: dict[str, Fault] = {}


def fault(function: Fault) -> Fault:
    """One of the faults to choose from, by its function's name."""
    FAULTS[function.__name__] = function
    return function


def listing() -> str:
    """The faults, a line each."""
    return "\n".join(f"{name:22} {it.__doc__}" for name, it in FAULTS.items())


# What needs an `up` that has something to do, and what that may be.
WORK = ("make", "boot", "boot", "steps")


def give_work(
    soaked: SoakedClass, chance: random.Random, kinds: Sequence[str] = WORK
) -> tuple[str, tuple[str, ...]]:
    """Have the next `up` something to do for some students: to make, to boot, to run steps."""
    some = chance.sample(soaked.students, chance.randint(1, len(soaked.students)))
    what = chance.choice(kinds)
    if what == "make":
        soaked.lab("destroy", "--yes", *some)
        return f"{', '.join(some)} to be made", tuple(some)
    if what == "boot":
        for login in some:
            lxc("lxc-stop", "--kill", "--name", soaked.container(login))
    else:
        for login in some:
            soaked.root(login, "rm /var/lib/lab/steps/{vhost,program}")
    return f"{', '.join(some)} to {'be booted' if what == 'boot' else 'run steps'}", ()


def in_the_middle(
    soaked: SoakedClass,
    chance: random.Random,
    hit: Callable[[int], str],
    kinds: Sequence[str] = WORK,
) -> Harm:
    """Begin an `up` that has work, do something to it at a random moment, and wait for its end."""
    work, destroyed = give_work(soaked, chance, kinds)
    after_s = chance.uniform(0.1, _UP_S)
    child = soaked.start("up")
    time.sleep(after_s)
    told = hit(child.pid) if child.poll() is None else "it had ended"
    ended = wait_until_ended(child, _END_S)
    wrong = () if ended["ended"] else (f"up did not end within {_END_S:.0f} s",)
    return Harm(f"{work}; after {after_s:.1f} s: {told}", destroyed, wrong)


@fault
def lab_killed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """kill -9 of lab in the middle of an `up`."""
    return in_the_middle(soaked, chance, lambda pid: send(pid, signal.SIGKILL))


@fault
def lab_terminated(soaked: SoakedClass, chance: random.Random) -> Harm:
    """SIGTERM to lab in the middle of an `up`."""
    return in_the_middle(soaked, chance, lambda pid: send(pid, signal.SIGTERM))


@fault
def lab_interrupted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """Ctrl-C in the middle of an `up`: to the whole process group, as a terminal sends it."""
    return in_the_middle(soaked, chance, lambda pid: send(-pid, signal.SIGINT))


@fault
def vagrant_killed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """kill -9 of Vagrant in the middle of an `up`."""

    def hit(pid: int) -> str:
        deadline = time.monotonic() + _UP_S
        while not (found := children_named(pid, "vagrant")) and time.monotonic() < deadline:
            time.sleep(0.05)
        return "; ".join(send(it, signal.SIGKILL) for it in found) or "Vagrant did not run"

    return in_the_middle(soaked, chance, hit, ("make", "boot"))


@fault
def guest_killed_in_up(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A guest killed in the middle of an `up`."""
    login = chance.choice(soaked.students)
    return in_the_middle(soaked, chance, lambda _: kill_guest(soaked, login))


@fault
def power_cut(soaked: SoakedClass, chance: random.Random) -> Harm:
    """lab, all that it started and all guests killed in the middle of an `up`; the bridge stays."""

    def hit(pid: int) -> str:
        below = list(descendants(pid))
        for it in (pid, *below):
            send(it, signal.SIGKILL)
        for name in soaked.containers("--running"):
            lxc("lxc-stop", "--kill", "--name", name)
        return f"lab, {len(below)} processes and all guests killed"

    return in_the_middle(soaked, chance, hit)


@fault
def crash_point(soaked: SoakedClass, chance: random.Random) -> Harm:
    """lab kills itself beside one of its writes of state."""
    work, destroyed = give_work(soaked, chance)
    number = chance.randint(1, _STATE_WRITES)
    done = soaked.lab("up", LAB_CRASH_AT=str(number))
    return Harm(f"{work}; at point {number}: ended with {done.returncode}", destroyed)


# What happens to guests behind lab's back.


@fault
def guest_killed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A guest killed."""
    return Harm(kill_guest(soaked, chance.choice(soaked.students)))


@fault
def guest_rebooted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A guest that reboots just now."""
    login = chance.choice(soaked.students)
    soaked.root(login, "systemctl reboot")
    return Harm(f"{login} reboots")


@fault
def guest_destroyed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A guest destroyed behind lab: the only fault that may cost a student's work."""
    login = chance.choice(soaked.students)
    lxc("lxc-destroy", "--force", "--name", soaked.container(login))
    return Harm(f"{login} is no more", (login,))


@fault
def guests_all_killed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """All guests killed, one after the other, while lab does nothing."""
    logins = chance.sample(soaked.students, len(soaked.students))
    return Harm("; ".join(kill_guest(soaked, login) for login in logins))


@fault
def guest_halted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """Some machines stopped by lab itself."""
    some = chance.sample(soaked.students, chance.randint(1, len(soaked.students)))
    soaked.lab("halt", *some)
    return Harm(f"{', '.join(some)} halted")


# What a student breaks on their machine.


def broken(soaked: SoakedClass, chance: random.Random, script: str) -> Harm:
    """Run a script as root on somebody's machine."""
    login = chance.choice(soaked.students)
    soaked.root(login, script)
    return Harm(f"{login}: {script}")


@fault
def nginx_stopped(soaked: SoakedClass, chance: random.Random) -> Harm:
    """nginx stopped on a machine."""
    return broken(soaked, chance, "systemctl stop nginx")


@fault
def supervisor_stopped(soaked: SoakedClass, chance: random.Random) -> Harm:
    """supervisor stopped on a machine."""
    return broken(soaked, chance, "systemctl stop supervisor")


@fault
def vhost_unlinked(soaked: SoakedClass, chance: random.Random) -> Harm:
    """The virtual host's link removed."""
    return broken(soaked, chance, f"rm /etc/nginx/sites-enabled/{GUIDE}.*; systemctl reload nginx")


@fault
def program_removed(soaked: SoakedClass, chance: random.Random) -> Harm:
    """supervisor's program removed."""
    return broken(soaked, chance, f"rm /etc/supervisor/conf.d/{GUIDE}.conf; supervisorctl update")


@fault
def app_broken(soaked: SoakedClass, chance: random.Random) -> Harm:
    """An app that cannot be imported."""
    return broken(
        soaked, chance, f"echo 'import nothing_like_this' >>/home/*/webapps/{GUIDE}/main.py"
    )


@fault
def step_record_deleted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """The guest's own record of a step deleted."""
    step = chance.choice(["nginx", "supervisor", "account", "app", "vhost", "program"])
    return broken(soaked, chance, f"rm /var/lib/lab/steps/{step}")


@fault
def step_record_corrupted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """The guest's own record of a step cut off, or full of bytes that mean nothing."""
    step = chance.choice(["nginx", "supervisor", "account", "app", "vhost", "program"])
    how = chance.choice(["truncate -s 7", "dd status=none if=/dev/urandom bs=1k count=1 of="])
    space = "" if how.endswith("=") else " "
    return broken(soaked, chance, f"{how}{space}/var/lib/lab/steps/{step}")


# What becomes of the files beside labs.yaml.


@fault
def host_record_deleted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """lab's note of a machine deleted."""
    return removed(soaked, f".lab/state/machines/{GUIDE}-{chance.choice(soaked.students)}.json")


@fault
def host_record_truncated(soaked: SoakedClass, chance: random.Random) -> Harm:
    """lab's note of a machine cut off in the middle."""
    path = soaked.folder / f".lab/state/machines/{GUIDE}-{chance.choice(soaked.students)}.json"
    os.truncate(path, chance.randint(0, path.stat().st_size - 2))
    return Harm(f"{path.name} cut to {path.stat().st_size} bytes")


@fault
def vagrant_note_deleted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """Vagrant's own note of a machine deleted."""
    return removed(soaked, f".vagrant/machines/{GUIDE}-{chance.choice(soaked.students)}")


@fault
def vagrantfile_deleted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """The Vagrantfile deleted, with a machine to boot."""
    login = chance.choice(soaked.students)
    harm = removed(soaked, "Vagrantfile")
    return Harm(f"{harm.did}; {kill_guest(soaked, login)}")


@fault
def vagrantfile_garbage(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A Vagrantfile that no Ruby reads, with a machine to boot."""
    login = chance.choice(soaked.students)
    (soaked.folder / "Vagrantfile").write_bytes(chance.randbytes(2000))
    return Harm(f"Vagrantfile is garbage; {kill_guest(soaked, login)}")


@fault
def ssh_files_deleted(soaked: SoakedClass, chance: random.Random) -> Harm:
    """SSH's configuration or the pinned host keys deleted."""
    return removed(soaked, f".lab/ssh/{chance.choice(['config', 'known_hosts'])}")


# What the teacher does.


@fault
def step_edited(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A student step edited: it runs again, with what follows it."""
    step = chance.choice(["account", "app", "vhost", "program"])
    script = soaked.folder / f"provision/{GUIDE}/steps/{step}.sh"
    text = re.sub(r"\n# soaked \d+\n$", "\n", script.read_text(encoding="utf-8"))
    script.write_text(f"{text}# soaked {chance.randrange(10**6)}\n", encoding="utf-8")
    return Harm(f"{script.name} edited")


@fault
def student_away_and_back(soaked: SoakedClass, chance: random.Random) -> Harm:
    """A student taken off the roster, `up`, and put back: the machine is still theirs."""
    login = chance.choice(soaked.students)
    soaked.write_roster([it for it in soaked.students if it != login])
    code = soaked.lab("up").returncode
    soaked.write_roster(soaked.students)
    return Harm(
        f"{login} away and back", wrong=(f"up without {login} ended with {code}",) * bool(code)
    )


def kill_guest(soaked: SoakedClass, login: str) -> str:
    """Kill a guest, as the kernel would."""
    lxc("lxc-stop", "--kill", "--name", soaked.container(login))
    return f"{login} killed"


def removed(soaked: SoakedClass, name: str) -> Harm:
    """Remove a file or a folder beside labs.yaml."""
    path: Path = soaked.folder / name
    for it in [*sorted(path.rglob("*"), reverse=True), path] if path.is_dir() else [path]:
        it.rmdir() if it.is_dir() else it.unlink(missing_ok=True)
    return Harm(f"{name} deleted")


def send(pid: int, number: signal.Signals) -> str:
    """Send a signal to a process, or to the group `-pid`, unless it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return f"{number.name} to {pid}"
