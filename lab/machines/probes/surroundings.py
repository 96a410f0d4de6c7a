"""What lab runs in: Python with its packages, HOME, the locale, temporary files, the clock."""

from __future__ import annotations

import email.utils
import locale
import os
import shlex
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lab.machines.health import Command, Verdict, note, ok, problem, unknown
from lab.machines.host_apt import host_mirror
from lab.system import process

_PACKAGES = ("jinja2", "pydantic", "pytest", "testinfra", "typer", "vagrant", "yaml", "rich")
_OWNER = 0o700
# Apt takes no index whose date is still to come; certificates and logs suffer later.
_CLOCK_OFF_S = 60.0
_FUTURE_S = 60.0
_ANSWER_S = 10.0


def python_packages() -> Verdict:
    """Whether the Python that runs lab has all of lab's packages, in a process of its own."""
    tried = process.run(
        [sys.executable, "-c", f"import {', '.join(_PACKAGES)}"], check=False, timeout_s=60
    )
    version = ".".join(map(str, sys.version_info[:3]))
    if tried.ok:
        return ok(f"Python {version} has lab's packages")
    return problem(
        f"Python {version}: {tried.tail(1)}",
        why="Checks and Vagrant are run with these.",
        fix=f"{shlex.quote(sys.executable)} -m pip install --force-reinstall lab",
    )


def home(environment: Mapping[str, str]) -> Verdict:
    """Whether HOME is set and is a folder: Vagrant and SSH look there."""
    named = environment.get("HOME", "")
    if named and Path(named).is_dir():
        return ok(f"HOME is {named}")
    return problem(
        f"HOME is {named}, and there is no such folder" if named else "HOME is not set",
        why="Vagrant does not start without it.",
        fix='export HOME="$(getent passwd "$(id -u)" | cut -d: -f6)"',
    )


def umask() -> Verdict:
    """Whether lab can read the files that it makes."""
    mask = os.umask(0o022)
    os.umask(mask)
    if not mask & _OWNER:
        return ok(f"umask is {mask:04o}")
    return problem(
        f"umask is {mask:04o}, which takes rights from the owner",
        why="lab could not read the files that it has written.",
        fix="umask 022",
    )


def utf8() -> Verdict:
    """Whether names and what guests say can be shown as they are."""
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") == "utf8":
        return ok(f"the locale's encoding is {encoding}")
    return note(
        f"The locale's encoding is {encoding}: names are shown with escapes",
        fix="export LC_ALL=C.UTF-8",
    )


def temporary_files() -> Verdict:
    """Whether a script in the folder for temporary files can be written and run."""
    try:
        with tempfile.TemporaryDirectory(prefix="lab-doctor-") as work:
            script = Path(work) / "script"
            script.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
            script.chmod(0o700)
            runs = os.access(script, os.X_OK) and process.run([str(script)], check=False).ok
    except OSError as error:
        return problem(
            f"No temporary file can be made: {error.strerror}",
            why="lab and Vagrant put things together there.",
            fix="unset TMPDIR   (or name a folder that you may write)",
        )
    where = tempfile.gettempdir()
    if runs:
        return ok(f"temporary files are in {where}")
    return note(f"{where} is mounted so that nothing in it runs", fix="export TMPDIR=/var/tmp")


def clock(*, mirror: str | None = None) -> Verdict:
    """Whether this computer's clock is that of the archive that it installs from."""
    url = mirror or host_mirror("debian") or host_mirror("ubuntu")
    if url is None:
        return unknown("This computer's apt names no archive whose clock could be asked")
    try:
        theirs = _date_of(url)
    except (OSError, ValueError) as error:
        return unknown(f"The archive does not say what time it is: {error}")
    off_s = time.time() - theirs
    if abs(off_s) <= _CLOCK_OFF_S:
        return ok(f"within {max(1, round(abs(off_s)))} s of the archive's")
    side = "ahead of" if off_s > 0 else "behind"
    return problem(
        f"This computer's clock is {_span(abs(off_s))} {side} the archive's",
        why="Machines have this clock: apt refuses an archive of the future, and TLS certificates "
        "that are not valid yet.",
        fix="sudo timedatectl set-ntp true   "
        f"(or: sudo date -u -s '{time.strftime('%F %T', time.gmtime(theirs))}')",
    )


def from_the_future(folder: Path) -> Verdict:
    """Whether a folder of lab's has files that were written later than now."""
    limit = time.time() + _FUTURE_S
    late = [path for path in folder.rglob("*") if path.lstat().st_mtime > limit]
    if not late:
        return ok("no file of .lab is from the future")
    return note(
        f"{len(late)} files of {folder} are from the future ({late[0].name}): "
        "the clock was ahead when they were written",
        commands=(
            Command(argv=("find", str(folder), "-newermt", "now", "-exec", "touch", "{}", "+")),
        ),
    )


def _date_of(url: str) -> float:
    """What time an HTTP server has, in seconds since the epoch.

    Raises:
        OSError: it is out of reach.
        ValueError: it says no time.
    """
    # The mirror of this computer's apt, over HTTP; a proxy of the environment is used.
    request = urllib.request.Request(f"{url}/", method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
            said = answer.headers.get("Date", "")
    except urllib.error.HTTPError as error:
        # What it thinks of the page is no matter.
        said = error.headers.get("Date", "")
    if not said:
        raise ValueError("its answer has no date")
    return email.utils.parsedate_to_datetime(said).timestamp()


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
