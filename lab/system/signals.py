"""Ctrl-C, a polite kill and a closed terminal: when they may come between two lines."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """An interruption that comes in the block is raised at its end.

    For what must not be left half done: a program that is half started is nobody's. Only Python's
    main thread is ever interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _INTERRUPTIONS}
    # None: it is not Python's, which could not put it back.
    before = {number: handler for number, handler in handlers.items() if handler is not None}
    came: list[int] = []
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
