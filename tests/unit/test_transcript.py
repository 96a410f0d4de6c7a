"""What a check asked the guest, as its evidence shows it: the last of it, and never too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.checks.evidence import OUTPUT_CHARACTERS
from lab.checks.transcript import Transcript, answer_of


def test_commands_are_shown_as_they_are_typed_with_whose_prompt() -> None:
    transcript = Transcript()
    transcript.note("systemctl is-active nginx", "inactive\nexit code 3")
    transcript.note("id -nG\n", "ana", where="ana")
    transcript.note("true")
    assert transcript.text() == (
        "$ systemctl is-active nginx\ninactive\nexit code 3\nana$ id -nG\nana\n$ true"
    )
    transcript.clear()
    assert transcript.text() == ""


def test_an_exit_code_is_told_where_it_is_not_0() -> None:
    assert answer_of("out\n", "err\n", 0) == "out\nerr"
    assert answer_of("", "no such file\n", 2) == "no such file\nexit code 2"
    assert answer_of("", "", 1) == "exit code 1"
    assert answer_of("  kept\n\n", "", 0) == "  kept"


def test_who_asks_the_same_again_and_again_is_shown_the_last_answer() -> None:
    transcript = Transcript()
    for state in ("STARTING", "STARTING", "FATAL"):
        transcript.note("supervisorctl status", state)
    assert transcript.text() == "$ supervisorctl status\nFATAL"
    transcript.note("supervisorctl status", "denied", where="ana")
    assert transcript.text().count("supervisorctl") == 2


def test_the_last_five_are_kept() -> None:
    transcript = Transcript()
    for number in range(7):
        transcript.note(f"echo {number}", str(number))
    assert transcript.text() == "\n".join(f"$ echo {it}\n{it}" for it in range(2, 7))


def test_the_middle_of_a_long_answer_is_left_out() -> None:
    transcript = Transcript()
    transcript.note("seq 100", "\n".join(map(str, range(1, 101))))
    first, last = ("\n".join(map(str, numbers)) for numbers in (range(1, 9), range(93, 101)))
    assert transcript.text() == f"$ seq 100\n{first}\n[… 84 lines …]\n{last}"
    transcript.clear()
    transcript.note("cat", "a" * 1_000_000 + "z")
    assert transcript.text().startswith("$ cat\naaa")
    assert transcript.text().endswith("aaaz")
    assert len(transcript.text()) < 1300


NOTES = st.tuples(st.text(max_size=3000), st.text(max_size=5000) | st.just("x\n" * 9000), st.text())


@given(st.lists(NOTES, max_size=8))
def test_it_is_never_too_much(notes: list[tuple[str, str, str]]) -> None:
    transcript = Transcript()
    for command, answer, where in notes:
        transcript.note(command, answer, where=where[:20])
    assert len(transcript.text()) <= OUTPUT_CHARACTERS
    if notes:
        assert "$ " in transcript.text()
