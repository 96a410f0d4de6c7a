"""The page of a verify in a real browser: what it shows, filters, sorts and prints, and what it refuses to run."""

from __future__ import annotations

import io
import os
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pypdf
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.classroom.runs import CheckRun, LabRun, StudentRun
from lab.classroom.view import Audience, Hints, View
from lab.report.verify_html import verify_html

AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
LETTERS = {"p": Outcome.PASSED, "f": Outcome.FAILED, "b": Outcome.BLOCKED, "u": Outcome.UNKNOWN}
IDS = ("app.main", "app.run", "vhost.file", "vhost.enabled", "vhost.answers")
STUDENTS = {"Ana Núñez": "ppppp", "Luis Pérez": "ppffb", "Eva Muñoz": "pfppu", "Rosa": "uuuuu"}
HOSTILE = (
    "<script>window.pwned=1</script><img src=x onerror='window.pwned=1;alert(1)'>\"><b id=pwned>"
)


@dataclass
class Opened:
    """A page, and whatever it did that it should not."""

    page: Page
    wrongs: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in self.page.locator(selector).all_text_contents()]

    def visible(self, selector: str) -> list[str]:
        found = self.page.locator(selector)
        return [one.inner_text().strip() for one in found.all() if one.is_visible()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        told = "there is no chromium on this host: apt-get install chromium"
        if os.environ.get("LAB_REQUIRE_MACHINES") == "1":
            pytest.fail(told)
        pytest.skip(told)
    # Chromium's sandbox does not start for root, which is who runs tests in a container.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Room:
    """Opens pages from files, without a network; at the end nothing may have gone wrong in any."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._contexts: list[BrowserContext] = []
        self.opened: list[Opened] = []

    def open(self, *labs: LabResult, **how: Any) -> Opened:
        file = self._folder / f"page{len(self.opened)}.html"
        file.write_text(verify_html(labs, made_at=AT), encoding="utf-8")
        context = self._browser.new_context(offline=True, **how)
        self._contexts.append(context)
        opened = Opened(context.new_page())
        wrongs = opened.wrongs
        page = opened.page

        def dismiss(dialog: Dialog) -> None:
            wrongs.append(f"a dialog: {dialog.message}")
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.on("console", lambda message: wrongs.append(f"the console: {message.text}"))
        page.on("pageerror", lambda error: wrongs.append(f"an error: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.partition("#")[0] == file.as_uri()
                else wrongs.append(f"a request: {request.url}")
            ),
        )
        page.goto(file.as_uri())
        self.opened.append(opened)
        return opened

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def room(browser: Browser, tmp_path: Path) -> Iterator[Room]:
    room = Room(browser, tmp_path)
    yield room
    wrongs = [wrong for opened in room.opened for wrong in opened.wrongs]
    room.close()
    assert wrongs == []


def check(name: str, outcome: Outcome, **more: Any) -> CheckResult:
    told = {"title": f"About {name}", "message": f"{name} is {outcome.value}", **more}
    if outcome is Outcome.BLOCKED:
        told["blocked_by"] = ("vhost.enabled",)
    if outcome is Outcome.FAILED:
        told["evidence"] = Evidence(
            expected=f"a good {name}", found=f"a bad {name}", output=f"$ cat {name}\nit is bad"
        )
        told["hint"] = f"Look at {name}"
    earned = {Outcome.PASSED: 1.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=name,
        step=name.partition(".")[0],
        outcome=outcome,
        points=earned,
        max_points=1.0,
        **told,
    )


def student(name: str, row: str) -> StudentResult:
    checks = tuple(check(one, LETTERS[letter]) for one, letter in zip(IDS, row, strict=True))
    login = name.split()[0].lower()
    return StudentResult(login=login, name=name, machine=f"hello-{login}", checks=checks, at=AT)


def a_class(language: str = "en") -> LabResult:
    return LabResult(
        lab="hello",
        language=language,
        steps={"app": "The application", "vhost": "The virtual host"},
        students=tuple(student(name, row) for name, row in STUDENTS.items()),
    )


LOGINS = "table.matrix tbody th"


def test_the_matrix_has_a_row_a_student_and_a_sign_a_check(room: Room) -> None:
    opened = room.open(a_class())

    assert opened.texts("table.matrix tbody tr") == [
        "anaAna Núñez5/50✓passed✓passed✓passed✓passed✓passed",
        "luisLuis Pérez2/52✓passed✓passed✗failed✗failed–blocked",
        "evaEva Muñoz3/4 of 51✓passed✗failed✓passed✓passed?not evaluated",
        "rosaRosa-0" + "?not evaluated" * 5,
    ]
    assert opened.texts("th.column") == list(IDS)
    assert opened.texts("[role=status]") == ["4 of 4 students, 5 of 5 checks"]


@pytest.mark.parametrize(
    ("words", "logins", "columns"),
    [
        ("nunez", ["ana"], list(IDS)),
        ("EVA", ["eva"], list(IDS)),
        ("vhost.en", ["ana", "luis", "eva", "rosa"], ["vhost.enabled"]),
        ("the application", ["ana", "luis", "eva", "rosa"], ["app.main", "app.run"]),
        ("nobody has this", [], []),
        ("", ["ana", "luis", "eva", "rosa"], list(IDS)),
    ],
)
def test_words_find_students_and_checks(
    room: Room, words: str, logins: list[str], columns: list[str]
) -> None:
    opened = room.open(a_class())

    opened.page.get_by_label("Filter").fill(words)

    assert opened.visible(LOGINS) == logins
    assert opened.visible("th.column") == columns


def test_a_filter_by_outcome_and_what_lacks_something_and_all_again(room: Room) -> None:
    opened = room.open(a_class())
    status = "[role=status]"

    opened.page.get_by_label("With a check").select_option("failed")
    assert opened.visible(LOGINS) == ["luis", "eva"]
    assert opened.visible("th.column") == ["app.run", "vhost.file", "vhost.enabled"]
    spans = [head.get_attribute("colspan") for head in opened.page.locator("th.step").all()]
    assert spans == ["1", "2"]

    opened.page.get_by_role("button", name="Show all").click()
    opened.page.wait_for_function("document.querySelector('[role=status]').textContent[0] === '4'")
    opened.page.get_by_label("Only what lacks something").check()
    assert opened.visible(LOGINS) == ["luis", "eva", "rosa"]
    assert opened.texts(status) == ["3 of 4 students, 5 of 5 checks"]
    # The evidence below the matrix is that of the same students.
    assert len(opened.visible("details.student")) == 3

    opened.page.get_by_label("With a check").select_option("passed")
    assert opened.texts(status) == ["Nothing matches the filter."]


@pytest.mark.parametrize(
    ("column", "up", "down"),
    [
        ("login", ["ana", "eva", "luis", "rosa"], ["rosa", "luis", "eva", "ana"]),
        ("name", ["ana", "eva", "luis", "rosa"], ["rosa", "luis", "eva", "ana"]),
        ("score", ["rosa", "luis", "eva", "ana"], ["ana", "eva", "luis", "rosa"]),
        ("failed", ["ana", "rosa", "eva", "luis"], ["luis", "eva", "ana", "rosa"]),
        ("vhost.answers", ["luis", "eva", "rosa", "ana"], ["ana", "eva", "rosa", "luis"]),
    ],
)
def test_each_column_sorts_up_and_then_down(
    room: Room, column: str, up: list[str], down: list[str]
) -> None:
    opened = room.open(a_class())
    head = opened.page.locator("table.matrix thead").get_by_role("button", name=column, exact=True)

    head.click()
    assert opened.texts(LOGINS) == up
    assert opened.page.locator("[aria-sort]").get_attribute("aria-sort") == "ascending"
    head.click()
    assert opened.texts(LOGINS) == down
    assert opened.page.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    assert opened.page.locator("[aria-sort]").count() == 1


def test_a_cell_opens_its_evidence_with_a_click_and_with_the_keyboard(room: Room) -> None:
    opened = room.open(a_class())
    dialog = opened.page.get_by_role("dialog")
    cell = opened.page.locator("td.cell[data-outcome=failed] a").nth(1)

    cell.click()
    assert dialog.get_by_role("heading").inner_text() == "Luis Pérez"
    text = dialog.inner_text()
    for told in (
        "About vhost.enabled",
        "vhost.enabled is failed",
        "a good vhost.enabled",
        "a bad vhost.enabled",
        "$ cat vhost.enabled\nit is bad",
        "Look at vhost.enabled",
    ):
        assert told in text
    opened.page.keyboard.press("Escape")
    assert not dialog.is_visible()

    cell.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("Enter")
    assert "About vhost.answers" in dialog.inner_text()
    # What blocks it is one step away.
    dialog.get_by_role("link", name="vhost.enabled").click()
    assert "a bad vhost.enabled" in dialog.inner_text()
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_the_arrows_walk_the_matrix_which_is_one_stop_of_the_tab_key(room: Room) -> None:
    opened = room.open(a_class())
    assert opened.page.locator("table.matrix tbody a[tabindex='0']").count() == 1

    opened.page.locator(f"{LOGINS} a").first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        opened.page.keyboard.press(key)

    focused = opened.page.evaluate("document.activeElement.getAttribute('href')")
    assert focused == "#l0s0c0"
    assert opened.page.locator("table.matrix tbody a[tabindex='0']").count() == 1


def test_a_student_opens_all_of_their_evidence(room: Room) -> None:
    opened = room.open(a_class())

    opened.page.get_by_role("link", name="eva", exact=True).click()

    text = opened.page.get_by_role("dialog").inner_text()
    assert "hello-eva" in text
    assert "a bad app.run" in text
    assert "vhost.answers is unknown" in text


def test_without_a_script_everything_is_there_and_a_cell_leads_to_its_evidence(room: Room) -> None:
    opened = room.open(a_class(), java_script_enabled=False)

    assert opened.visible("form.controls") == []
    assert opened.visible("details.student dl") == []
    opened.page.locator("td.cell[data-outcome=failed] a").nth(1).click()
    assert "a bad vhost.enabled" in " ".join(opened.visible("details.student dl"))
    opened.page.locator("details.student > summary").first.click()
    assert "Passed 5" in opened.visible("details.student h4")


@pytest.mark.parametrize("scripted", [True, False])
def test_the_print_has_every_student_and_their_evidence_and_no_controls(
    room: Room, scripted: bool
) -> None:
    opened = room.open(a_class(), java_script_enabled=scripted)

    reader = pypdf.PdfReader(io.BytesIO(opened.page.pdf(prefer_css_page_size=True)))

    # How a font spaces and joins letters is not what is asked.
    told_on = "".join(page.extract_text() for page in reader.pages)
    text = "".join(unicodedata.normalize("NFKC", told_on).split())
    for told in (*STUDENTS, "a bad vhost.file", "Look at app.run", "it is bad", "Verified"):
        assert "".join(told.split()) in text
    assert "Onlywhatlackssomething" not in text
    sizes = {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages}
    assert sizes == {(595, 842), (842, 595)}
    if scripted:
        assert opened.page.locator("details[open]").count() == 0


@pytest.mark.parametrize("count", [1, 2])
def test_hostile_names_titles_and_output_are_but_text(room: Room, count: int) -> None:
    told = {"title": HOSTILE, "message": HOSTILE}
    checks = tuple(
        CheckResult(
            id=f"{HOSTILE}{number}",
            step=HOSTILE,
            outcome=outcome,
            points=None,
            max_points=1.0,
            evidence=Evidence(expected=HOSTILE, found=HOSTILE, output=HOSTILE),
            hint=HOSTILE,
            blocked_by=(f"{HOSTILE}0",),
            **told,
        )
        for number, outcome in enumerate(Outcome)
    )
    students = tuple(
        StudentResult(login=f"{HOSTILE}{place}", name=HOSTILE, machine=HOSTILE, checks=checks)
        for place in range(count)
    )
    hostile = LabResult(lab=HOSTILE, students=students, steps={HOSTILE: HOSTILE})

    opened = room.open(hostile)
    for link in opened.page.locator("table.matrix tbody a").all():
        link.click()
        opened.page.keyboard.press("Escape")

    assert opened.page.evaluate("window.pwned") is None
    assert opened.page.locator("img, #pwned, b b").count() == 0
    assert opened.page.locator("h1").inner_text() == HOSTILE
    assert HOSTILE in opened.page.locator("pre").first.text_content()


def test_what_gets_into_the_page_by_force_is_not_run(room: Room) -> None:
    opened = room.open(a_class())

    opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<svg onload='window.pwned=1'></svg>");
        }"""
    )

    assert opened.page.evaluate("window.pwned") is None
    # The browser says what it refused, and asked nothing of any network.
    refused = [wrong for wrong in opened.wrongs if "Content Security Policy" in wrong]
    assert refused
    assert refused == opened.wrongs
    opened.wrongs.clear()


def test_a_students_page_has_no_hidden_check_and_no_hint_that_is_not_meant(room: Room) -> None:
    def run(name: str, *, hidden: bool) -> CheckRun:
        return CheckRun(
            id=name,
            step="app",
            title={"en": f"Title of {name}"},
            outcome=Outcome.FAILED,
            points=0.0,
            max_points=1.0,
            message={"en": f"Message of {name}"},
            expected={"en": f"Expected of {name}"},
            output=f"Output of {name}",
            hint={"en": f"Hint of {name}"},
            full_hint={"en": f"Full hint of {name}"},
            hidden=hidden,
        )

    checks = (run("open", hidden=False), run("secret", hidden=True))
    ana = StudentRun(login="ana", name="Ana", machine="hello-ana", checks=checks)
    view = View(hints=Hints.NONE, audience=Audience.STUDENT)
    result = view.of_lab(LabRun(lab="hello", students=(ana,), steps={}), at=AT)

    content = room.open(result).page.content()

    assert "secret" not in content
    assert "Hint of" not in content
    assert "Message of open" in content
    assert "hidden-1" in content


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_the_screen(room: Room, width: int, scheme: Any) -> None:
    checks = tuple(check(f"app.c{number}", Outcome.PASSED) for number in range(60))
    wide = tuple(replace(student(name, "ppffb"), checks=checks) for name in ("Ana", "Luis"))
    alone = (student("Luis Pérez", "ppffb"),)
    for lab in (
        a_class("es"),
        LabResult(lab="x", students=wide),
        LabResult(lab="x", students=alone),
    ):
        opened = room.open(lab, viewport={"width": width, "height": 800}, color_scheme=scheme)

        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
