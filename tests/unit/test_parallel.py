"""Many jobs at once: each has its own end, and an interruption is the end of all."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.system import parallel, process
from lab.system.parallel import Done

Tell = Callable[[str], None]


@pytest.fixture(autouse=True)
def _not_interrupted() -> Iterator[None]:
    yield
    process.allow_again()


def silent(*_: object) -> None:
    """Nobody listens."""


def test_one_job_that_fails_leaves_the_others() -> None:
    error = LabError("no")

    def work(job: int, tell: Tell) -> int:
        tell(f"at {job}")
        if job == 2:
            raise error
        return job * 10

    heard: list[tuple[int, str]] = []
    ended: list[int] = []
    results = parallel.run_all(
        [1, 2, 3],
        work,
        workers=2,
        on_news=lambda job, text: heard.append((job, text)),
        on_done=lambda job, _: ended.append(job),
    )
    assert results == [Done(value=10), Done(error=error), Done(value=30)]
    assert sorted(heard) == [(1, "at 1"), (2, "at 2"), (3, "at 3")]
    assert sorted(ended) == [1, 2, 3]


def test_results_are_in_the_order_of_the_jobs_not_of_their_ends() -> None:
    ended: list[float] = []

    def work(job: float, _: Tell) -> float:
        time.sleep(job)
        return job

    results = parallel.run_all(
        [0.2, 0.1, 0.0],
        work,
        workers=3,
        on_news=silent,
        on_done=lambda job, _: ended.append(job),
    )
    assert [done.value for done in results] == [0.2, 0.1, 0.0]
    assert ended == [0.0, 0.1, 0.2]


def test_news_and_ends_are_told_in_the_caller_s_thread() -> None:
    threads: set[int] = set()

    def note(*_: object) -> None:
        threads.add(threading.get_ident())

    parallel.run_all(range(5), lambda _, tell: tell("x"), workers=5, on_news=note, on_done=note)
    assert threads == {threading.get_ident()}


def test_news_of_a_job_come_before_its_end() -> None:
    order: list[object] = []
    parallel.run_all(
        ["job"],
        lambda _, tell: [tell(str(number)) for number in range(100)],
        workers=1,
        on_news=lambda _, text: order.append(text),
        on_done=lambda _, __: order.append("end"),
    )
    assert order == [*(str(number) for number in range(100)), "end"]


def test_no_more_jobs_at_a_time_than_there_are_workers() -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def work(_: int, __: Tell) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    parallel.run_all(range(12), work, workers=3, on_news=silent, on_done=silent)
    assert most == 3


@pytest.mark.parametrize("workers", [0, -1, 1])
def test_there_is_always_one_worker(workers: int) -> None:
    done = parallel.run_all(
        [1], lambda job, _: job, workers=workers, on_news=silent, on_done=silent
    )
    assert done == [Done(value=1)]


def test_no_job_is_nothing_to_do() -> None:
    assert parallel.run_all([], silent, workers=4, on_news=silent, on_done=silent) == []


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short grace, so that tests of the stubborn are quick."""
    monkeypatch.setattr(process, "TERM_GRACE_S", 0.5)


def once() -> Callable[..., None]:
    """Ctrl-C at its first call."""
    calls: list[object] = []

    def interrupt(*words: object) -> None:
        calls.append(words)
        if len(calls) == 1:
            raise KeyboardInterrupt

    return interrupt


def sleeper(pid: Path, *, trap: str = "") -> list[str]:
    """A program that notes its number and sleeps."""
    return ["sh", "-c", f"{trap} echo $$ >{pid}; sleep 60 & wait; sleep 60"]


def test_ctrl_c_begins_no_job_and_says_what_became_of_the_others(tmp_path: Path) -> None:
    interrupt = once()
    told: list[tuple[int, str]] = []
    ended: list[int] = []

    def work(job: int, tell: Tell) -> int:
        if job == 0:
            return 10
        tell("running")
        try:
            process.run(sleeper(tmp_path / str(job)), check=False)
        finally:
            tell("stopping")
        return job

    def hear(job: int, text: str) -> None:
        told.append((job, text))
        if text == "running":
            _wait_for(tmp_path, 2)
            interrupt()

    with pytest.raises(parallel.Stopped) as stopped:
        parallel.run_all(
            range(9), work, workers=2, on_news=hear, on_done=lambda job, _: ended.append(job)
        )
    first, *begun_or_not = stopped.value.results
    assert first == Done(value=10)
    words = [str(done.error).rpartition("`")[2].strip() for done in begun_or_not]
    assert words == [
        *["was stopped: lab was interrupted"] * 2,
        *["It was not begun: lab was interrupted"] * 6,
    ]
    assert {type(done.error) for done in begun_or_not} == {process.Interrupted}
    assert sorted(told) == [(1, "running"), (1, "stopping"), (2, "running"), (2, "stopping")]
    assert sorted(ended) == [0, 1, 2]


def test_a_job_that_ends_well_after_ctrl_c_has_done_what_it_should() -> None:
    def work(job: int, tell: Tell) -> int:
        tell("running")
        with suppress(process.Interrupted):
            process.pause(60)
        return job

    with pytest.raises(parallel.Stopped) as stopped:
        parallel.run_all([1], work, workers=1, on_news=once(), on_done=silent)
    assert stopped.value.results == [Done(value=1)]


@pytest.mark.usefixtures("brief")
def test_a_program_that_does_not_listen_is_killed_after_a_grace(tmp_path: Path) -> None:
    def work(_: int, tell: Tell) -> None:
        tell("running")
        process.run(sleeper(tmp_path / "pid", trap="trap '' TERM;"))

    def interrupt(*_: object) -> None:
        _wait_for(tmp_path, 1)
        raise KeyboardInterrupt

    with pytest.raises(parallel.Stopped) as stopped:
        parallel.run_all([1], work, workers=1, on_news=interrupt, on_done=silent)
    assert isinstance(stopped.value.results[0].error, process.Interrupted)


def test_a_second_ctrl_c_kills_and_waits_for_nobody(tmp_path: Path) -> None:
    """Neither for a program without ears, nor for one that cleans up, nor for a thread."""

    def work(job: int, tell: Tell) -> None:
        tell("running")
        deaf = sleeper(tmp_path / str(job), trap="trap '' TERM;")
        if job == 0:
            process.run(deaf)
        if job == 1:
            with process.cleaning_up():
                process.run(deaf)
        time.sleep(20)

    told: list[str] = []
    again = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))

    def interrupt(_: int, text: str) -> None:
        told.append(text)
        if len(told) == 3:
            _wait_for(tmp_path, 2)
            again.start()
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        parallel.run_all(range(3), work, workers=3, on_news=interrupt, on_done=silent)
    assert caught.type is KeyboardInterrupt
    assert time.monotonic() - started < process.TERM_GRACE_S
    for job in (0, 1):
        assert not Path("/proc", (tmp_path / str(job)).read_text().strip()).exists()
    with process.cleaning_up(), pytest.raises(process.Interrupted):
        process.run(["true"])


def _wait_for(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(list(folder.iterdir())) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_after_an_interruption_no_program_is_started_by_a_job_that_goes_on(tmp_path: Path) -> None:
    def work(_: int, tell: Tell) -> None:
        tell("running")
        with suppress(process.Interrupted):
            process.run(["sh", "-c", f"echo $$ >{tmp_path}/first; exec sleep 60"], check=False)
        # As `wait_for_ssh` and then `run_steps` do.
        process.run(["sh", "-c", f"touch {tmp_path}/second; exec sleep 1"], check=False)

    def interrupt(*_: object) -> None:
        _wait_for(tmp_path, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel.run_all([1], work, workers=1, on_news=interrupt, on_done=silent)
    assert not (tmp_path / "second").exists()


def test_nobody_waits_for_ever_to_tell_an_interrupted_run_something() -> None:
    told: list[int] = []

    def work(_: int, tell: Tell) -> None:
        for number in range(3 * parallel._WAITING_NEWS):
            tell(str(number))
        told.append(number)

    def interrupt(*_: object) -> None:
        # Until the queue is full.
        time.sleep(0.3)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        parallel.run_all(range(9), work, workers=2, on_news=interrupt, on_done=silent)
    assert told == [3 * parallel._WAITING_NEWS - 1] * 2
    assert time.monotonic() - started < 3


def test_news_wait_for_a_slow_listener() -> None:
    ahead: list[int] = []
    said, heard = 0, 0

    def work(_: int, tell: Tell) -> None:
        nonlocal said
        for _ in range(3 * parallel._WAITING_NEWS):
            tell("x")
            said += 1

    def listen(*_: object) -> None:
        nonlocal heard
        if heard == 0:
            time.sleep(0.2)
        heard += 1
        ahead.append(said - heard)

    parallel.run_all([1], work, workers=1, on_news=listen, on_done=silent)
    assert heard == said
    assert max(ahead) <= parallel._WAITING_NEWS


def test_a_worker_that_is_told_to_exit_ends_the_run() -> None:
    def work(job: int, _: Tell) -> int:
        raise SystemExit(job)

    with pytest.raises(SystemExit):
        parallel.run_all([3], work, workers=1, on_news=silent, on_done=silent)
