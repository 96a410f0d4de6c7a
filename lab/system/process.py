"""The one way in which lab runs other programs.

No shell, stdin closed, bounded memory, whole groups killed.
"""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.errors import HostError, ProcessError

KEPT_BYTES = 8 * 1024 * 1024
TERM_GRACE_S = 5.0
_TAIL_LINES = 15

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()


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


class _Tail:
    """Reads a pipe to its end, keeps the last bytes, and hands on each line as it comes."""

    def __init__(
        self, stream: IO[bytes], log: IO[bytes] | None, on_line: Callable[[str], None] | None
    ) -> None:
        self._stream = stream
        self._log = log
        self._on_line = on_line
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        pending = b""
        while chunk := os.read(self._stream.fileno(), 65536):
            if self._log is not None:
                self._log.write(chunk)
                self._log.flush()
            self._kept += chunk
            if len(self._kept) > 2 * KEPT_BYTES:
                del self._kept[:-KEPT_BYTES]
            if self._on_line is not None:
                *lines, pending = (pending + chunk).split(b"\n")
                pending = pending[-KEPT_BYTES:]
                for line in lines:
                    self._on_line(line.decode(errors="replace"))
        if pending and self._on_line is not None:
            self._on_line(pending.decode(errors="replace"))

    def text(self) -> str:
        # A grandchild may hold the pipe open after the program itself has ended; what it says then
        # is not waited for.
        self._thread.join(timeout=TERM_GRACE_S)
        return bytes(self._kept[-KEPT_BYTES:]).decode(errors="replace")


def run(  # noqa: PLR0913 (the one way to run a program has all the options)
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: the program and its arguments; never a shell line.
        stdin: what it reads; nothing otherwise.
        env: added to this process's environment.
        cwd: the folder it runs in.
        log: a file that its output is appended to as it comes.
        on_line: called from another thread with each line of stdout.
        timeout_s: how long it may take; then it is killed with all its children.
        check: whether an exit code other than 0 is an error.

    Raises:
        HostError: the program is not installed.
        ProcessError: it took too long, or failed and `check` is set.
    """
    started = time.monotonic()
    log_file = _open_log(log, argv)
    try:
        child = _start(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stderr is not None
        out = _Tail(child.stdout, log_file, on_line)
        err = _Tail(child.stderr, log_file, None)
        try:
            if stdin is not None:
                _feed(child, stdin)
            returncode = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_group(child)
            raise ProcessError(
                f"`{_shown(argv)}` took longer than {timeout_s:.0f} s and was stopped",
                details="\n".join(err.text().splitlines()[-_TAIL_LINES:]),
                log=log,
            ) from None
        except BaseException:
            kill_group(child)
            raise
        finally:
            with _running_lock:
                _running.discard(child)
        completed = Completed(
            argv=tuple(argv),
            returncode=returncode,
            stdout=out.text(),
            stderr=err.text(),
            seconds=time.monotonic() - started,
        )
    finally:
        if log_file is not None:
            log_file.close()
    if check and not completed.ok:
        raise ProcessError(
            f"`{_shown(argv)}` {describe_exit(returncode)}", details=completed.tail(), log=log
        )
    return completed


def run_attached(argv: Sequence[str], *, cwd: Path | None = None) -> int:
    """Run a program on this terminal, for a person to use, and return its exit code."""
    try:
        return subprocess.run(list(argv), cwd=cwd, check=False).returncode
    except FileNotFoundError as error:
        raise _not_installed(argv[0]) from error


def stop_all() -> None:
    """Stop every program that `run` has started and that is still going, with its children."""
    with _running_lock:
        children = list(_running)
    for child in children:
        kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Ask a program and its children to end, and kill what is left after a grace period."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Not permitted: the group runs as root, through sudo, which ends when its stdin and parent
        # are gone.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(TERM_GRACE_S)
            return


class Conversation:
    """A program that stays, and is written to and read from in turns.

    Raises:
        HostError: the program is not installed.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path | None = None) -> None:
        self._child = _start(argv, env=None, cwd=cwd, stdin=subprocess.PIPE)
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._errors = _Tail(self._child.stderr, None, None)
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._child.stdout, selectors.EVENT_READ)

    def send(self, data: bytes) -> None:
        """Write to the program.

        Raises:
            EOFError: it has ended.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(data)
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise EOFError(self.last_words()) from error

    def read_line(self, *, timeout_s: float) -> bytes:
        """The next line, without its end.

        Raises:
            EOFError: the program has ended.
            TimeoutError: nothing came in time.
        """
        deadline = time.monotonic() + timeout_s
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def read(self, count: int, *, timeout_s: float) -> bytes:
        """The next `count` bytes.

        Raises:
            EOFError: the program has ended.
            TimeoutError: they did not come in time.
        """
        deadline = time.monotonic() + timeout_s
        while len(self._buffer) < count:
            self._fill(deadline)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def last_words(self) -> str:
        """The last line that the program wrote to stderr."""
        lines = self._errors.text().strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End the program."""
        self._selector.close()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        kill_group(self._child)
        with _running_lock:
            _running.discard(self._child)

    def _fill(self, deadline: float) -> None:
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        assert self._child.stdout is not None
        chunk = os.read(self._child.stdout.fileno(), 65536)
        if not chunk:
            raise EOFError(self.last_words())
        self._buffer += chunk


def _start(
    argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | None, stdin: int
) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise ProcessError(f"There is no folder {cwd} to run `{_shown(argv)}` in") from error
        raise _not_installed(argv[0]) from error
    with _running_lock:
        _running.add(child)
    return child


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None
    # A program that ends before it has read everything says why by its exit code.
    with suppress(BrokenPipeError):
        child.stdin.write(data)
    with suppress(BrokenPipeError):
        child.stdin.close()


def _open_log(log: Path | None, argv: Sequence[str]) -> IO[bytes] | None:
    if log is None:
        return None
    log.parent.mkdir(parents=True, exist_ok=True)
    log_file = log.open("ab")
    log_file.write(f"$ {_shown(argv)}\n".encode())
    return log_file


def _shown(argv: Sequence[str]) -> str:
    line = shlex.join(argv)
    return line if len(line) <= 120 else f"{line[:117]}..."


def _not_installed(program: str) -> HostError:
    return HostError(
        f"`{program}` is not installed, or not on PATH",
        hint="./scripts/quickstart installs what lab needs on Debian and says what that is",
    )
