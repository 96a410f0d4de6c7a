"""What a running program says: kept in bounds, handed on line by line, and appended to a log."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from lab.errors import LabError

KEPT_BYTES = 8 * 1024 * 1024
# Of one program: it may say the same for ever, and the disk is everybody's.
LOGGED_BYTES = 64 * 1024 * 1024


class Log:
    """A file that output is appended to as it comes, `LOGGED_BYTES` of it at most.

    On a disk that is full it stops, and the program goes on: `trouble` then says why.

    Raises:
        LabError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open = True
        self._room = LOGGED_BYTES
        self.trouble = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        except OSError as error:
            raise LabError(f"The log {path} could not be opened: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Append to the file, unless it has been closed: a daemon may speak late."""
        with self._lock:
            if not self._open or self.trouble:
                return
            if self._room <= 0:
                return
            self._room -= len(data)
            if self._room <= 0:
                data += b"\n[It says more, which is not kept here.]\n"
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                self.trouble = f"The log {self._path} could not be written: {error.strerror}"

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._open = False
            # What could not be written before cannot be now either, and `trouble` tells.
            with suppress(OSError):
                self._file.close()


def append(path: Path, text: str) -> None:
    """Add text to a log.

    Raises:
        LabError: the log cannot be opened, or its disk is full.
    """
    log = Log(path)
    log.write(text.encode(errors="backslashreplace"))
    log.close()
    if log.trouble:
        raise LabError(log.trouble, hint="Free some space, then run the same command again.")


class Reader:
    """Reads a pipe to its end, keeps the last bytes, and hands on each line as it comes.

    Attributes:
        error: the first exception of `on_line`, which is told nothing more then; the pipe is read
            on, lest the program block on it.
    """

    def __init__(
        self,
        stream: IO[bytes],
        log: Log | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.error: Exception | None = None
        self._stream = stream
        self._log = log
        self._on_line = on_line
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self, *, wait_s: float) -> str:
        """What was kept, once the pipe has ended.

        A grandchild may hold the pipe open after the program itself has ended: for what it says
        then, nobody waits longer than `wait_s`.
        """
        self._thread.join(wait_s)
        return bytes(self._kept[-KEPT_BYTES:]).decode(errors="replace")

    def _read(self) -> None:
        pending = bytearray()
        # Closed here, and by nobody else: a late reader would read on in some other file.
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                if self._log is not None:
                    self._log.write(chunk)
                self._kept += chunk
                if len(self._kept) > 2 * KEPT_BYTES:
                    del self._kept[:-KEPT_BYTES]
                if self._on_line is None:
                    continue
                pending += chunk
                if b"\n" in chunk:
                    *lines, pending = pending.split(b"\n")
                    for line in lines:
                        self._hand_on(line)
                elif len(pending) > 2 * KEPT_BYTES:
                    del pending[:-KEPT_BYTES]
        if pending:
            self._hand_on(pending)

    def _hand_on(self, line: bytearray) -> None:
        if self._on_line is None:
            return
        try:
            self._on_line(line[-KEPT_BYTES:].decode(errors="replace"))
        except Exception as error:  # noqa: BLE001 (raised by who waits for the program)
            self.error = error
            self._on_line = None
