"""What dead labs have left behind; what somebody may be at work on is never called that."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from lab.machines.boxes import catalog
from lab.machines.health import Command, Verdict, note, ok, problem
from lab.machines.probes.locks import is_held, is_held_inode
from lab.machines.providers.base import Provider
from lab.report.layout import amount, listing
from lab.system import process
from lab.system.files import LabFolder
from lab.system.lock import holder_of
from lab.workflow.bake import scratch_prefix
from lab.workflow.boxes import LOCK_NAME
from lab.workflow.doctor.subject import Subject
from lab.workflow.guide_proof import PREFIX
from lab.workflow.scratch import dead_folders, dead_ones
from lab.workflow.stick import WORK_PREFIX

_BETWEEN_COMMANDS_S = 600.0
BUILDS = Path("/var/tmp")  # noqa: S108 (where boxes are built)
_PROCESSES = Path("/proc")
# What lab leaves running when it is killed; its name, or that of the script that Ruby runs.
_PROGRAMS = ("vagrant", "ssh")
_REMOVE = ("rm", "-rf", "--one-file-system")


def lock(folder: LabFolder) -> Verdict:
    """Who holds the project's lock; what a dead holder wrote into it hinders nobody."""
    holder = holder_of(folder.lock)
    if not is_held(folder.lock):
        return ok(f"free; the last to hold it was pid {holder.pid}" if holder else "free")
    if holder is not None and not holder.is_alive:
        return note(
            f"its holder is dead, and programs that it had started still hold it ({holder})",
            fix="Wait for them to end; who they are: " + f"fuser -v {folder.lock}",
        )
    return note(
        f"held by {holder or 'somebody who has not written who it is'}",
        fix="Wait for it to end, or let lab wait: add --wait 60s to the command",
    )


def scratch_machines(subject: Subject, folder: LabFolder) -> Verdict:
    """Machines to bake on that a dead lab has left: never a student's."""
    if is_held(folder.lock):
        return ok("another lab is at work, and may be baking")
    left = list(subject.provider.guests(scratch_prefix(subject.project_id or "none")))
    if not left:
        return ok("none")
    return problem(
        f"{amount(len(left), 'machine')} to bake on, of a lab that was killed: {listing(left)}",
        why="It takes memory and an address. The next bake removes it, too.",
        commands=tuple(map(subject.provider.removal, left)),
    )


def proofs(provider: Provider) -> Verdict:
    """Machines that guides were proven on, killed or kept."""
    left = dead_ones(provider, PREFIX)
    if not left:
        return ok("none")
    # One that was kept is somebody's to look at: to remove it is a decision.
    return note(
        f"{amount(len(left), 'machine')} of a `lab guide test` that was killed, or kept it: "
        + listing(left),
        fix="The next `lab guide test` removes it; or now: "
        + "; ".join(str(provider.removal(name)) for name in left),
    )


def half_written(folder: LabFolder) -> Verdict:
    """Files of lab's that somebody was writing when killed."""
    if is_held(folder.lock):
        return ok("another lab is at work, and may be writing")
    left = folder.half_written()
    if not left:
        return ok("none")
    return note(
        f"{amount(len(left), 'file')} that nobody finished writing ({left[0].name})",
        commands=(Command(argv=("rm", "-f", "--", *map(str, left))),),
    )


def box_builds(where: Path) -> Verdict:
    """Folders of box builds that nobody is at work in."""
    running = _command_lines()
    before = time.time() - _BETWEEN_COMMANDS_S
    left = [
        path
        for path in sorted(where.glob("lab-box-*"))
        if path.is_dir()
        and path.stat().st_mtime < before
        and not any(str(path) in line for line in running)
    ]
    if not left:
        return ok("none")
    return note(
        f"{amount(len(left), 'folder')} of builds that were killed: "
        + listing([str(path) for path in left]),
        # The lock is the user's own, and must not become root's.
        commands=(
            Command(
                argv=(
                    *_under(catalog.vagrant_home() / LOCK_NAME),
                    *process.as_root([*_REMOVE, *map(str, left)]),
                )
            ),
        ),
    )


def stick_work(where: Path) -> Verdict:
    """Folders in which boxes were on their way to a stick or from one, of labs that were killed."""
    left = dead_folders(WORK_PREFIX, where)
    if not left:
        return ok("none")
    return note(
        f"{amount(len(left), 'folder')} of `lab box export` or `import` that were killed: "
        + listing([str(path) for path in left]),
        commands=(Command(argv=(*_REMOVE, *map(str, left)), as_root=True),),
    )


def orphan_processes(folder: LabFolder) -> Verdict:
    """Programs at work on this class whose lab is dead: nobody waits for them."""
    if is_held(folder.lock):
        return ok("another lab is at work, and they may be its")
    left = [
        f"{path.name} ({Path(words[0]).name} {' '.join(words[1:4])})"
        for path in sorted(_PROCESSES.glob("[0-9]*"))
        if (words := _orphan_of(path, folder.project))
    ]
    if not left:
        return ok("none")
    pids = " ".join(it.split()[0] for it in left)
    # Vagrant may be in the midst of something: to end it is a decision.
    return note(
        f"{amount(len(left), 'program')} of a lab that was killed: {listing(left)}",
        fix=f"Wait for them to end, or: kill {pids}",
    )


def _orphan_of(path: Path, project: Path) -> list[str]:
    """The words of a process of this class whose lab is no more; none for any other."""
    with suppress(OSError):
        words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
        parent = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        adopted = parent == "1" or (_PROCESSES / parent / "comm").read_text().strip() == "systemd"
        ours = any(Path(word).name in _PROGRAMS for word in words[:2])
        place = str(project.resolve())
        here = str((path / "cwd").readlink()) == place or any(place in word for word in words)
        if adopted and ours and here:
            return words
    return []


def half_unpacked(lxcpath: Path) -> Verdict:
    """Roots of boxes that nobody has finished unpacking."""
    roots = lxcpath / ".lab-roots"
    script = 'cd "$1" 2>/dev/null || exit 0; stat -c "%i %n" lock *.part 2>/dev/null || true'
    lines = process.run(
        process.as_root(["sh", "-c", script, "sh", str(roots)]), timeout_s=20
    ).stdout.splitlines()
    inodes = {name: int(inode) for inode, name in (line.split(" ", 1) for line in lines)}
    lock_inode = inodes.pop("lock", None)
    if not inodes:
        return ok("none")
    if lock_inode is not None and is_held_inode(lock_inode):
        return ok("one is being unpacked now")
    left = [str(roots / name) for name in inodes]
    return note(
        f"{amount(len(left), 'root')} that nobody finished: {listing(left)}",
        # Somebody may begin to unpack one before this is run.
        commands=(Command(argv=(*_under(roots / "lock"), *_REMOVE, *left), as_root=True),),
    )


def _under(lock_file: Path) -> tuple[str, ...]:
    """What a command begins with that is run under a lock or not at all."""
    return ("flock", "--nonblock", str(lock_file))


def _command_lines() -> list[str]:
    """What runs on this computer, and in which folders."""
    found = []
    for path in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            found.append((path / "cmdline").read_bytes().decode(errors="replace"))
            found.append(str((path / "cwd").readlink()))
    return found
