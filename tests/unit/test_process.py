"""The one way to run a program: what comes back, what is bounded, and what is killed."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import HOST, INTERRUPTED, HostError, LabError, ProcessError
from lab.system import process
from lab.system.conversation import Conversation
from lab.system.process import Interrupted


@pytest.fixture(autouse=True)
def _not_interrupted() -> Iterator[None]:
    yield
    process.allow_again()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short grace, so that tests of the impatient are quick."""
    monkeypatch.setattr(process, "TERM_GRACE_S", 0.3)
    monkeypatch.setattr(process, "KILLED_S", 0.3)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, *, within_s: float = 1.5) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def wait_for(path: Path) -> int:
    """The pid that a script has written into a file."""
    deadline = time.monotonic() + 5
    while not (path.exists() and path.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(path.read_text())


def test_what_a_program_leaves_behind() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.argv, done.returncode, done.stdout, done.stderr, done.ok) == (
        ("sh", "-c", "echo out; echo err >&2; exit 3"),
        3,
        "out\n",
        "err\n",
        False,
    )
    assert 0 < done.seconds < 5


def test_no_shell_reads_the_arguments() -> None:
    words = ["$(touch /tmp/p)", "a b", "`id`", "*", "'", "ñ"]
    assert process.run(["printf", "%s\\n", *words]).stdout.splitlines() == words


def test_nobody_is_asked_anything() -> None:
    assert process.run(["cat"], timeout_s=5).stdout == ""


def test_stdin_is_what_was_given() -> None:
    data = bytes(range(256)) * 5000
    assert process.run(["wc", "-c"], stdin=data).stdout.strip() == str(len(data))


def test_a_program_need_not_read_its_stdin() -> None:
    assert process.run(["true"], stdin=b"x" * 1_000_000).ok


def test_env_is_added_to_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEFORE", "1")
    done = process.run(["sh", "-c", 'echo "$BEFORE $AFTER"'], env={"AFTER": "2"})
    assert done.stdout == "1 2\n"


def test_the_output_that_is_kept_is_bounded() -> None:
    script = "head -c 50000000 /dev/zero | tr '\\0' x; echo END"
    done = process.run(["sh", "-c", script], timeout_s=30)
    assert len(done.stdout) == process.KEPT_BYTES
    assert done.stdout.endswith("xEND\n")


def test_a_line_without_an_end_is_bounded_too() -> None:
    lines: list[str] = []
    script = f"head -c {process.KEPT_BYTES + 1_000_000} /dev/zero | tr '\\0' x"
    process.run(["sh", "-c", script], on_line=lines.append, timeout_s=30)
    assert [len(line) for line in lines] == [process.KEPT_BYTES]


def test_bytes_that_are_no_text_are_replaced() -> None:
    lines: list[str] = []
    done = process.run(["printf", r"\377\376a\n\355\240\200"], on_line=lines.append)
    assert done.stdout == "��a\n���"
    assert lines == done.stdout.split("\n")


def test_each_line_is_handed_on_as_it_comes() -> None:
    lines: list[str] = []
    process.run(["sh", "-c", r"printf 'one\n\ntwo\nthree'"], on_line=lines.append)
    assert lines == ["one", "", "two", "three"]


def test_the_log_grows(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    process.run(["echo", "one two"], log=log)
    process.run(["sh", "-c", "echo three >&2; exit 1"], log=log, check=False)
    assert log.read_text() == "$ echo 'one two'\none two\n$ sh -c 'echo three >&2; exit 1'\nthree\n"


def test_a_long_command_is_cut_where_it_is_shown(tmp_path: Path) -> None:
    process.run(["true", "x" * 500], log=tmp_path / "log")
    assert (tmp_path / "log").read_text() == f"$ true {'x' * 112}...\n"


def test_a_program_that_is_not_there_is_the_hosts_lack() -> None:
    with pytest.raises(HostError) as caught:
        process.run(["no-such-program", "--version"])
    assert caught.value.exit_code == HOST
    assert caught.value.message == "`no-such-program` is not installed, or not on PATH"
    assert caught.value.hint
    with pytest.raises(HostError):
        process.run_attached(["no-such-program"])
    with pytest.raises(HostError):
        Conversation(["no-such-program"])


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_program_that_cannot_be_run_is_the_hosts_lack(tmp_path: Path, mode: int) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF and no more")
    broken.chmod(mode)
    with pytest.raises(HostError):
        process.run([str(broken)])


def test_a_folder_that_is_not_there_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=f"There is no folder {tmp_path}/x to run `true` in"):
        process.run(["true"], cwd=tmp_path / "x")


def test_a_failure_tells_how_and_shows_the_end_of_what_was_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(ProcessError) as caught:
        process.run(["sh", "-c", "seq 100 >&2; exit 7"], log=log)
    assert caught.value == ProcessError(
        "`sh -c 'seq 100 >&2; exit 7'` ended with exit code 7",
        details="\n".join(str(number) for number in range(86, 101)),
        log=log,
    )


def test_stdout_stands_in_for_an_empty_stderr() -> None:
    done = process.run(["printf", r"a\nb\nc\n"])
    assert done.tail(2) == "b\nc"


def test_a_signal_is_told_by_its_name() -> None:
    with pytest.raises(ProcessError, match="was killed by SIGKILL"):
        process.run(["sh", "-c", "kill -9 $$"])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (127, "ended with exit code 127"),
        (-15, "was killed by SIGTERM"),
        (-99, "was killed by signal 99"),
    ],
)
def test_an_exit_in_words(code: int, words: str) -> None:
    assert process.describe_exit(code) == words


@pytest.mark.usefixtures("brief", "everywhere")
@pytest.mark.parametrize("trap", ["", "trap '' TERM;"], ids=["polite", "deaf"])
def test_a_program_that_takes_too_long_is_killed_with_its_children(
    tmp_path: Path, trap: str
) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(ProcessError) as caught:
        process.run(
            ["sh", "-c", f"{trap} echo why >&2; sleep 60 & echo $! >{pid}; wait; sleep 60"],
            timeout_s=0.3,
        )
    assert "took longer than 0 s and was stopped" in caught.value.message
    assert caught.value.details == "why"
    assert gone(wait_for(pid))
    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("brief", "everywhere")
def test_a_deaf_grandchild_is_killed_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sh -c 'trap \"\" TERM; echo $$ >{pid}; sleep 20; sleep 20' & wait"
    with pytest.raises(ProcessError):
        process.run(["sh", "-c", script], timeout_s=0.4)
    grandchild = wait_for(pid)
    try:
        assert gone(grandchild, within_s=0.5)
    finally:
        if alive(grandchild):
            os.killpg(os.getpgid(grandchild), signal.SIGKILL)


@pytest.mark.usefixtures("brief")
def test_nobody_waits_for_a_daemon_that_keeps_the_pipe(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    done = process.run(["sh", "-c", f"sleep 60 & echo $! >{pid}; echo up"])
    os.kill(wait_for(pid), signal.SIGKILL)
    assert done.stdout == "up\n"
    assert time.monotonic() - started < 3


@pytest.fixture
def thread_failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: found.append(repr(args.exc_value)))
    return found


@pytest.mark.usefixtures("brief")
def test_a_daemon_that_speaks_late_breaks_nothing(
    tmp_path: Path, thread_failures: list[str]
) -> None:
    process.run(["sh", "-c", "(sleep 1.2; echo late) & echo up"], log=tmp_path / "log")
    time.sleep(1.2)
    assert thread_failures == []


def test_a_log_on_a_full_disk_is_told_with_the_program_s_end(thread_failures: list[str]) -> None:
    lines: list[str] = []
    with pytest.raises(LabError) as caught:
        process.run(["echo", "hello"], log=Path("/dev/full"), on_line=lines.append)
    trouble = "The log /dev/full could not be written: No space left on device"
    assert caught.value.message == trouble
    assert caught.value.details == "`echo hello` ended with exit code 0\nhello"
    with pytest.raises(ProcessError, match="ended with exit code 3") as failed:
        process.run(["sh", "-c", "echo why >&2; exit 3"], log=Path("/dev/full"))
    assert failed.value.details == f"why\n{trouble}"
    assert (lines, thread_failures) == (["hello"], [])


def test_a_log_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.system.output.LOGGED_BYTES", 1_000_000)
    log = tmp_path / "log"
    done = process.run(["sh", "-c", "yes | head -c 3000000; echo END"], log=log)
    assert done.stdout.endswith("y\nEND\n")
    assert 1_000_000 < log.stat().st_size < 1_100_000
    assert log.read_text().endswith("\n[It says more, which is not kept here.]\n")
    process.run(["echo", "the next one"], log=log)
    assert log.read_text().endswith("$ echo 'the next one'\nthe next one\n")


def test_a_log_that_cannot_be_opened_is_named_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(LabError, match=f"The log {tmp_path}/logs/a.log could not be opened"):
        process.run(["touch", str(tmp_path / "ran")], log=tmp_path / "logs" / "a.log")
    assert not (tmp_path / "ran").exists()


def test_a_listener_that_fails_blocks_nobody(thread_failures: list[str]) -> None:
    heard: list[str] = []

    def listen(line: str) -> None:
        heard.append(line)
        raise ValueError(line)

    with pytest.raises(ValueError, match="spam"):
        process.run(["sh", "-c", "yes spam | head -c 1000000"], on_line=listen, timeout_s=30)
    assert (len(heard), thread_failures) == (1, [])


@pytest.mark.usefixtures("brief", "everywhere")
def test_an_interruption_kills_what_runs(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def interrupt() -> None:
        wait_for(pid)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", f"echo $$ >{pid}; exec sleep 60"])
    assert gone(wait_for(pid))


@pytest.mark.usefixtures("brief", "everywhere")
def test_stop_all_stops_every_program_that_runs(tmp_path: Path) -> None:
    ended: list[str] = []

    def work(number: int) -> None:
        # Whatever its exit code: it did not do what it was run for.
        script = f"trap 'exit 0' TERM; echo $$ >{tmp_path / str(number)}; sleep 60 & wait"
        with pytest.raises(Interrupted) as caught:
            process.run(["sh", "-c", script], check=False)
        ended.append(caught.value.message)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    pids = [wait_for(tmp_path / str(number)) for number in range(3)]
    process.stop_all()
    for thread in threads:
        thread.join(timeout=5)
    assert [message.rpartition("`")[2] for message in ended] == [
        " was stopped: lab was interrupted"
    ] * 3
    assert all(gone(pid) for pid in pids)


def test_after_an_interruption_no_program_starts(tmp_path: Path) -> None:
    process.stop_all()
    for start in (process.run, Conversation):
        with pytest.raises(Interrupted) as caught:
            start(["touch", str(tmp_path / "started")])
        assert caught.value.exit_code == INTERRUPTED
    assert list(tmp_path.iterdir()) == []
    with process.cleaning_up():
        assert process.run(["true"]).ok
    process.allow_again()
    assert process.run(["true"]).ok


@pytest.mark.usefixtures("brief")
def test_what_cleans_up_is_not_stopped(tmp_path: Path) -> None:
    ended: list[process.Completed] = []

    def clean() -> None:
        with process.cleaning_up():
            ended.append(process.run(["sh", "-c", f"echo $$ >{tmp_path / 'pid'}; sleep 0.5"]))

    thread = threading.Thread(target=clean)
    thread.start()
    wait_for(tmp_path / "pid")
    process.stop_all()
    thread.join(timeout=5)
    assert [done.ok for done in ended] == [True]


def test_a_pause_is_as_long_as_it_is_said() -> None:
    started = time.monotonic()
    process.pause(0.1)
    assert time.monotonic() - started >= 0.1


def test_a_pause_ends_when_lab_is_interrupted() -> None:
    threading.Timer(0.1, process.stop_all).start()
    with pytest.raises(Interrupted):
        process.pause(60)
    with pytest.raises(Interrupted):
        process.pause(0)
    with process.cleaning_up():
        process.pause(0.01)
        process.kill_all()
        with pytest.raises(Interrupted):
            process.pause(60)


@pytest.mark.usefixtures("brief", "everywhere")
def test_a_second_ctrl_c_spares_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TERM_GRACE_S", 30)
    # What was killed may stay for long, as a zombie.
    monkeypatch.setattr(process, "live", lambda groups: groups)
    pid = tmp_path / "pid"

    def interrupt() -> None:
        wait_for(pid)
        os.kill(os.getpid(), signal.SIGINT)
        # Two that come before lab looks are one.
        process._interrupted.wait(10)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", f"trap '' TERM; echo $$ >{pid}; sleep 60; sleep 60"])
    assert gone(wait_for(pid))
    assert time.monotonic() - started < 20
    with pytest.raises(Interrupted):
        process.run(["true"])


@pytest.mark.usefixtures("brief")
def test_a_program_that_does_not_read_is_too_late_as_well() -> None:
    with pytest.raises(ProcessError, match="took longer"):
        process.run(["sleep", "60"], stdin=b"x" * 1_000_000, timeout_s=0.2)


def test_a_person_s_program_ends_with_its_own_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert process.run_attached(["sh", "-c", "echo here; exit 9"]) == 9
    assert capfd.readouterr().out == "here\n"


@pytest.mark.parametrize(("uid", "words"), [(0, ["true"]), (1000, ["sudo", "-n", "true"])])
def test_root_needs_no_sudo(monkeypatch: pytest.MonkeyPatch, uid: int, words: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert process.as_root(("true",)) == words


@pytest.fixture
def talk(brief: None) -> Callable[[str], Conversation]:
    del brief
    return lambda script: Conversation(["sh", "-c", script])


def test_a_conversation_goes_in_turns(talk: Callable[[str], Conversation]) -> None:
    talker = talk('while read -r a b; do echo "$a" "$b"; echo; echo 345; done')
    for words in (b"hello you", b"and again"):
        talker.send(words + b"\n")
        for line in (words, b"", b"345"):
            assert talker.read_line(timeout_s=5, limit=9) == line
    talker.close()


def test_a_line_of_a_conversation_has_an_end(talk: Callable[[str], Conversation]) -> None:
    talker = talk("echo 12345; echo 123456; exec yes")
    assert talker.read_line(timeout_s=5, limit=5) == b"12345"
    with pytest.raises(ValueError, match="more than 5 bytes"):
        talker.read_line(timeout_s=5, limit=5)
    talker.close()


def test_a_conversation_with_one_who_never_ends(talk: Callable[[str], Conversation]) -> None:
    talker = talk("while :; do printf x; done")
    with pytest.raises(TimeoutError):
        talker.read_line(timeout_s=0.2, limit=1_000_000_000)
    talker.close()


def test_a_conversation_with_one_who_has_gone(
    talk: Callable[[str], Conversation],
) -> None:
    talker = talk("echo first >&2; echo 'last words ' >&2; printf half")
    with pytest.raises(EOFError, match=r"^last words$"):
        talker.read_line(timeout_s=5, limit=9)
    with pytest.raises(EOFError):
        talker.send(b"x" * 1_000_000)
    talker.close()


def test_a_conversation_with_one_who_says_nothing(
    talk: Callable[[str], Conversation], tmp_path: Path
) -> None:
    talker = talk(f"echo $$ >{tmp_path / 'pid'}; exec sleep 60")
    with pytest.raises(TimeoutError):
        talker.read_line(timeout_s=0.1, limit=9)
    talker.close()
    assert gone(wait_for(tmp_path / "pid"))


def test_pipes_are_closed() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        process.run(["true"])
        gc.collect()
    assert [str(warning.message) for warning in told] == []


def test_a_program_is_ended_when_that_is_said() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    done = process.run(["sleep", "60"], stop=stop, timeout_s=30, check=False)
    assert done.returncode == -signal.SIGTERM
    assert process.run(["true"], stop=threading.Event()).ok
