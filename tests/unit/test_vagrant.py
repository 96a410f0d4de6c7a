"""Vagrant: what it is called with, and what is made of what it says when some of a batch failed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import HOST, HostError, LabError, ProcessError
from lab.machines import vagrant as module
from lab.machines.vagrant import Vagrant, VagrantKilled, batch_errors

Program = Callable[[str, str], Path]
Scripted = Callable[[str], Vagrant]

BATCH = """\
An error occurred while executing multiple actions in parallel.
Any errors that occurred are shown below.

An error occurred while executing the action on the 'hello-ana'
machine. Please handle this error then try again:

There was an error executing ["sudo", "lxc-start"]

For more information, see the log.

An error occurred while executing the action on the 'hello-luis'
machine. Please handle this error then try again:

Timed out while waiting for the machine to boot.
"""


@pytest.fixture
def scripted(program: Program, tmp_path: Path) -> Scripted:
    """Vagrant as a shell script, which notes its words, its folder and its environment."""

    def make(script: str = "") -> Vagrant:
        note = shlex.quote(str(tmp_path / "calls"))
        program(
            "vagrant",
            f'{{ printf "%s\\n" "$PWD" "$@"; env | grep ^VAGRANT | sort; echo; }} >>{note}\n{script}',
        )
        (tmp_path / "project").mkdir(exist_ok=True)
        return Vagrant(tmp_path / "project", log=tmp_path / "vagrant.log")

    return make


def calls(tmp_path: Path) -> list[list[str]]:
    """The words of each call, without the folder and the environment."""
    found = []
    for block in (tmp_path / "calls").read_text().strip().split("\n\n"):
        folder, *words = block.splitlines()
        assert folder == str(tmp_path / "project")
        found.append([word for word in words if not word.startswith("VAGRANT_")])
    return found


def up(vagrant: Vagrant, *names: str) -> tuple[dict[str, str], list[str]]:
    heard: list[str] = []
    failures = vagrant.up(
        names,
        provider="lxc",
        on_line=lambda name, line: heard.append(f"{name}|{line}"),
        boot_timeout_s=20,
    )
    return failures, heard


def test_all_machines_are_booted_in_one_call(scripted: Scripted, tmp_path: Path) -> None:
    vagrant = scripted(
        "echo \"Bringing machine 'hello-ana' up with 'lxc' provider...\"\n"
        "echo '==> hello-ana: Importing base box...'\n"
        "echo '    hello-luis: SSH address: 10.0.3.7:22'\n"
        "echo '==> hello-ana: Machine booted and ready!'\n"
        "echo '==> vagrant: a new version is there'"
    )
    assert up(vagrant, "hello-ana", "hello-luis") == (
        {},
        [
            "hello-ana|Importing base box...",
            "hello-luis|SSH address: 10.0.3.7:22",
            "hello-ana|Machine booted and ready!",
            "vagrant|a new version is there",
        ],
    )
    assert calls(tmp_path) == [
        ["up", "hello-ana", "hello-luis", "--provider=lxc", "--no-provision", "--parallel"]
    ]
    assert "Importing base box" in (tmp_path / "vagrant.log").read_text()


def test_vagrant_is_told_to_say_nothing_but_what_was_asked(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted().validate()
    told = (tmp_path / "calls").read_text()
    assert "VAGRANT_NO_COLOR=1\n" in told
    assert "VAGRANT_CHECKPOINT_DISABLE=1\n" in told


def test_vagrant_is_not_told_to_boot_one_by_one(scripted: Scripted, tmp_path: Path) -> None:
    # To Ruby even an empty text is true (`Environment#batch` in vagrant/environment.rb).
    scripted().validate()
    assert "VAGRANT_NO_PARALLEL=" not in (tmp_path / "calls").read_text()


def test_those_of_a_batch_that_failed_are_told_apart(scripted: Scripted) -> None:
    failures, _ = up(scripted(f"cat >&2 <<'END'\n{BATCH}END\nexit 1"), "hello-ana", "hello-luis")
    assert failures == {
        "hello-ana": 'There was an error executing ["sudo", "lxc-start"]\n\n'
        "For more information, see the log.",
        "hello-luis": "Timed out while waiting for the machine to boot.",
    }


def test_when_nobody_is_named_everybody_is_told(scripted: Scripted) -> None:
    failures, _ = up(scripted("echo 'The provider is broken.' >&2; exit 1"), "hello-ana", "b")
    why = "`vagrant up` ended with exit code 1\nThe provider is broken."
    assert failures == {"hello-ana": why, "b": why}


def test_a_vagrant_that_is_killed_says_nothing_of_its_machines(scripted: Scripted) -> None:
    with pytest.raises(VagrantKilled, match="`vagrant up` was killed by SIGKILL"):
        up(scripted("kill -9 $$"), "hello-ana")


def test_machines_have_as_long_to_boot_as_was_said(scripted: Scripted, tmp_path: Path) -> None:
    scripted(f"echo $LAB_BOOT_SECONDS >{shlex.quote(str(tmp_path / 'seconds'))}").up(
        ["hello-ana"], provider="lxc", on_line=lambda _, __: None, boot_timeout_s=12.5
    )
    assert (tmp_path / "seconds").read_text() == "13\n"


def test_a_vagrant_that_hangs_is_stopped(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.process, "TERM_GRACE_S", 0.3)
    monkeypatch.setattr(module, "_AROUND_BOOT_S", -39.5)
    failures, _ = up(scripted("echo still here >&2; sleep 60"), "hello-ana")
    assert "took longer than" in failures["hello-ana"]
    assert "still here" in failures["hello-ana"]


def test_vagrant_s_words_may_be_any_bytes(scripted: Scripted) -> None:
    _, heard = up(scripted(r"printf '==> hello-ana: \377\376 \033[2J\n'"), "hello-ana")
    assert heard == ["hello-ana|�� \x1b[2J"]


def test_without_vagrant_the_host_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError) as caught:
        up(Vagrant(tmp_path), "hello-ana")
    assert caught.value.exit_code == HOST


def test_a_damaged_machine_index_is_called_that(scripted: Scripted, tmp_path: Path) -> None:
    said = "The machine index which stores all required information about\\nis corrupt"
    vagrant = scripted(f"printf '{said}' >&2; exit 1")
    with pytest.raises(LabError) as caught:
        up(vagrant, "hello-ana")
    error = caught.value
    assert "machine index" in error.message
    assert "is corrupt" in error.details
    assert "machine-index" in error.hint
    assert error.log == tmp_path / "vagrant.log"


def test_the_other_commands(scripted: Scripted, tmp_path: Path) -> None:
    vagrant = scripted()
    vagrant.halt(["a", "b"], patience=1)
    vagrant.destroy(["a", "b"])
    vagrant.add_box("own/base", "/where/base.box", provider="lxc")
    vagrant.remove_box("own/base", provider="lxc")
    vagrant.validate()
    assert calls(tmp_path) == [
        ["halt", "a", "b"],
        ["destroy", "a", "b", "--force"],
        ["box", "add", "own/base", "/where/base.box", "--force", "--provider", "lxc"],
        ["box", "remove", "--force", "own/base", "lxc"],
        ["validate"],
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda vagrant: vagrant.halt(["a"], patience=1),
        lambda vagrant: vagrant.destroy(["a"]),
        lambda vagrant: vagrant.add_box("a", "b", provider="lxc"),
        lambda vagrant: vagrant.remove_box("a", provider="lxc"),
        lambda vagrant: vagrant.validate(),
    ],
)
def test_a_failure_of_vagrant_s_is_told_with_its_words(
    scripted: Scripted, tmp_path: Path, call: Callable[[Vagrant], None]
) -> None:
    with pytest.raises(ProcessError) as caught:
        call(scripted("echo out; echo 'it is so' >&2; exit 5"))
    assert caught.value.message.endswith("ended with exit code 5")
    assert caught.value.details == "it is so"
    assert caught.value.log == tmp_path / "vagrant.log"


@given(st.text())
def test_any_text_is_read_for_errors(text: str) -> None:
    assert all(isinstance(why, str) for why in batch_errors(f"{text}\n{BATCH}{text}").values())


NAMES = st.from_regex(r"[a-z][-a-z0-9]{0,20}", fullmatch=True)
WHY = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="'"), min_size=1)


@given(st.dictionaries(NAMES, st.lists(WHY, min_size=1, max_size=4)))
def test_every_error_of_a_batch_is_found(errors: dict[str, list[str]]) -> None:
    text = "".join(
        f"An error occurred while executing the action on the '{name}'\n"
        "machine. Please handle this error then try again:\n\n" + "\n".join(lines) + "\n\n"
        for name, lines in errors.items()
    )
    assert batch_errors(text) == {name: "\n".join(lines) for name, lines in errors.items()}


def test_a_class_in_which_all_fail_is_told_machine_by_machine(scripted: Scripted) -> None:
    names = [f"hello-s{number}" for number in range(60)]
    said = "".join(
        f"An error occurred while executing the action on the '{name}'\nmachine. Please handle "
        f"this error then try again:\n\n" + "why it failed\n" * 20
        for name in names
    )
    failures, _ = up(scripted(f"cat >&2 <<'END'\n{said}END\nexit 1"), *names)
    assert sorted(failures) == sorted(names)
