"""A student's page: what is on it, on screen and on paper, and nothing that a name could do to it."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from lab.classroom.handout import Handout
from lab.errors import HOST, HostError
from lab.report.handout_page import handout_page
from lab.report.handout_pdf import handout_pdf, require_pdf
from lab.report.text import inert_line

CASES = Path(__file__).parent.parent / "golden" / "handouts"
KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
bm8gcmVhbCBrZXksIGFuZCBub3QgZXZlbiBvZiBhIGtleSdzIGxlbmd0aA==
-----END OPENSSH PRIVATE KEY-----
"""
ANA = Handout(
    lab="hellopython",
    title="Hello World in Python behind nginx",
    login="ana",
    name="Ana Núñez Ibáñez",
    machine="hellopython-ana",
    address="10.0.3.154",
    address_stays=True,
    vhost="hellopython.ana.vps.claseando.es",
    host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2Zb0GJf0Wk3b8hP0gYQ0m0r7lVqv0xQ1w3Zq1wX9aB",
    fingerprint="SHA256:0pZ4oQk0b1Xk8u1b8d8m8p0Y4mGm0W4l3w0pUu4V3aE",
    first=("Look at `~/webapps/hellopython`.", "Try `supervisorctl status hellopython`."),
    language="en",
)
ANA_VIA = replace(
    ANA,
    title="Hola Mundo en Python detrás de nginx",
    first=("Mira en `~/webapps/hellopython`.", "Prueba `supervisorctl status hellopython`."),
    language="es",
    via="ana@aula.example.org:2222",
    contact="Marta Ruiz, aula 12",
)


class Parsed(HTMLParser):
    """What a browser makes of a page: its elements in order, and all of its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", ((data, None),)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [dict(attributes) for tag, attributes in self.elements if tag == name]


def words_of_pdf(pdf: bytes) -> str:
    return " ".join(
        " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split()
    )


@pytest.mark.parametrize(
    ("case", "handout", "key"),
    [("screen_en", ANA, KEY), ("paper_en", ANA, ""), ("screen_es_via", ANA_VIA, KEY)],
)
def test_the_whole_page(
    golden: Callable[[Path, str], None], case: str, handout: Handout, key: str
) -> None:
    golden(CASES / f"{case}.html", handout_page(handout, key=key))


def test_the_key_is_there_to_save_and_to_copy_and_only_on_the_screen() -> None:
    page = Parsed(handout_page(ANA, key=KEY))
    [link] = page.named("a")
    assert link["download"] == "hellopython-ana.key"
    head, _, data = str(link["href"]).partition(",")
    assert head == "data:application/octet-stream;base64"
    assert base64.b64decode(data).decode() == KEY
    assert KEY in page.text
    assert [it["class"] for it in page.named("details")] == ["screen"]
    paper = handout_page(ANA)
    assert "PRIVATE KEY" not in paper
    assert "data:" not in paper
    assert "which you get apart from this page" in Parsed(paper).words


@pytest.mark.parametrize("handout", [ANA, ANA_VIA], ids=["en", "es"])
def test_a_page_runs_nothing_and_fetches_nothing(handout: Handout) -> None:
    page = Parsed(handout_page(handout, key=KEY))
    used = {tag for tag, _ in page.elements}
    assert not used & {"script", "link", "img", "iframe", "object", "form", "comment"}
    assert {name for _, attributes in page.elements for name, _ in attributes} <= {
        *("lang", "charset", "name", "content", "http-equiv", "class", "download", "href"),
    }
    policy = next(it["content"] for it in page.named("meta") if it.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    style = handout_page(handout).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_from_the_teachers_computer_the_address_itself_is_used() -> None:
    words = Parsed(handout_page(ANA, key=KEY)).words
    for said in (
        "can be reached from your teacher's computer only",
        "ssh -i ~/.ssh/hellopython-ana.key ana@10.0.3.154 The first",
        'curl -H "Host: hellopython.ana.vps.claseando.es" http://10.0.3.154/',
        "10.0.3.154 hellopython.ana.vps.claseando.es Then open http://hellopython.ana.vps.claseando.es/.",
        "Ask your teacher. Say that it is about hellopython/ana",
        "lab verify hellopython/ana",
    ):
        assert said in words
    assert "8080" not in words


def test_through_another_host_the_site_comes_along() -> None:
    words = Parsed(handout_page(ANA_VIA, key=KEY)).words
    for said in (
        "pasando por aula.example.org. Ese puede pedirte la contraseña de la cuenta ana en él",
        "ssh -i ~/.ssh/hellopython-ana.key -J ana@aula.example.org:2222 -L 8080:10.0.3.154:80 ana@10.0.3.154 La",
        'curl -H "Host: hellopython.ana.vps.claseando.es" http://localhost:8080/',
        "127.0.0.1 hellopython.ana.vps.claseando.es Después abre http://hellopython.ana.vps.claseando.es:8080/.",
        "Pregunta a Marta Ruiz, aula 12.",
        "ProxyJump ana@aula.example.org:2222 LocalForward 8080 10.0.3.154:80",
    ):
        assert said in words
    without_user = replace(ANA_VIA, via="aula.example.org")
    assert "la contraseña de tu cuenta en él" in Parsed(handout_page(without_user)).words


def test_a_machine_behind_ports_is_reached_at_those_through_the_computer_that_has_them() -> None:
    behind = replace(
        ANA, address="127.0.0.1", ssh_port=22007, web_port=28007, via="profe@aula.example.org"
    )
    assert behind.ssh_command.endswith(
        "-J profe@aula.example.org -L 8080:127.0.0.1:28007 -p 22007 ana@127.0.0.1"
    )
    assert behind.ssh_config.splitlines()[1:3] == ["  HostName 127.0.0.1", "  Port 22007"]
    assert behind.ssh_config.splitlines()[-1] == "  LocalForward 8080 127.0.0.1:28007"
    assert behind.known_hosts.startswith(f"{ANA.machine},[127.0.0.1]:22007 ssh-")
    assert behind.web_address == "localhost:8080"
    here = replace(behind, via="")
    assert here.web_address == "127.0.0.1:28007"
    assert here.url == f"http://{ANA.vhost}:28007/"


def test_an_address_that_may_change_is_said_to() -> None:
    warning = "may get another address"
    assert warning not in handout_page(ANA)
    assert warning in handout_page(replace(ANA, address_stays=False))


def test_a_guide_that_says_nothing_of_what_is_first_has_its_title_said() -> None:
    words = Parsed(handout_page(replace(ANA, first=()))).words
    assert "follow what you were given for “Hello World in Python behind nginx”." in words


FRAGMENTS = st.sampled_from(
    [
        *(
            "<script>alert(1)</script>",
            "</title><b>",
            '"><img src=x onerror=a>',
            "<!--",
            "]]>",
            "&lt;",
            "&#60;",
        ),
        *(
            "{{ 7*7 }}",
            "{% raw %}",
            "{0}",
            "{file}",
            "%s",
            "\u202e",
            "\u2066",
            "\x1b[2J",
            "\x00",
            "\x9b",
            "`",
        ),
        *(
            "\r\n",
            "\u2028",
            "漢字",
            "عربي",
            "😀",
            "'",
            "\\",
            "javascript:alert(1)",
            "</style>",
            "</pre>",
        ),
    ]
)
HOSTILE = st.lists(FRAGMENTS | st.text(max_size=8), min_size=1, max_size=6).map("".join)


@given(name=HOSTILE, title=HOSTILE, contact=HOSTILE, line=HOSTILE)
def test_what_others_wrote_is_shown_and_does_nothing(
    name: str, title: str, contact: str, line: str
) -> None:
    hostile = replace(ANA, name=name, title=title, contact=contact, first=(line,))
    plain = replace(ANA, name="n", title="t", contact="c", first=("l",))
    page = Parsed(handout_page(hostile, key=KEY))
    # Backticks make code of what is between them, and that is all that they do.
    assert without_code(page) == without_code(Parsed(handout_page(plain, key=KEY)))
    assert inert_line(name) in page.text
    assert inert_line(title) in page.text
    if "`" not in contact + line:
        assert inert_line(contact) in page.text
        assert inert_line(line) in page.text
    controls = set(page.text) - {"\n"}
    assert not any(inert_line(char) != char for char in controls)


def without_code(page: Parsed) -> list[tuple[str, tuple[tuple[str, str | None], ...]]]:
    return [element for element in page.elements if element[0] != "code"]


@pytest.mark.parametrize("handout", [ANA, ANA_VIA], ids=["en", "es"])
def test_the_pdf_is_one_page_with_all_that_is_needed_and_no_key(handout: Handout) -> None:
    pdf = handout_pdf(handout)
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 1
    width, height = (round(float(side) / 72 * 25.4) for side in reader.pages[0].mediabox[2:])
    assert (width, height) == (210, 297)
    words = words_of_pdf(pdf)
    for said in (
        handout.name,
        handout.title,
        handout.ssh_command,
        handout.fingerprint,
        handout.curl_command,
        handout.hosts_line,
        handout.known_hosts,
        "Host hellopython HostName 10.0.3.154",
    ):
        assert said in words
    assert "PRIVATE KEY" not in words
    assert "KEY-----" not in pdf.decode("latin-1")


def test_long_names_still_fit_on_one_page() -> None:
    login = "maria-de-los-angeles-rodriguez"
    handout = replace(
        ANA_VIA,
        login=login,
        name="María de los Ángeles Rodríguez-Villanueva y Fernández de Córdoba",
        machine=f"hellopython-{login}",
        vhost=f"hellopython.{login}.vps.claseando.es",
        via=f"{login}@ordenador-del-aula.instituto.example.org",
    )
    assert len(PdfReader(io.BytesIO(handout_pdf(handout))).pages) == 1


def test_the_same_handout_is_the_same_pdf() -> None:
    assert handout_pdf(ANA) == handout_pdf(ANA)


@settings(max_examples=8)
@given(name=HOSTILE, line=HOSTILE)
def test_a_pdf_is_made_of_any_name_and_fetches_nothing(name: str, line: str) -> None:
    pdf = handout_pdf(replace(ANA, name=f"{name}<img src='file:///etc/passwd'>", first=(line,)))
    [images] = [page.images for page in PdfReader(io.BytesIO(pdf)).pages[:1]]
    assert len(images) == 0


def test_without_pango_the_host_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weasyprint.py").write_text(
        "print('-- carefully follow the installation steps --')\n"
        "raise OSError(\"cannot load library 'libpango-1.0-0': no such file\\n  and much more\")\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [it for it in sys.modules if it.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(HostError) as caught:
        require_pdf()
    assert caught.value.exit_code == HOST
    assert caught.value.details == "cannot load library 'libpango-1.0-0': no such file"
    assert "apt-get install" in caught.value.hint
    assert "lab handout --format html" in caught.value.hint
    assert capsys.readouterr().out == ""
