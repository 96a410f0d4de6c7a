"""What a guest holds: its files, its services, and what its steps have noted of their own state.

Two inventories, before and after something is done, show what that changed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lab.errors import MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.system.files import LabFolder

_TIMEOUT_S = 300.0
# No name has it in it, so nobody's file name looks like a field of ours.
_BETWEEN = "\1"
_PLACES_LEFT_OUT = (
    # What a boot makes anew: nothing there is kept.
    *("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp"),  # noqa: S108 (the guest's)
    # Logs say what happened; that something happened twice is no fault.
    "/var/log",
    # What programs can make again at any time.
    "/var/cache",
    # apt's and dpkg's own books: what they install shows by its files.
    *("/var/lib/apt", "/var/lib/dpkg"),
    # When timers ran last, and the seed of the kernel's randomness.
    *("/var/lib/systemd/timers", "/var/lib/systemd/random-seed"),
    # The runner's records, and the kit.
    "/var/lib/lab",
    # How the accounts' files were one change ago.
    *(f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
)
# Python compiles as it imports; a cache is a cache, and a log a log, wherever it is.
_NAMES_LEFT_OUT = ("__pycache__", "*.pyc", ".cache", "*.log")
_FIELDS = ("%y", "%m", "%U:%G", "%s", "%i", "%C@", "%p", "%l")
# One record a line, so whatever ends a line within a name is made a `?`.
_LINES = r"tr '\n\0' '?\n'"
# Of each service that runs: its name, this run of it, and whether it lasts. What nobody has enabled
# and what the bus, a socket or a timer begins may end by itself. supervisor's are asked of it.
_SERVICES = r"""
systemctl list-units --type=service --state=running --no-legend --plain 2>/dev/null |
    cut -d ' ' -f 1 | grep -v '^user@' |
    xargs -r systemctl show --property=Id,InvocationID,UnitFileState,BusName,TriggeredBy |
    awk -v RS= '{
        split("", it)
        for (i = 1; i <= NF; i++) { split($i, word, "="); it[word[1]] = word[2] }
        begun = it["UnitFileState"] == "static" && it["BusName"] it["TriggeredBy"] != ""
        lasts = begun || it["UnitFileState"] == "transient" ? "no" : "yes"
        printf "service\001%s\001%s\001%s\n", it["Id"], it["InvocationID"], lasts
    }'
if command -v supervisorctl >/dev/null; then
    timeout -k 5 30 supervisorctl status 2>/dev/null </dev/null | awk '$2 == "RUNNING" {
        sub(",", "", $4)
        printf "service\001%s (supervisor)\001%s\001yes\n", $1, $4
    }'
fi"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, folder, link or other thing, by all that says whether it is still the same.

    Attributes:
        kind: `f`, `d`, `l` and so on, as find has it.
        mode: its permissions, in octal.
        owner: user and group, by number.
        target: where a link leads, else "".
        digest: the SHA-256 of a file's content; "" for what has none, or was gone by then.
        stamp: size, inode and time of the last change: with the same one, the content is the same.
    """

    kind: str
    mode: str
    owner: str
    target: str = ""
    digest: str = ""
    stamp: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that runs.

    Attributes:
        run: this run of it; another one has another.
        lasting: whether it runs until somebody stops it, and not only while it is asked for things.
    """

    run: str
    lasting: bool = True


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """A guest at one moment.

    Attributes:
        files: what is on its disk, by path, without what changes by itself.
        services: the services that run, by their name: systemd's, and supervisor's programs.
        states: what each step that has run noted of its state (a digest), by the step's name.
    """

    files: Mapping[str, Entry]
    services: Mapping[str, Service]
    states: Mapping[str, str]


def take_inventory(
    machine: Machine, folder: LabFolder, *, before: Inventory | None = None
) -> Inventory:
    """What a guest holds now.

    Args:
        machine: the guest.
        folder: with the SSH configuration that reaches it.
        before: an earlier one; what is unchanged since is not read again.

    Raises:
        ConnectionLost: the guest cannot be reached.
        MachineError: it has none of the programs that this takes.
        ProcessError: it took too long.
    """
    files: dict[str, Entry] = {}
    services: dict[str, Service] = {}
    states: dict[str, str] = {}

    def hear(line: str) -> None:
        word, *fields = line.split(_BETWEEN)
        if word == "file" and len(fields) == len(_FIELDS):
            kind, mode, owner, size, inode, changed, path, target = fields
            files[path] = Entry(
                kind=kind, mode=mode, owner=owner, target=target, stamp=(size, inode, changed)
            )
        elif word == "service" and len(fields) == 3:
            name, run, lasting = fields
            services[name] = Service(run=run, lasting=lasting == "yes")
        elif word == "state" and len(fields) == 2:
            states[fields[0]] = fields[1]

    _run(machine, folder, _listing(), hear=hear)
    known = before.files if before else {}
    for path, entry in files.items():
        if path in known and known[path].stamp == entry.stamp:
            files[path] = replace(entry, digest=known[path].digest)
    unread = [path for path, it in files.items() if it.kind == "f" and not it.digest]
    for path, digest in _digests(machine, folder, unread).items():
        if path in files:
            files[path] = replace(files[path], digest=digest)
    return Inventory(files=files, services=services, states=states)


def differences(before: Inventory, after: Inventory) -> dict[str, str]:
    """What is on the disk now and was not, or is no more, or is another: a line each, by path."""
    found = {}
    for path in sorted({*before.files, *after.files}):
        old, new = before.files.get(path), after.files.get(path)
        if old is None:
            found[path] = f"+ {path}"
        elif new is None:
            found[path] = f"- {path}"
        elif replace(old, stamp=new.stamp) != new:
            found[path] = f"~ {path}{_how(old, new)}"
    return found


def restarted(before: Inventory, after: Inventory) -> tuple[str, ...]:
    """The services that run in both, and were started in between."""
    return tuple(
        sorted(
            name
            for name, service in before.services.items()
            if name in after.services and after.services[name].run != service.run
        )
    )


def stopped(before: Inventory, after: Inventory) -> tuple[str, ...]:
    """The services that ran, run no more, and do not end by themselves."""
    return tuple(
        sorted(
            name
            for name, service in before.services.items()
            if service.lasting and name not in after.services
        )
    )


def _how(old: Entry, new: Entry) -> str:
    """What is other than its content."""
    was = f"{old.mode} {old.owner} {old.target}".strip()
    now = f"{new.mode} {new.owner} {new.target}".strip()
    return f" ({was} -> {now})" if was != now else ""


def _listing() -> str:
    tests = [f"-path {place}" for place in _PLACES_LEFT_OUT]
    tests += [f"-name {shlex.quote(name)}" for name in _NAMES_LEFT_OUT]
    record = r"\001".join(("file", *_FIELDS)) + r"\0"
    return f"""
export LC_ALL=C
find / -xdev '(' {" -o ".join(tests)} ')' -prune -o -printf '{record}' 2>/dev/null | {_LINES}
{_SERVICES}
for record in /var/lib/lab/steps/*; do
    [ -f "$record" ] || continue
    printf 'state\\001%s\\001%s\\n' "${{record##*/}}" "$(cut -d ' ' -f 4 "$record")"
done
"""


def _digests(machine: Machine, folder: LabFolder, paths: list[str]) -> dict[str, str]:
    found = {}

    def hear(line: str) -> None:
        digest, _, path = line.partition("  ")
        found[path] = digest

    # What is gone by now has no digest, and that is no trouble.
    script = f"xargs -0 -r sha256sum -z -- 2>/dev/null | {_LINES}"
    _run(machine, folder, script, hear=hear, stdin="\0".join(paths).encode(errors="replace"))
    return found


def _run(
    machine: Machine,
    folder: LabFolder,
    script: str,
    *,
    hear: Callable[[str], None],
    stdin: bytes | None = None,
) -> None:
    completed = ssh.run_as_root(
        folder, machine, script, stdin=stdin, on_line=hear, timeout_s=_TIMEOUT_S
    )
    if "command not found" in completed.stderr:
        raise MachineError(
            f"What is on {machine.name} could not be listed", details=completed.tail(3)
        )
