"""The checks process itself, on small guides, with this computer as the guest."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lab.checks import runner
from lab.checks.request import Request, Target
from lab.checks.runner import run_checks
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import say_in_all

Program = Callable[[str, str], Path]
PASSED, FAILED, BLOCKED, UNKNOWN = Outcome

HEAD = """
import os, sys, time
import pytest

def check(id, step="web", **more):
    more.setdefault("title", {"en": f"{id} holds", "es": f"{id} se cumple"})
    return pytest.mark.check(id=id, step=step, **more)
"""

WEB = """
print("read on stdout")

@check("web.passes", points=3, hint="never shown")
def test_passes(host):
    print("run on stdout")
    sys.stdin.read()
    assert host.run("echo hello").stdout == "hello\\n"

@check("web.fails", points=2, hint={"en": "Do it", "es": "Hazlo"})
def test_fails(host):
    found = host.run("echo hello").stdout.strip()
    assert found == "bye", f"expected bye, found {found}"

@check("web.plain")
def test_plain():
    assert 1 == 2

@check("web.blocked", after=["web.fails"])
def test_blocked():
    raise RuntimeError("never run")

@check("web.behind_blocked", after=["web.passes", "web.blocked"])
def test_behind_blocked():
    raise RuntimeError("never run")

@check("web.goes_on", after=["web.passes"])
def test_goes_on():
    pass

@check("web.breaks")
def test_breaks(host):
    len(host.run("true").rc)

@check("web.behind_broken", after=["web.breaks"])
def test_behind_broken():
    pass

@check("web.skipped")
def test_skipped():
    pytest.skip("not on this box")

@check("web.told")
def test_told():
    pytest.fail("told plainly")

@pytest.fixture
def broken():
    raise KeyError("setup")

@check("web.broken_setup")
def test_broken_setup(broken):
    pass

@check("web.exits")
def test_exits():
    sys.exit(0)
"""

APP = """
@check("app.first", step="app")
def test_first(student, as_student):
    done = as_student.run("echo $USER")
    assert done.stdout == "ana\\n", done
    assert (student.login, student.name, student.email) == ("ana", "Ana Núñez", "ana@example.org")
    assert (student.vhost, student.home) == ("web.ana.example.org", "/home/ana")
    assert student.vars == {"python": "3.11"}
    student.vars.clear()

@check("app.second", step="app", after=["app.first"])
def test_second(student):
    assert student.vars == {"python": "3.11"}

@check("app.outside", step="app")
def test_outside(from_lab_host, wait_until):
    assert wait_until(lambda: "yes", timeout_s=1) == "yes"
    found = from_lab_host.get("/", timeout_s=1)
    assert found.status == 0, found
    assert found.body

@check("account.first", step="account")
def test_account():
    pass
"""


@dataclass
class Ran:
    """What a run of the checks process came to."""

    results: dict[str, tuple[CheckRun, ...]]
    told: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def ana(self) -> dict[str, CheckRun]:
        return {result.id: result for result in self.results["hello-ana"]}

    def outcomes(self) -> dict[str, Outcome]:
        return {check_id: result.outcome for check_id, result in self.ana.items()}


TARGET = Target(
    machine="hello-ana",
    address="127.0.0.254",
    login="ana",
    name="Ana Núñez",
    email="ana@example.org",
    vhost="web.ana.example.org",
    vars={"python": "3.11"},
)
Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, local_guest: Path) -> Run:
    """Runs checks that are given as the text of files by their names."""
    del local_guest

    def make(
        *targets: Target,
        raw: dict[str, str] | None = None,
        patience: float = 1.0,
        **files: str,
    ) -> Ran:
        checks = tmp_path / "guide" / "checks"
        checks.mkdir(parents=True)
        for name, text in files.items():
            (checks / f"test_{name}.py").write_text(HEAD + text, encoding="utf-8")
        for name, text in (raw or {}).items():
            (checks / name).write_text(text, encoding="utf-8")
        ran = Ran({})
        request = Request(
            project=str(tmp_path / "project"),
            checks=str(checks),
            steps=("account", "web", "app"),
            targets=targets or (TARGET,),
            jobs=2,
            patience=patience,
        )
        ran.results = run_checks(
            request,
            log=tmp_path / "verify.log",
            tell=lambda machine, result: ran.told.append((machine, result and result.id)),
        )
        return ran

    return make


def test_every_check_has_its_outcome_in_the_order_of_the_steps(run: Run, tmp_path: Path) -> None:
    ran = run(app=APP, web=WEB)
    assert ran.outcomes() == {
        "account.first": PASSED,
        "web.passes": PASSED,
        "web.fails": FAILED,
        "web.plain": FAILED,
        "web.blocked": BLOCKED,
        "web.behind_blocked": BLOCKED,
        "web.goes_on": PASSED,
        "web.breaks": UNKNOWN,
        "web.behind_broken": UNKNOWN,
        "web.skipped": UNKNOWN,
        "web.told": FAILED,
        "web.broken_setup": UNKNOWN,
        "web.exits": UNKNOWN,
        "app.first": PASSED,
        "app.second": PASSED,
        "app.outside": PASSED,
    }
    assert next(iter(ran.ana)) == "account.first"
    assert ran.told == [*(("hello-ana", check) for check in ran.ana), ("hello-ana", None)]
    assert {it.id: it.points for it in ran.ana.values() if it.points} == {
        "account.first": 1.0,
        "web.passes": 3.0,
        "web.goes_on": 1.0,
        "app.first": 1.0,
        "app.second": 1.0,
        "app.outside": 1.0,
    }
    assert {it.points for it in ran.ana.values() if it.outcome is UNKNOWN} == {None}
    passed, failed = ran.ana["web.passes"], ran.ana["web.fails"]
    assert replace(passed, seconds=0) == CheckRun(
        id="web.passes",
        step="web",
        title={"en": "web.passes holds", "es": "web.passes se cumple"},
        outcome=PASSED,
        points=3.0,
        max_points=3.0,
    )
    assert passed.seconds > 0
    assert (failed.message, failed.hint) == (
        {"en": "expected bye, found hello"},
        {"en": "Do it", "es": "Hazlo"},
    )
    messages = {check_id: result.message.get("en", "") for check_id, result in ran.ana.items()}
    roots = {check_id: it.blocked_by for check_id, it in ran.ana.items() if it.blocked_by}
    assert roots == {
        "web.blocked": ("web.fails",),
        "web.behind_blocked": ("web.fails",),
        "web.behind_broken": ("web.breaks",),
    }
    assert (failed.expected, failed.found) == ({"en": "bye", "es": "bye"}, "hello")
    assert failed.output == "$ echo hello\nhello"
    assert ran.ana["web.plain"].message == {
        "en": "expected 2; found 1",
        "es": "se esperaba 2; se encontró 1",
    }
    assert messages["web.breaks"].startswith("the check itself went wrong: TypeError: ")
    assert messages["web.skipped"] == "not evaluated: not on this box"
    assert messages["web.told"] == "told plainly"
    assert (
        messages["web.broken_setup"] == "the check itself went wrong: RuntimeError: setup: 'setup'"
    )
    assert "SystemExit" in messages["web.exits"]
    assert "read on stdout" in (tmp_path / "verify.log").read_text()
    assert not list((tmp_path / "guide").rglob("__pycache__"))


SLOW = """
@check("web.slow")
def test_slow(host, patience):
    assert host.run("echo %s", f"{20 * patience:g}").stdout == "160\\n"
"""


def test_a_check_knows_how_slow_the_machine_is(run: Run) -> None:
    assert run(web=SLOW, patience=8.0).outcomes() == {"web.slow": PASSED}


EVIDENCE = """
@check("web.expects", hidden=True, full_hint="Start it")
def test_expects(host, as_student, from_lab_host, expect):
    host.run("echo one")
    as_student.run("echo $USER; echo 'no such' >&2; exit 4")
    said = from_lab_host.get("/x y", host="other").body
    expect(said, expected="words")
    expect(not said, expected={"en": "silence", "es": "silencio"}, found="noise")

@check("web.forgets")
def test_forgets(host):
    try:
        assert 1 == 2
    except AssertionError:
        pass
    answer = host.run("printf 'a\\\\377\\\\033[2J'; exit 1")
    assert answer.succeeded, "it should succeed"

@check("web.much")
def test_much(host):
    found = host.run("yes | head -c 10000000").stdout
    other = found.replace("y", "z")
    assert found == other

@check("web.either")
def test_either(host):
    one, other = host.run("echo 1").stdout, host.run("echo 2").stdout
    assert one == "2" or other == "1"

@check("web.helper")
def test_helper(host):
    host.check_output("false")

@check("web.unexpected")
def test_unexpected(host, expect):
    host.run("echo on the way")
    expect(True, expected=3)

@check("web.holds")
def test_holds(host, expect):
    host.run("echo fine")
"""


def test_a_failure_has_its_evidence(run: Run) -> None:
    ran = run(web=EVIDENCE)
    expects = ran.ana["web.expects"]
    assert expects.message == {
        "en": "expected silence; found noise",
        "es": "se esperaba silencio; se encontró noise",
    }
    assert (expects.expected, expects.found) == ({"en": "silence", "es": "silencio"}, "noise")
    assert (expects.hidden, expects.full_hint) == (True, {"en": "Start it"})
    # How lab becomes the student is not shown, whose command it was is.
    assert expects.output.splitlines()[:8] == [
        "$ echo one",
        "one",
        "ana$ echo $USER; echo 'no such' >&2; exit 4",
        "ana",
        "no such",
        "exit code 4",
        "lab host$ curl -i -H 'Host: other' 'http://127.0.0.254/x y'",
        "[Errno 111] Connection refused",
    ]
    forgets = ran.ana["web.forgets"]
    assert forgets.message == {"en": "it should succeed"}
    # The comparison that it caught was not what it failed for.
    assert (forgets.expected, forgets.found) == ({}, "")
    assert forgets.output.endswith("'; exit 1\na�\x1b[2J\nexit code 1")
    much = ran.ana["web.much"]
    assert much.outcome is FAILED
    assert len(much.output) < 200
    assert "[… 499984 lines …]" in much.output
    assert max(len(much.found), len(much.expected["en"])) <= 1000
    either = ran.ana["web.either"]
    assert (either.message, either.found) == (say_in_all("checks.does_not_hold"), "")
    assert ran.ana["web.helper"].outcome is FAILED
    assert ran.ana["web.helper"].output == "$ false\nexit code 1"
    unexpected = ran.ana["web.unexpected"]
    assert (unexpected.outcome, unexpected.points) == (UNKNOWN, None)
    assert unexpected.output == (
        "$ echo on the way\non the way\nexpected must be text, or a text for each language, not 3"
    )
    assert (ran.ana["web.holds"].outcome, ran.ana["web.holds"].output) == (PASSED, "")


BROKEN = {
    "test_syntax.py": "def test_it(:\n",
    "test_import.py": "import no_such_module\n",
    "test_unmarked.py": "def test_unmarked(): pass\n",
}


def test_what_cannot_be_read_is_unknown_and_the_others_go_on(run: Run) -> None:
    files = """
@check("web.fine")
def test_fine(): pass

@check("web.typo", pints=2)
def test_typo(): pass

@check("web.elsewhere", step="wab")
def test_elsewhere(): pass

@check("web.twin")
def test_twin_1(): pass

@check("web.twin")
def test_twin_2(): assert False

@check("web.late", after=["web.later", "web.never"])
def test_late(): pass

@check("web.later")
def test_later(): pass
"""
    ran = run(web=files, raw=BROKEN)
    results = ran.results["hello-ana"]
    marked = [(result.id, result.outcome) for result in results if result.id.startswith("web.")]
    assert marked == [
        ("web.fine", PASSED),
        ("web.twin", PASSED),
        ("web.twin", FAILED),
        ("web.late", UNKNOWN),
        ("web.later", PASSED),
    ]
    others = [result for result in results if not result.id.startswith("web.")]
    assert {result.outcome for result in others} == {UNKNOWN}
    assert {result.points for result in others} == {None}
    # Students are not told what it is that could not be read: it may be a hidden check.
    assert {result.hidden for result in others} == {True}
    late = next(result for result in results if result.id == "web.late")
    assert (late.hidden, late.message) == (False, say_in_all("checks.behind_unread"))
    said = "\n".join(f"{result.id}: {result.message['en']}" for result in others)
    for sentence in (
        "test_syntax.py: ",
        "SyntaxError",
        "test_import.py: ",
        "No module named 'no_such_module'",
        "test_unmarked has no mark `check`",
        "the mark `check` knows no 'pints'",
        "there is no step 'wab' in the guide; it has account, web, app",
        "two checks have the id web.twin",
        "web.late comes after web.later, which is run later",
        "web.late comes after web.never, and there is no such check",
    ):
        assert sentence in said
    assert len(others) == 8


def test_a_guide_of_which_nothing_can_be_read(run: Run) -> None:
    ran = run(raw={"test_syntax.py": "def test_it(:\n"})
    [result] = ran.results["hello-ana"]
    assert (result.outcome, result.points) == (UNKNOWN, None)
    assert result.message["en"] == "test_syntax.py:1: SyntaxError: invalid syntax"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\n\nx = (1,\n", "test_it.py:3: SyntaxError: '(' was never closed"),
        (
            "if True:\n    x = 1\n  y = 2\n",
            "test_it.py:3: IndentationError: unindent does not match any outer indentation level",
        ),
        ("import os\nimport no_such\n", "test_it.py:2: ModuleNotFoundError: No module named 'no_such'"),
        (
            "def deep():\n    raise ValueError('one\\ntwo')\n\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
            "    deep()\n",
            "test_it.py:2: ValueError: one",
        ),
        ("import json\njson.loads('{')\n", "test_it.py:2: json.decoder.JSONDecodeError: Expecting"),
        ("x = 1\0\n", "SyntaxError: source code string cannot contain null bytes"),
    ],
    ids=["syntax", "indentation", "import", "own", "library", "nul"],
)  # fmt: skip
def test_what_cannot_be_read_says_where_and_why(run: Run, text: str, said: str) -> None:
    [result] = run(raw={"test_it.py": text}).results["hello-ana"]
    assert (result.outcome, result.id) == (UNKNOWN, "test_it.py")
    assert result.message["en"].startswith(said)


@pytest.mark.parametrize(
    "wrong", ["title=3", "hint=None", "after=None", "after=3", "points=float('nan')"]
)
def test_a_mark_of_the_wrong_type_is_unknown_and_the_others_go_on(run: Run, wrong: str) -> None:
    ran = run(
        web=f"@check('web.odd', {wrong})\ndef test_odd(): pass\n@check('a')\ndef test_a(): pass"
    )
    assert list(ran.outcomes().values()) == [UNKNOWN, PASSED]
    assert ran.ana["a"].outcome is PASSED


def test_a_guide_without_checks_has_no_results(run: Run) -> None:
    ran = run(raw={"notes.txt": ""})
    assert ran.results == {"hello-ana": ()}
    assert ran.told == [("hello-ana", None)]


def test_a_guide_without_a_folder_of_checks_has_no_results(tmp_path: Path) -> None:
    told: list[tuple[str, CheckRun | None]] = []
    request = Request(
        project=str(tmp_path),
        checks=str(tmp_path / "checks"),
        steps=("web",),
        targets=(TARGET,),
        jobs=1,
    )
    results = run_checks(request, log=tmp_path / "log", tell=lambda *it: told.append(it))
    assert results == {"hello-ana": ()}
    assert told == [("hello-ana", None)]


def test_a_machine_out_of_reach_is_unknown(run: Run, local_guest: Path) -> None:
    (local_guest / "down").touch()
    checks = """
@check("web.one")
def test_one(host):
    assert host.file("/etc/passwd").exists

@check("web.two", after=["web.one"])
def test_two(host):
    assert host.file("/etc/passwd").exists

@check("web.three")
def test_three(student):
    assert student.login == "ana"
"""
    ran = run(web=checks)
    assert ran.outcomes() == {"web.one": UNKNOWN, "web.two": UNKNOWN, "web.three": PASSED}
    assert ran.ana["web.one"].message == {
        "en": "no SSH connection to the machine: ssh: connect to host 10.0.0.9 port 22: "
        "No route to host",
        "es": "no hay conexión SSH con la máquina: ssh: connect to host 10.0.0.9 port 22: "
        "No route to host",
    }


DEADLY = """
@check("web.before")
def test_before(): pass

@check("web.dies")
def test_dies(student):
    if student.login == "ana":
        os._exit(3)
    if student.login == "pep":
        os.kill(os.getpid(), 9)

@check("web.after")
def test_after(): pass
"""


def test_one_machine_s_end_is_not_another_s(run: Run) -> None:
    def of(login: str, unreachable: str = "") -> Target:
        why = {"en": unreachable} if unreachable else {}
        return replace(TARGET, login=login, machine=f"hello-{login}", unreachable=why)

    ran = run(of("ana"), of("luis"), of("pep"), of("zoe", "the machine is stopped"), web=DEADLY)
    assert list(ran.results) == ["hello-ana", "hello-luis", "hello-pep", "hello-zoe"]
    outcomes = {
        machine: [result.outcome for result in results] for machine, results in ran.results.items()
    }
    assert outcomes == {
        "hello-ana": [PASSED, UNKNOWN, UNKNOWN],
        "hello-luis": [PASSED, PASSED, PASSED],
        "hello-pep": [PASSED, UNKNOWN, UNKNOWN],
        "hello-zoe": [UNKNOWN, UNKNOWN, UNKNOWN],
    }
    assert ran.ana["web.after"].message == say_in_all("checks.fork_died")
    assert ran.results["hello-zoe"][0].message == {"en": "the machine is stopped"}
    ends = [machine for machine, check in ran.told if check is None]
    assert sorted(ends) == sorted(outcomes)


def test_a_machine_that_says_nothing_more_is_given_up(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = tmp_path / "python"
    impatient.write_text(
        f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c 'import sys, lab.checks.session as s;"
        " s.SILENCE_S = 0.3; sys.exit(s.main())'\n"
    )
    impatient.chmod(0o755)
    monkeypatch.setattr(runner.sys, "executable", str(impatient))
    ran = run(web=DEADLY.replace("os._exit(3)", "time.sleep(60)"))
    assert ran.outcomes() == {"web.before": PASSED, "web.dies": UNKNOWN, "web.after": UNKNOWN}
    assert "silent" in ran.ana["web.dies"].message["en"]


def test_a_checks_process_that_says_nothing_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speechless = tmp_path / "python"
    speechless.write_text("#!/bin/sh\necho 'no such' >&2; echo why >&2; exit 3\n")
    speechless.chmod(0o755)
    monkeypatch.setattr(runner.sys, "executable", str(speechless))
    ran = run(web="@check('a')\ndef test_a(): pass")
    [lost] = ran.results["hello-ana"]
    assert lost == CheckRun(
        id="checks",
        step="",
        title=say_in_all("checks.unfinished"),
        outcome=UNKNOWN,
        points=None,
        max_points=0.0,
        message={
            language: f"{text}: why"
            for language, text in say_in_all("checks.process_ended", code=3).items()
        },
        output="no such\nwhy",
        hidden=True,
    )
    assert ran.told == [("hello-ana", "checks"), ("hello-ana", None)]
    assert (tmp_path / "verify.log").read_text().endswith("no such\nwhy\n")


def test_a_checks_process_that_dies_leaves_the_rest_unknown(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mortal = tmp_path / "python"
    mortal.write_text(f'#!/bin/sh\n{shlex.quote(sys.executable)} "$@" | head -n 2\nexit 9\n')
    mortal.chmod(0o755)
    monkeypatch.setattr(runner.sys, "executable", str(mortal))
    checks = """
@check("a", points=4)
def test_a(): pass

@check("b", points=2, hidden=True, hint="Look")
def test_b(): pass
"""
    luis = replace(TARGET, machine="hello-luis")
    ran = run(TARGET, luis, raw={"test_syntax.py": "def test_it(:\n"}, web=checks)
    why = say_in_all("checks.process_ended", code=9)
    for results in ran.results.values():
        unread, first, last = results
        assert "SyntaxError" in unread.message["en"]
        assert (first.id, first.step, first.max_points) == ("a", "web", 4.0)
        assert last == CheckRun(
            id="b",
            step="web",
            title={"en": "b holds", "es": "b se cumple"},
            outcome=UNKNOWN,
            points=None,
            max_points=2.0,
            message=why,
            hint={"en": "Look"},
            hidden=True,
        )
        assert first.message == why
    assert sorted(machine for machine, check in ran.told if check is None) == sorted(ran.results)


def test_the_machine_that_runs_pytest_s_settings_do_not_matter(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('not this one')\n")
    ran = run(web="@check('a')\ndef test_a(): pass")
    assert ran.outcomes() == {"a": PASSED}
