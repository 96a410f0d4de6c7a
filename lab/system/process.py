"""The one way in which lab runs other programs.

No shell, stdin closed, bounded memory, whole groups killed, and no program after an interruption.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.errors import INTERRUPTED, HostError, LabError, ProcessError
from lab.system.guardian import GRACE_S, KILLED_S, MARK, Guardian, live, signal_groups
from lab.system.output import KEPT_BYTES as KEPT_BYTES
from lab.system.output import Log, Reader
from lab.system.signals import uninterrupted

_LOOK_AGAIN_S = 0.2
TERM_GRACE_S = GRACE_S
_TAIL_LINES = 15

_lock = threading.Lock()  # of the three below
_guardians: list[Guardian] = []
_running: dict[subprocess.Popen[bytes], bool] = {}  # whether it cleans up
_interrupted = threading.Event()
_killed = threading.Event()
_cleaning = contextvars.ContextVar("_cleaning", default=False)


class Interrupted(LabError):
    """lab was interrupted: a program was stopped for it, or not even started."""

    exit_code = INTERRUPTED


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a program left behind.

    `stdout` and `stderr` hold at most `KEPT_BYTES` each (the last ones); undecodable bytes are
    replaced.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the program ended with exit code 0."""
        return self.returncode == 0

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines of stderr, or of stdout where stderr is empty."""
        text = self.stderr.strip() or self.stdout.strip()
        return "\n".join(text.splitlines()[-lines:])


def describe_exit(returncode: int) -> str:
    """How a program ended, in words: an exit code, or the signal that killed it."""
    if returncode < 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-returncode).name}"
        return f"was killed by signal {-returncode}"
    return f"ended with exit code {returncode}"


def as_root(argv: Sequence[str]) -> list[str]:
    """The same command with root's rights: through sudo, unless this is root already."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "-n", *argv]


def run(  # noqa: PLR0913 (the one way to run a program has all the options)
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
    stop: threading.Event | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: the program and its arguments; never a shell line.
        stdin: what it reads; nothing otherwise.
        env: added to this process's environment.
        cwd: the folder it runs in.
        log: a file that its output is appended to as it comes.
        on_line: called from another thread with each line of stdout; what it raises is raised here
            when the program has ended.
        timeout_s: how long it may take; then it is killed with all its children.
        stop: when this is set the program is ended with all its children, which is no error but
            shows in its exit code.
        check: whether an exit code other than 0 is an error.

    Raises:
        HostError: the program is not installed, or cannot be run.
        ProcessError: it took too long, or failed and `check` is set.
        Interrupted: lab was interrupted, before or while it ran.
        LabError: the log could not be written; `details` says how the program ended.
    """
    with contextlib.ExitStack() as closing:
        log_file = None
        if log is not None:
            log_file = closing.enter_context(contextlib.closing(Log(log)))
            log_file.write(f"$ {_shown(argv)}\n".encode())
        started = time.monotonic()
        reads = subprocess.DEVNULL if stdin is None else subprocess.PIPE

        def begin() -> tuple[subprocess.Popen[bytes], Reader, Reader]:
            child = start(argv, env=env, cwd=cwd, stdin=reads)
            assert child.stdout is not None
            assert child.stderr is not None
            out = Reader(child.stdout, log_file, on_line)
            return child, out, Reader(child.stderr, log_file)

        with _stopped_with_lab(begin) as (child, out, err):
            in_time = _wait(child, stdin, timeout_s, stop)
        completed = Completed(
            argv=tuple(argv),
            returncode=child.returncode,
            stdout=out.text(wait_s=TERM_GRACE_S),
            stderr=err.text(wait_s=TERM_GRACE_S),
            seconds=time.monotonic() - started,
        )
    if out.error is not None:
        raise out.error
    trouble = log_file.trouble if log_file is not None else ""
    if not in_time:
        words = "\n".join(completed.stderr.splitlines()[-_TAIL_LINES:])
        how = f"took longer than {timeout_s:.0f} s and was stopped"
        raise ProcessError(f"`{_shown(argv)}` {how}", details=_joined(words, trouble), log=log)
    how = f"`{_shown(argv)}` {describe_exit(completed.returncode)}"
    if check and not completed.ok:
        raise ProcessError(how, details=_joined(completed.tail(), trouble), log=log)
    if trouble:
        raise LabError(
            trouble,
            details=_joined(how, completed.tail()),
            hint="Free some space or mend the permissions, then run the same command again.",
        )
    return completed


def run_attached(argv: Sequence[str], *, cwd: Path | None = None) -> int:
    """Run a program on this terminal, for a person to use, and return its exit code."""
    try:
        return subprocess.run(list(argv), cwd=cwd, check=False).returncode
    except OSError as error:
        raise _not_run(argv, cwd, error) from error


def start(
    argv: Sequence[str],
    *,
    stdin: int,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that `stop_all` stops; for this room only, which forgets it at its end."""
    # Under the lock, so that an interruption sees the program or is seen by it.
    with _lock:
        if _killed.is_set() or (_interrupted.is_set() and not _cleaning.get()):
            raise Interrupted(f"`{_shown(argv)}` was not started: lab was interrupted")
        added = dict(env or {})
        if _guardians:
            added[MARK] = f"{os.getpid()}-{time.monotonic_ns()}"
        for guardian in _guardians:
            guardian.expect(added[MARK])
        try:
            child = subprocess.Popen(
                list(argv),
                bufsize=0,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **added},
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise _not_run(argv, cwd, error) from error
        _running[child] = _cleaning.get()
        for guardian in _guardians:
            guardian.watch(child.pid)
    return child


def forget(child: subprocess.Popen[bytes]) -> bool:
    """Note that a program has ended; says whether an interruption may have ended it."""
    with _lock:
        cleaned = _running.pop(child, False)
        for guardian in _guardians:
            guardian.forget(child.pid)
        return _killed.is_set() or (_interrupted.is_set() and not cleaned)


def feed(pipe: IO[bytes], data: bytes) -> None:
    """Write all of the data into an unbuffered pipe, which may take it in parts."""
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]


def stop_all(*, wait: bool = True) -> None:
    """Stop every program that `run` has started, with its children; from now on none starts.

    What cleans up goes on, and may start programs (see `cleaning_up`).

    Args:
        wait: whether to return only when they have ended, and not at once.
    """
    with _lock:
        _interrupted.set()
        children = [child for child, cleans in _running.items() if not cleans]
    if wait:
        _kill(children)
    else:
        threading.Thread(target=_kill, args=(children,), daemon=True).start()


def kill_all() -> None:
    """Kill every program that `run` has started, with its children, what cleans up included.

    From now on none starts.
    """
    with _lock:
        _interrupted.set()
        _killed.set()
        children = list(_running)
    signal_groups({child.pid for child in children}, signal.SIGKILL)


def pause(seconds: float) -> None:
    """Sleep, and wake up when lab is interrupted; what cleans up sleeps on.

    Raises:
        Interrupted: lab was interrupted, before or meanwhile.
    """
    if (_killed if _cleaning.get() else _interrupted).wait(seconds):
        raise Interrupted("lab was interrupted")


def allow_again() -> None:
    """Take back that no program starts after an interruption; for tests."""
    _interrupted.clear()
    _killed.clear()


@contextlib.contextmanager
def cleaning_up() -> Iterator[None]:
    """In the block, programs start in spite of an interruption, and are not stopped by one.

    For what removes the beginnings of an interrupted job. `kill_all` ends that too.
    """
    token = _cleaning.set(True)
    try:
        yield
    finally:
        _cleaning.reset(token)


@contextlib.contextmanager
def guarded(keeping: int, *, outlived: bool = False) -> Iterator[None]:
    """In the block, programs end with lab, even if it is killed; see `lab.system.guardian`.

    Args:
        keeping: the descriptor of a file that stays open until the last of them has ended.
        outlived: whether those that still run at the end of the block go on, instead of being
            ended.

    Raises:
        HostError: this computer starts no more programs.
    """
    with _lock:
        try:
            guardian = Guardian(keeping)
        except OSError as error:
            raise _not_run([sys.executable], None, error) from error
        _guardians.append(guardian)
        for child in _running:
            guardian.watch(child.pid)
    try:
        yield
    finally:
        with _lock:
            _guardians.remove(guardian)
        guardian.dismiss(outlived=outlived)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Ask a program and its children to end, and kill what is left after a grace period."""
    _kill([child])


def _wait(
    child: subprocess.Popen[bytes],
    stdin: bytes | None,
    timeout_s: float | None,
    stop: threading.Event | None,
) -> bool:
    """Feed a program and wait for its end; says whether that came in time."""

    def attend() -> None:
        if child.stdin is not None and stdin is not None:
            # A program that ends before it has read everything says why by its exit code.
            with suppress(BrokenPipeError), child.stdin:
                feed(child.stdin, stdin)
        child.wait()

    # In a thread, as Popen.wait with a time-out looks only every 50 ms, and a program that does not
    # read its stdin is to be too late as well.
    attendant = threading.Thread(target=attend, daemon=True)
    attendant.start()
    if stop is None:
        attendant.join(timeout_s)
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    while attendant.is_alive() and stop is not None and not stop.is_set():
        if time.monotonic() > deadline:
            break
        attendant.join(_LOOK_AGAIN_S)
    if not attendant.is_alive():
        return True
    kill_group(child)
    # It has been waited for then, and its exit code is known.
    attendant.join(TERM_GRACE_S)
    return stop is not None and stop.is_set()


@contextlib.contextmanager
def _stopped_with_lab(
    begin: Callable[[], tuple[subprocess.Popen[bytes], Reader, Reader]],
) -> Iterator[tuple[subprocess.Popen[bytes], Reader, Reader]]:
    """No exception, Ctrl-C least of all, leaves the block while the program goes on."""
    child = None
    interrupted = False
    try:
        with uninterrupted():
            child, out, err = begin()
        yield child, out, err
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            _interrupted.set()
        if child is not None:
            kill_group(child)
        raise
    finally:
        if child is not None:
            interrupted = forget(child)
    if interrupted:
        raise Interrupted(f"`{_shown(child.args)}` was stopped: lab was interrupted")  # type: ignore[arg-type]  # a list, from `start`


def _kill(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask programs and their children to end, and kill what is left after a grace period.

    An interruption of the waiting kills at once.
    """
    groups = {child.pid for child in children}
    try:
        signal_groups(groups, signal.SIGTERM)
        _wait_for_end(groups, TERM_GRACE_S)
    finally:
        signal_groups(groups, signal.SIGKILL)
        # Where zombies are not told apart, until somebody has taken note of each one's end.
        _wait_for_end(groups, KILLED_S)
        for child in children:
            child.poll()


def _wait_for_end(groups: set[int], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while live(groups) and not _killed.is_set() and time.monotonic() < deadline:
        time.sleep(0.02)


def _not_run(argv: Sequence[str], cwd: Path | None, error: OSError) -> LabError:
    if cwd is not None and not cwd.is_dir():
        return ProcessError(f"There is no folder {cwd} to run `{_shown(argv)}` in")
    if not isinstance(error, FileNotFoundError):
        return HostError(f"`{argv[0]}` cannot be run: {error.strerror}")
    return HostError(
        f"`{argv[0]}` is not installed, or not on PATH",
        hint="Install it: docs/providers.md says which packages each provider needs, and on Debian "
        "./scripts/quickstart installs what containers need",
    )


def _shown(argv: Sequence[str]) -> str:
    line = shlex.join(argv)
    return line if len(line) <= 120 else f"{line[:117]}..."


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
