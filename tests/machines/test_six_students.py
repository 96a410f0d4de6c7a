"""Six students, six states of brokenness: every report says the same of them, and what is really wrong."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.machines.conftest import BOX, ClassFolder

CHROMIUM = "/usr/bin/chromium"

LABS_YAML = f"""\
defaults:
  box: {BOX}
  domain: vps.claseando.es
  guest: {{ca_certificates: host}}
labs:
  hellopython: {{roster: alumnado.csv, lang: es}}
"""
# As a school's program exports it: semicolons, Windows-1252, CRLF. Names are only ever names.
ROSTER = """\
Nombre;Apellido(s);Dirección de correo;Número de ID;Grupos
Ana;Núñez <b>Ibáñez</b>;ana@example.org;0101;DAW1
Luis;=HYPERLINK("http://127.0.0.1/","x");Luis@Example.org;0102;DAW1
Marta;Gómez & Söhne;marta@example.org;0103;DAW1
Íñigo;Peña;inigo@example.org;0104;DAW2
Sara;[red]Ruiz[/red];sara@example.org;0105;DAW2
Zoé;Pérez;zoe@example.org;0106;DAW2
""".replace("\n", "\r\n")

# Who is broken, by whom, how; the one check that then fails.
BROKEN = {
    "luis": ("root", "rm /etc/nginx/sites-enabled/*.luis.* && systemctl reload nginx", "vhost.enabled"),
    "marta": ("root", "gpasswd -d marta supervisor", "account.group"),
    "inigo": ("student", "supervisorctl stop hellopython", "program.running"),
    "sara": ("root", "systemctl stop nginx", "nginx.running"),
}  # fmt: skip
LOGINS = ["ana", "luis", "marta", "inigo", "sara", "zoe"]
EVALUATED = LOGINS[:-1]

WORKSHEET = """\
Identificador,"Nombre completo","Dirección de correo",Estado,Calificación,"Calificación máxima","La calificación puede ser cambiada","Comentarios de retroalimentación"
"Participante 1","Ana Núñez",ana@example.org,"Enviado para calificar",,"10,00",Sí,
"Participante 2","Luis X",Luis@Example.org,"Enviado para calificar",,"10,00",Sí,
"Participante 3","Marta Gómez",marta@example.org,"Sin entrega",,"10,00",Sí,
"Participante 4","Íñigo Peña",inigo@example.org,"Sin entrega",,"10,00",Sí,
"Participante 5","Sara Ruiz",sara@example.org,"Sin entrega",,"10,00",Sí,
"Participante 6","Zoé Pérez",zoe@example.org,"Sin entrega",,"10,00",Sí,"de antes"
"""


@pytest.fixture(scope="module")
def classroom(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    """The class, broken and verified once; all that follows is told out of that one verify."""
    folder = new_class("six", LABS_YAML)
    (folder.path / "alumnado.csv").write_bytes(_quoted(ROSTER).encode("cp1252"))
    folder.lab("up")
    for login, (who, how, _) in BROKEN.items():
        (folder.root if who == "root" else folder.student)(login, how)
    folder.lab("halt", "zoe")
    folder.lab("verify", exit_code=1)
    return folder


def _quoted(roster: str) -> str:
    return "\r\n".join(
        ";".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in line.split(";"))
        for line in roster.split("\r\n")
        if line
    )


@pytest.fixture(scope="module")
def told(classroom: ClassFolder) -> dict[str, dict[str, Any]]:
    """The students as the JSON report has them."""
    document = json.loads(classroom.lab("report", "--format", "json").stdout)
    (lab,) = document["labs"]
    assert [student["login"] for student in lab["students"]] == LOGINS
    return {student["login"]: student for student in lab["students"]}


def checks_with(student: dict[str, Any], outcome: str) -> list[str]:
    return [check["id"] for check in student["checks"] if check["outcome"] == outcome]


def test_one_broken_thing_is_one_failure_and_it_is_the_right_one(
    told: dict[str, dict[str, Any]],
) -> None:
    assert told["ana"]["outcome"] == "passed"
    assert told["zoe"]["outcome"] == "unknown"
    for login, (_, _, culprit) in BROKEN.items():
        student = told[login]
        assert (login, checks_with(student, "failed")) == (login, [culprit])
        assert checks_with(student, "unknown") == []
        blocked = [check for check in student["checks"] if check["outcome"] == "blocked"]
        assert blocked
        assert {tuple(check["blocked_by"]) for check in blocked} == {(culprit,)}


def test_a_failure_has_evidence_and_a_hint_in_the_class_s_language(
    told: dict[str, dict[str, Any]], classroom: ClassFolder
) -> None:
    (check,) = [it for it in told["marta"]["checks"] if it["outcome"] == "failed"]
    assert "grupo supervisor" in check["title"]
    assert check["message"].startswith("se esperaba ")
    assert check["evidence"]["expected"]
    assert "supervisor" not in check["evidence"]["found"]
    assert "$ id" in check["evidence"]["output"]
    assert check["hint"]
    full = json.loads(
        classroom.lab(
            "report", "marta", "--format", "json", "--hints", "full", "--lang", "en"
        ).stdout
    )
    (other,) = [it for it in full["labs"][0]["students"][0]["checks"] if it["outcome"] == "failed"]
    assert "usermod" in other["hint"]
    assert "usermod" not in check["hint"]
    assert other["message"].startswith("expected ")


def test_nobody_is_marked_for_what_nobody_saw(told: dict[str, dict[str, Any]]) -> None:
    zoe = told["zoe"]
    assert (zoe["score"], zoe["max_score"]) == (None, 0)
    assert {check["points"] for check in zoe["checks"]} == {None}
    assert {check["message"] for check in zoe["checks"]} == {"la máquina está parada: lab up"}
    assert told["ana"]["score"] == told["ana"]["max_score"] == 60


def test_junit_agrees(told: dict[str, dict[str, Any]], classroom: ClassFolder) -> None:
    suites = ET.fromstring(classroom.lab("report", "--format", "junit").stdout).findall("testsuite")
    assert [suite.attrib["name"] for suite in suites] == [f"hellopython/{it}" for it in LOGINS]
    for login, suite in zip(LOGINS, suites, strict=True):
        counts = {name: int(suite.attrib[name]) for name in ("failures", "skipped", "errors")}
        if login == "zoe":
            assert counts == {"failures": 0, "skipped": 0, "errors": int(suite.attrib["tests"])}
            continue
        assert counts == {
            "failures": len(checks_with(told[login], "failed")),
            "skipped": len(checks_with(told[login], "blocked")),
            "errors": 0,
        }
        failed = [case.attrib["name"] for case in suite if case.find("failure") is not None]
        for name, check in zip(failed, checks_with(told[login], "failed"), strict=True):
            assert check in name


def test_csv_agrees(told: dict[str, dict[str, Any]], classroom: ClassFolder) -> None:
    rows = list(csv.DictReader(io.StringIO(classroom.lab("report", "--format", "csv").stdout)))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        found.setdefault(row["login"], []).append((row["check"], row["outcome"], row["points"]))
    for login in EVALUATED:
        assert found[login] == [
            (check["id"], check["outcome"], f"{check['points']:g}")
            for check in told[login]["checks"]
        ]
    assert {(outcome, points) for _, outcome, points in found["zoe"]} == {("unknown", "")}
    names = {row["login"]: row["name"] for row in rows}
    assert names["ana"] == "Ana Núñez <b>Ibáñez</b>"
    assert not [name for name in names.values() if name.startswith(("=", "+", "-", "@"))]


def test_markdown_names_who_lacks_what(
    told: dict[str, dict[str, Any]], classroom: ClassFolder
) -> None:
    text = classroom.lab("report", "--format", "markdown").stdout
    assert "<b>" not in text
    for login in BROKEN:
        (check,) = [it for it in told[login]["checks"] if it["outcome"] == "failed"]
        line = next(line for line in text.splitlines() if login in line)
        assert re.sub(r"\W", "", check["title"]) in re.sub(r"\W", "", text[text.index(line) :])


@pytest.fixture(scope="module")
def page(classroom: ClassFolder) -> Iterator[Page]:
    """The page of the class, opened from its file in a browser without a network."""
    classroom.lab("report", "--output", "clase.html")
    file = classroom.path / "clase.html"
    assert file.stat().st_mode & 0o777 == 0o600
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True, locale="es-ES")
        opened = context.new_page()
        opened.goto(file.as_uri())
        yield opened
        browser.close()


def test_the_page_agrees(told: dict[str, dict[str, Any]], page: Page) -> None:
    assert page.locator("html").get_attribute("lang") == "es"
    rows = page.locator("tr[data-student]")
    assert rows.locator("th.login").all_inner_texts() == LOGINS
    for index, login in enumerate(LOGINS):
        cells = rows.nth(index).locator("td[data-outcome]")
        outcomes = [cell.get_attribute("data-outcome") for cell in cells.all()]
        assert outcomes == [check["outcome"] for check in told[login]["checks"]]
        text = rows.nth(index).inner_text()
        score = "-" if login == "zoe" else f"{told[login]['score']}/{told[login]['max_score']}"
        assert score in text.split()
    assert "Ana Núñez <b>Ibáñez</b>" in page.inner_text("body")


def test_the_page_leads_to_the_evidence(told: dict[str, dict[str, Any]], page: Page) -> None:
    (failed,) = [check for check in told["marta"]["checks"] if check["outcome"] == "failed"]
    row = page.locator("tr[data-student]").nth(LOGINS.index("marta"))
    row.locator("td[data-outcome=failed] a").click()
    evidence = page.get_by_role("dialog")
    assert evidence.get_by_role("heading").inner_text() == "Marta Gómez & Söhne"
    for told in (failed["title"], failed["evidence"]["expected"], failed["hint"]):
        assert told in evidence.inner_text()


def test_marks_and_moodle_s_files_agree(
    told: dict[str, dict[str, Any]], classroom: ClassFolder
) -> None:
    marks = {
        login: f"{10 * told[login]['score'] / told[login]['max_score']:.2f}" for login in EVALUATED
    }
    assert marks["ana"] == "10.00"
    assert all(float(marks[login]) < 10 for login in BROKEN)

    table = list(csv.DictReader(io.StringIO(classroom.lab("grades", "--format", "csv").stdout)))
    assert {row["login"]: row["mark"] for row in table} == {**marks, "zoe": ""}

    done = classroom.lab("grades", "--format", "moodle")
    assert "zoe" in done.stderr
    book = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["Dirección de correo"], row["Número de ID"]) for row in book] == [
        ("Luis@Example.org" if login == "luis" else f"{login}@example.org", f"010{number}")
        for number, login in enumerate(EVALUATED, start=1)
    ]
    assert [row["hellopython"] for row in book] == [marks[login] for login in EVALUATED]

    (classroom.path / "descargado.csv").write_text(WORKSHEET, encoding="utf-8-sig")
    before = (classroom.path / "descargado.csv").read_bytes()
    classroom.lab("grades", "--worksheet", "descargado.csv", "--output", "relleno.csv")
    assert (classroom.path / "descargado.csv").read_bytes() == before
    filled = (classroom.path / "relleno.csv").read_bytes()
    assert filled.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(filled.decode("utf-8-sig"))))
    assert [row["Calificación"] for row in rows] == [
        *(marks[login].replace(".", ",") for login in EVALUATED),
        "",
    ]
    assert rows[-1]["Comentarios de retroalimentación"] == "de antes"


def test_a_machine_made_anew_inherits_no_mark(classroom: ClassFolder) -> None:
    classroom.lab("destroy", "luis", "--yes")
    classroom.lab("up", "luis")
    grades = {row["login"]: row["mark"] for row in classroom.json("grades")["grades"]}
    assert grades["luis"] is None
    assert grades["ana"] == 10
    (lab,) = classroom.json("history", "luis")["labs"]
    assert [attempt["mark"] < 10 for attempt in lab["attempts"]] == [True]

    classroom.lab("verify", "luis")

    assert {row["login"]: row["mark"] for row in classroom.json("grades")["grades"]}["luis"] == 10
    (lab,) = classroom.json("history", "luis")["labs"]
    assert len({attempt["identity"] for attempt in lab["attempts"]}) == 2


def test_marks_are_for_their_owner_alone(classroom: ClassFolder) -> None:
    runs = list((classroom.path / ".lab/runs").iterdir())
    assert runs
    assert {path.stat().st_mode & 0o777 for path in runs} == {0o600}
    assert (classroom.path / "relleno.csv").stat().st_mode & 0o777 == 0o600
