"""Boxes: build what is missing, list what there is, take in what the teacher brings.

Boxes are a user's, not a project's. So a lock of their own is held while one is made or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lab.classroom.config import load_classroom
from lab.classroom.results import BoxStatus
from lab.errors import HostError, LabError
from lab.machines.bakes import PREFIX as BAKE_PREFIX
from lab.machines.boxes import builder, catalog
from lab.machines.boxes.checksums import verify_box
from lab.machines.boxes.names import box_name, is_own_file
from lab.machines.boxes.profiles import PROFILES, profile_named
from lab.machines.providers import AUTO, PROVIDERS, trouble_with, untried
from lab.machines.providers.base import Provider
from lab.machines.vagrant import Vagrant
from lab.system import lock, parallel
from lab.system.files import LabFolder
from lab.workflow.observer import Observer
from lab.workflow.provider_choice import provider_beside

LOCK_NAME = "lab-boxes.lock"
IN_USE_NAME = "lab-boxes-in-use.lock"
_ROOTS_NAME = "lab-roots"
# Building a box takes minutes, on a slow line many.
_WAIT_S = 3600.0


@contextmanager
def boxes_locked(operation: str, *, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Have Vagrant's boxes for this lab alone while the block runs.

    Whoever holds it may wait neither for a project's lock nor for `boxes_in_use`: who holds one of
    those may wait for this one.

    Args:
        operation: what is done with them, for the one who has to wait.
        on_wait: told who is waited for.

    Raises:
        LockedError: another lab did not let them go in an hour.
    """
    path = catalog.vagrant_home() / LOCK_NAME
    with lock.hold(
        path, operation=operation, wait_s=_WAIT_S, on_wait=on_wait, what="Vagrant's boxes"
    ):
        _note_roots()
        try:
            yield
        finally:
            _note_roots()


@contextmanager
def boxes_in_use(*, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Have no box pruned while the block runs; others may have so at the same time.

    For who finds a bake and makes machines of it later: until then nothing else says that it is
    used. Locks are taken in this order: a project's, this one, the one of `boxes_locked`.

    Args:
        on_wait: told when a `lab box prune` is waited for.

    Raises:
        LockedError: it did not end in an hour.
    """
    path = catalog.vagrant_home() / IN_USE_NAME
    with lock.share(path, wait_s=_WAIT_S, on_wait=on_wait, what="a `lab box prune`"):
        yield


def box_provider(labs_yaml: Path, *, wanted: str = "") -> str:
    """Whose boxes are meant: who is wanted, else labs.yaml's provider, else the first that works.

    A provider that is named need not work here: its boxes can be for another computer.

    Raises:
        ConfigError: labs.yaml is there, and wrong.
        HostError: nobody is named, and none works.
    """
    if wanted:
        return wanted
    labs = load_classroom(labs_yaml).labs if labs_yaml.exists() else ()
    named = {lab.provider for lab in labs}
    name = named.pop() if len(named) == 1 else AUTO
    return (
        provider_beside(LabFolder(labs_yaml.absolute().parent), AUTO).name if name == AUTO else name
    )


def build_box(
    recipe: builder.Recipe, *, observer: Observer, log: Path, force: bool = False
) -> bool:
    """Build a box and give it to Vagrant; says whether there was anything to do.

    Raises:
        HostError: debootstrap, a keyring or space is missing.
        ProcessError: the archive could not be reached, or a command failed.
    """
    if builder.built(recipe) and not force:
        return False
    with boxes_locked(f"box build {recipe.profile.name}", on_wait=observer.note):
        # Who was waited for may have built it.
        if builder.built(recipe) and not force:
            return False
        _build(recipe, observer=observer, log=log)
    return True


def ensure_boxes(
    boxes: Sequence[str], *, provider: str, observer: Observer, log: Path, folder: Path
) -> None:
    """See that Vagrant has a provider's boxes that labs.yaml names: builds profiles, adds files.

    A profile's box that Vagrant has already is good enough, whatever mirror it was built from: only
    `lab box build` makes it anew.

    Raises:
        HostError: a box can be neither found nor built.
        ProcessError: building or adding it failed.
    """
    for box in dict.fromkeys(boxes):
        if _is_there(box, provider):
            continue
        if box not in PROFILES and not is_own_file(box):
            raise HostError(
                f"Vagrant has no box called {box} for {provider}",
                details="lab can build: " + ", ".join(PROFILES),
                hint=f"lab box add {box} FILE_OR_URL   (or name one of those in labs.yaml)",
            )
        with boxes_locked(f"box build {box}", on_wait=observer.note):
            # Who was waited for may have built it.
            if _is_there(box, provider):
                continue
            if box in PROFILES:
                recipe = builder.recipe_for(profile_named(box), provider=provider)
                _build(recipe, observer=observer, log=log)
            else:
                observer.note(f"box {box}: adding")
                source = _located(box, folder)
                vagrant = Vagrant(folder, log=log)
                add_checked(vagrant, box_name(box), source, provider=provider)


def add_box(
    name: str,
    source: str,
    *,
    provider: str,
    on_wait: Callable[[str], None],
    log: Path | None = None,
) -> None:
    """Give Vagrant a box of the teacher's own, from a file or a URL.

    Raises:
        LabError: it cannot be read or downloaded, is no box, or was damaged on its way.
    """
    with boxes_locked(f"box add {name}", on_wait=on_wait):
        vagrant = Vagrant(Path.cwd(), log=log)
        add_checked(vagrant, name, _located(source, Path.cwd()), provider=provider)


def list_boxes() -> list[BoxStatus]:
    """Every box that Vagrant has."""
    return [
        BoxStatus(
            name=box.name,
            provider=box.provider,
            version=box.recipe or box.version,
            size_mb=round(box.size_mb),
            created=datetime.fromtimestamp(box.created, UTC).date().isoformat(),
        )
        for box in catalog.boxes()
    ]


def prune(*, on_wait: Callable[[str], None], log: Path | None = None) -> list[str]:
    """Remove the bakes that no machine is a clone of, and unpacked roots that nothing uses.

    Boxes that were built or added stay. What a machine uses is never removed, whichever project's
    machine it is; nor are roots of boxes that another user has, or another `VAGRANT_HOME`. A
    `lab up` at work may be about to use some, so it is waited for.

    Args:
        on_wait: told who is waited for.
        log: gets what Vagrant says.

    Returns:
        What was removed, by name.

    Raises:
        LockedError: another lab was at work for an hour.
        LabError: something could not be removed.
    """
    path = catalog.vagrant_home() / IN_USE_NAME
    using = "a `lab up` at work, which may use any box"
    with (
        lock.share(path, alone=True, wait_s=_WAIT_S, on_wait=on_wait, what=using),
        boxes_locked("box prune", on_wait=on_wait),
    ):
        removed: list[str] = []
        for provider in map(untried, PROVIDERS):
            # Of one that does not work here nobody knows what machines use.
            if trouble_with(provider) is None:
                removed += _prune(provider, log)
        return removed


def _build(recipe: builder.Recipe, *, observer: Observer, log: Path) -> None:
    vagrant = Vagrant(Path.cwd(), log=log)
    name = recipe.profile.name
    done = parallel.run_all(
        [name],
        lambda _, tell: builder.build(recipe, vagrant=vagrant, log=log, note=tell),
        workers=1,
        on_news=lambda _, text: observer.note(text),
        on_done=lambda _, __: None,
    )
    if done[0].error is not None:
        raise done[0].error
    observer.note(f"box {name}: ready")


def add_checked(vagrant: Vagrant, name: str, source: str, *, provider: str) -> None:
    """Give Vagrant a box, and take it away again where it is not what its maker packed.

    The lock of Vagrant's boxes is held.

    Raises:
        LabError: it cannot be had, is no box, or was damaged on its way.
    """
    vagrant.add_box(name, source, provider=provider)
    box = catalog.find(name, provider=provider)
    if box is None:
        return
    try:
        verify_box(box)
    except LabError:
        vagrant.remove_box(name, provider=provider)
        raise


def _is_there(box: str, provider: str) -> bool:
    return catalog.find(box_name(box), provider=provider) is not None


def _prune(provider: Provider, log: Path | None) -> list[str]:
    """Prune one provider's boxes and roots."""
    vagrant = Vagrant(Path.cwd(), log=log)
    roots = provider.roots()
    used = {root for root, in_use in roots.items() if in_use}
    removed = []
    kept, let_go = set(used), set()
    for box in catalog.boxes():
        if box.provider != provider.name:
            continue
        root = provider.root_of(box)
        if box.name.startswith(BAKE_PREFIX) and root not in used:
            vagrant.remove_box(box.name, provider=box.provider)
            removed.append(box.name)
            let_go.add(root)
        else:
            kept.add(root)
    known = {root for name, root in _known_roots() if name == provider.name}
    for root in roots:
        # What no box here ever had belongs to another user's boxes, who sees this folder too.
        if root not in kept and root in known:
            provider.remove_root(root)
            # A bake and its root are one thing to the teacher.
            if root not in let_go and not root.startswith(BAKE_PREFIX.replace("/", "-")):
                removed.append(f"the unpacked root {root}")
    return removed


def _note_roots() -> None:
    """Note which roots the boxes here have: of one that is built anew the old root is left over."""
    mine = set()
    for provider in map(untried, PROVIDERS):
        for box in catalog.boxes():
            # A box without its image has no root that anybody could name.
            with suppress(OSError):
                if box.provider == provider.name and (root := provider.root_of(box)):
                    mine.add((provider.name, root))
    if new := sorted(mine - _known_roots()):
        with (catalog.vagrant_home() / _ROOTS_NAME).open("a", encoding="utf-8") as file:
            # The end of the line before may be missing, where lab was killed.
            file.write("".join(f"\n{provider} {root}" for provider, root in new))


def _known_roots() -> set[tuple[str, str]]:
    """The providers and names of the roots that boxes here have, or had once."""
    path = catalog.vagrant_home() / _ROOTS_NAME
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return {
        (provider, root) for provider, _, root in (it.partition(" ") for it in text.split("\n"))
    }


def _located(source: str, folder: Path) -> str:
    return source if "://" in source else str((folder / source).resolve())
