"""A program that stays, and is written to and read from in turns."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.system import process
from lab.system.output import Reader

_GOODBYE_S = 0.5


class Conversation:
    """A program that stays, and is written to and read from in turns.

    Raises:
        HostError: the program cannot be run.
        Interrupted: lab was interrupted.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Path | None = None) -> None:
        self._child = process.start(argv, cwd=cwd, stdin=subprocess.PIPE)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._stdin, self._stdout = self._child.stdin, self._child.stdout
        self._errors = Reader(self._child.stderr)
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)

    def send(self, data: bytes) -> None:
        """Write to the program.

        Raises:
            EOFError: it has ended.
        """
        try:
            process.feed(self._stdin, data)
        except (BrokenPipeError, ValueError) as error:
            raise EOFError(self.last_words()) from error

    def read_line(self, *, timeout_s: float, limit: int) -> bytes:
        """The next line, without its end; of at most `limit` bytes.

        Raises:
            EOFError: the program has ended.
            TimeoutError: it did not come in time.
            ValueError: it is longer.
        """
        deadline = time.monotonic() + timeout_s
        while (end := self._buffer.find(b"\n", 0, limit + 1)) < 0:
            if len(self._buffer) > limit:
                raise ValueError(f"a line of more than {limit} bytes")
            self._fill(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def last_words(self) -> str:
        """The last line that the program wrote to stderr."""
        lines = self._errors.text(wait_s=process.TERM_GRACE_S).strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End the program: by the end of its stdin, or else by force."""
        self._selector.close()
        self._stdin.close()
        self._stdout.close()
        # It may have to clean up, and a signal right then would leave that half done.
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_GOODBYE_S)
        process.kill_group(self._child)
        process.forget(self._child)
        # Ends with the program; its pipe is closed then.
        self._errors.text(wait_s=process.TERM_GRACE_S)

    def _fill(self, deadline: float) -> None:
        # Also of a program that never stops, and never comes to an end of what it says.
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not self._selector.select(left_s):
            raise TimeoutError
        chunk = os.read(self._stdout.fileno(), 65536)
        if not chunk:
            raise EOFError(self.last_words())
        self._buffer += chunk
