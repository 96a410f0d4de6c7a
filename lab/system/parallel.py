"""Many jobs at once in threads.

Results are in the order of the jobs, and one job's failure is never another's.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from lab.system import process

# More than this, and who has news waits until it has been heard.
_WAITING_NEWS = 1000
_LOOK_AGAIN_S = 0.2
_LAST_MOMENT_S = 1.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Done(Generic[R]):
    """How one job ended: with a value, or with the exception that stopped it."""

    value: R | None = None
    error: Exception | None = None


class Stopped(KeyboardInterrupt):
    """Ctrl-C, with what became of each job until then.

    Attributes:
        results: one `Done` a job, in the jobs' order; `process.Interrupted` is the error of one
            that did not begin, or whose program was stopped.
    """

    def __init__(self, results: list[Done[R]]) -> None:
        super().__init__()
        self.results = results


def run_all(
    jobs: Sequence[T],
    work: Callable[[T, Callable[[str], None]], R],
    *,
    workers: int,
    on_news: Callable[[T, str], None],
    on_done: Callable[[T, Done[R]], None],
) -> list[Done[R]]:
    """Do `work(job, tell)` for each job, at most `workers` at a time.

    An interruption (Ctrl-C) begins no further job and asks the programs to end that the jobs have
    started; what the jobs tell until they have ended is still heard. A second one kills the
    programs, and waits for nobody.

    Args:
        jobs: what is to be done.
        work: does one job in a thread; what it tells reaches `on_news`.
        workers: how many threads.
        on_news: called in this thread with a job and what it told.
        on_done: called in this thread when a job has ended; not for one that did not begin.

    Returns:
        One `Done` a job, in the jobs' order.

    Raises:
        Stopped: lab was interrupted; with what became of the jobs.
        KeyboardInterrupt: it was interrupted twice.
    """
    run = _Run(jobs, work, on_news, on_done)
    try:
        run.begin(workers)
        run.hear()
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        try:
            run.stop()
            run.hear() if interrupted else run.wait()
        except BaseException:
            run.give_up()
            raise
        if interrupted:
            raise Stopped(run.results()) from error
        raise
    return run.results()


class _Run(Generic[T, R]):
    """The threads of one `run_all`, and what they tell its caller.

    An interruption may come between any two lines of the caller's thread. So what must not be lost
    is noted by the others, and looked up there.
    """

    def __init__(
        self,
        jobs: Sequence[T],
        work: Callable[[T, Callable[[str], None]], R],
        on_news: Callable[[T, str], None],
        on_done: Callable[[T, Done[R]], None],
    ) -> None:
        self._jobs, self._work = jobs, work
        self._on_news, self._on_done = on_news, on_done
        self._news: queue.Queue[tuple[int, str | None]] = queue.Queue(_WAITING_NEWS)
        self._waiting = iter(range(len(jobs)))
        self._begun: set[int] = set()
        self._done: dict[int, Done[R]] = {}
        self._told: set[int] = set()
        self._exit: BaseException | None = None
        self._stopping = threading.Event()
        self._deaf = threading.Event()

    def begin(self, workers: int) -> None:
        """Start the threads."""
        for _ in range(max(1, min(workers, len(self._jobs)))):
            # A daemon: Python waits for others at its own end, however often it is interrupted.
            threading.Thread(target=self._run_jobs, daemon=True).start()

    def hear(self) -> None:
        """Hand on what the jobs tell until all that were begun have ended."""
        while True:
            ended = self._ended
            try:
                # An interruption may have taken what would wake this thread.
                index, text = self._news.get(block=not ended, timeout=_LOOK_AGAIN_S)
            except queue.Empty:
                if ended:
                    break
                continue
            if self._exit is not None:
                raise self._exit
            if text is None:
                self._tell_end(index)
            else:
                self._on_news(self._jobs[index], text)
        for index in sorted(self._done):
            self._tell_end(index)

    def stop(self) -> None:
        """Begin no further job, and have the programs of the others end."""
        self._stopping.set()
        process.stop_all(wait=False)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until all jobs that were begun have ended; what they tell is not heard."""
        self._deaf.set()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._ended and (deadline is None or time.monotonic() < deadline):
            time.sleep(0.01)

    def give_up(self) -> None:
        """Kill the programs; the jobs get a moment to notice."""
        self._stopping.set()
        process.kill_all()
        self.wait(_LAST_MOMENT_S)

    def results(self) -> list[Done[R]]:
        """What became of each job."""
        not_begun = Done[R](error=process.Interrupted("It was not begun: lab was interrupted"))
        return [self._done.get(index, not_begun) for index in range(len(self._jobs))]

    @property
    def _ended(self) -> bool:
        expected = self._begun if self._stopping.is_set() else self._jobs
        return len(self._done) == len(expected)

    def _tell_end(self, index: int) -> None:
        if index not in self._told:
            self._told.add(index)
            self._on_done(self._jobs[index], self._done[index])

    def _run_jobs(self) -> None:
        # One iterator for all threads: each job is given to one of them.
        for index in self._waiting:
            # In this order: either this thread sees that it is to stop, or `_ended` sees the job.
            self._begun.add(index)
            if self._stopping.is_set():
                self._begun.discard(index)
                return
            done = Done[R]()
            try:
                done = Done(value=self._work(self._jobs[index], partial(self._put, index)))
            except Exception as error:  # noqa: BLE001 (a job's failure is its result)
                done = Done(error=error)
            except BaseException as error:  # noqa: BLE001 (raised in the caller's thread)
                self._exit = error
            self._done[index] = done
            self._put(index, None)

    def _put(self, index: int, text: str | None) -> None:
        # When nobody listens any more, waiting for room would be for ever.
        while not self._deaf.is_set():
            with suppress(queue.Full):
                self._news.put((index, text), timeout=_LOOK_AGAIN_S)
                return
