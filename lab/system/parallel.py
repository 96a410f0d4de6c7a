"""Many jobs at once in threads.

Results are in the order of the jobs, and one job's failure is never another's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from lab.system import process

# More than this, and who has news waits until it has been heard.
_WAITING_NEWS = 1000

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Done(Generic[R]):
    """How one job ended: with a value, or with the exception that stopped it."""

    value: R | None = None
    error: Exception | None = None


def run_all(
    jobs: Sequence[T],
    work: Callable[[T, Callable[[str], None]], R],
    *,
    workers: int,
    on_news: Callable[[T, str], None],
    on_done: Callable[[T, Done[R]], None],
) -> list[Done[R]]:
    """Do `work(job, tell)` for each job, at most `workers` at a time.

    Args:
        jobs: what is to be done.
        work: does one job in a thread; what it tells reaches `on_news`.
        workers: how many threads.
        on_news: called in this thread with a job and what it told.
        on_done: called in this thread when a job has ended.

    Returns:
        One `Done` a job, in the jobs' order. An interruption stops the programs that the jobs have
        started and no further job begins.
    """
    news: queue.Queue[tuple[int, str | Future[R]]] = queue.Queue(_WAITING_NEWS)
    stopped = threading.Event()

    def put(index: int, item: str | Future[R]) -> None:
        # After an interruption nobody listens: waiting for room would be for ever.
        while not stopped.is_set():
            with suppress(queue.Full):
                news.put((index, item), timeout=0.2)
                return

    results: list[Done[R]] = [Done() for _ in jobs]
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(jobs) or 1))) as pool:
        try:
            for index, job in enumerate(jobs):
                future = pool.submit(work, job, partial(put, index))
                future.add_done_callback(partial(put, index))
            left = len(jobs)
            while left:
                index, item = news.get()
                if isinstance(item, str):
                    on_news(jobs[index], item)
                    continue
                left -= 1
                results[index] = _result(item)
                on_done(jobs[index], results[index])
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            process.stop_all()
            raise
    return results


def _result(future: Future[R]) -> Done[R]:
    error = future.exception()
    if error is None:
        return Done(value=future.result())
    if isinstance(error, Exception):
        return Done(error=error)
    raise error
