"""A handout on a real machine: what it says to type works as it stands there."""

from __future__ import annotations

import base64
import http.client
import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.machines.conftest import BOX, ClassFolder

LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs:
  page: {{students: [{{login: ana, name: Ana Núñez}}]}}
"""
GUIDE_YAML = """\
name: page
title: {en: A page, es: Una página}
steps:
  - {name: account, scope: student, title: {en: The account}}
  - {name: site, scope: student, title: {en: The site}}
"""
ACCOUNT = """\
id "$LAB_LOGIN" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' "$LAB_LOGIN"
install -d -o "$LAB_LOGIN" -m 0700 "/home/$LAB_LOGIN/.ssh"
echo "$LAB_SSH_KEY" >"/home/$LAB_LOGIN/.ssh/authorized_keys"
chown "$LAB_LOGIN" "/home/$LAB_LOGIN/.ssh/authorized_keys"
"""
# A web server of few words, as a new machine has none: it answers to the student's name alone.
SITE = """\
cat >/usr/local/bin/site <<'PERL'
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    my $host = '';
    while (my $line = <$client>) {
        $host = $1 if $line =~ /^Host: ([^:\\s]+)/i;
        last if $line =~ /^\\s*$/;
    }
    my $status = $host eq $ARGV[0] ? '200 OK' : '404 Not Found';
    print $client "HTTP/1.0 $status\\r\\nConnection: close\\r\\n\\r\\nsite of $host\\n";
    close $client;
}
PERL
systemctl is-active --quiet site || systemd-run --unit site perl /usr/local/bin/site "$LAB_VHOST"
"""


class Commands(HTMLParser):
    """The blocks of a page that are there to be typed, and the key behind its link."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.key = b""
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a":
            self.key = base64.b64decode(href.partition("base64,")[2])
        if tag == "pre":
            self._inside = True
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.blocks[-1] += data

    def beginning(self, words: str) -> str:
        """The one block that begins so."""
        [block] = [it for it in self.blocks if it.startswith(words)]
        return block.strip()


@dataclass(frozen=True)
class Home:
    """A student's own computer: nothing is on it but what the page has them put there."""

    path: Path

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type a line in the folder of the downloads."""
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.path / "Downloads",
            env={"PATH": os.environ["PATH"], "HOME": str(self.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def configure(self, lines: str = "", *, known: str = "") -> None:
        """Write these lines into OpenSSH's files of this home; it asks nothing, and knows no other host."""
        (self.path / ".ssh/known_hosts").write_text(f"{known}\n")
        (self.path / ".ssh/config").write_text(
            f"{lines}\nHost *\n  BatchMode yes\n  StrictHostKeyChecking yes\n  GlobalKnownHostsFile none\n"
            f"  UserKnownHostsFile {self.path}/.ssh/known_hosts\n"
        )

    def ssh(self, command: str) -> str:
        """An `ssh` line with these files: OpenSSH looks in the home that the system has, not in $HOME."""
        return command.replace("ssh ", f"ssh -F {self.path}/.ssh/config ", 1)


@pytest.fixture(scope="module")
def page_class(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("page", LABS_YAML)
    guide = folder.path / "provision/page"
    (guide / "steps").mkdir(parents=True)
    (guide / "guide.yaml").write_text(GUIDE_YAML)
    for name, script in {"account": ACCOUNT, "site": SITE}.items():
        (guide / f"steps/{name}.sh").write_text(f"#!/bin/bash\nset -euo pipefail\n{script}")
    folder.lab("up")
    return folder


def commands(page_class: ClassFolder, *words: str) -> Commands:
    """What the page of Ana says to type."""
    printed = page_class.lab("handout", *words).stdout.splitlines()
    assert printed[0] == "handouts/page/ana.html"
    return Commands((page_class.path / printed[0]).read_text(encoding="utf-8"))


@pytest.fixture
def home(page_class: ClassFolder, tmp_path: Path) -> Home:
    """Ana's computer, with the key where the page has her put it."""
    page = commands(page_class, "--format", "html")
    home = Home(tmp_path)
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "Downloads/page-ana.key").write_bytes(page.key)
    done = home.type(page.beginning("mkdir"))
    assert done.returncode == 0, done.stderr
    key = tmp_path / ".ssh/page-ana.key"
    assert key.stat().st_mode & 0o777 == 0o600
    home.configure()
    return home


def test_the_page_s_command_lets_the_student_in_and_nobody_to_a_wrong_machine(
    page_class: ClassFolder, home: Home
) -> None:
    page = commands(page_class, "--format", "html")
    ssh = home.ssh(page.beginning("ssh"))
    # Without the page's line ssh knows no such machine, and shows what the page says it will show.
    assert "Host key verification failed" in home.type(f"{ssh} true").stderr
    asked = home.type(ssh.replace(" -i ", " -v -o StrictHostKeyChecking=no -i ") + " true")
    assert f"{page.beginning('SHA256:')}\n" in asked.stderr.replace("\r", "")

    home.configure(known=page.beginning("page-ana"))
    done = home.type(f"{ssh} 'whoami; hostname'")
    assert (done.returncode, done.stdout) == (0, "ana\npage-ana\n"), done.stderr


def test_the_shorter_way_in_is_the_same(page_class: ClassFolder, home: Home) -> None:
    page = commands(page_class, "--format", "html")
    config = page.beginning("Host ").replace("~", str(home.path))
    home.configure(config, known=page.beginning("page-ana"))
    done = home.type(home.ssh("ssh page whoami"))
    assert (done.returncode, done.stdout) == (0, "ana\n"), done.stderr


def answer_of(curl: str) -> tuple[int, str]:
    """What the page's `curl` line gets."""
    program, flag, header, url = shlex.split(curl)
    assert (program, flag) == ("curl", "-H")
    name, _, value = header.partition(": ")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", urlsplit(url).path, headers={name: value})
    response = connection.getresponse()
    found = response.status, response.read().decode()
    connection.close()
    return found


SITE_OF_ANA = (200, "site of page.ana.example.org\n")


def test_the_page_s_curl_line_shows_the_site(page_class: ClassFolder) -> None:
    page = commands(page_class, "--format", "html")
    curl = page.beginning("curl")
    assert answer_of(curl) == SITE_OF_ANA
    assert answer_of(curl.replace("page.ana", "page.luis"))[0] == 404
    [row] = page_class.json("status")["machines"]
    assert page.beginning(row["ip"]) == f"{row['ip']} page.ana.example.org"


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def way_in(page_class: ClassFolder, home: Home) -> Commands:
    """The page for one who comes in through another host. Here that is the machine itself."""
    [row] = page_class.json("status")["machines"]
    page = commands(page_class, "--format", "html", "--via", "{login}@aula.example.org")
    # What lets Ana into the host on the way is a matter between her and it.
    home.configure(
        f"Host aula.example.org\n  HostName {row['ip']}\n  HostKeyAlias page-ana\n"
        f"  IdentityFile {home.path}/.ssh/page-ana.key",
        known=page.beginning("page-ana"),
    )
    return page


def test_through_another_host_the_site_is_on_the_student_s_own_computer(
    way_in: Commands, home: Home, free_port: int
) -> None:
    ssh = home.ssh(way_in.beginning("ssh").replace("8080", str(free_port)))
    connection = subprocess.Popen(
        ["bash", "-c", f"{ssh} 'echo in; cat'"],
        env={"PATH": os.environ["PATH"], "HOME": str(home.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert connection.stdin is not None
    assert connection.stdout is not None
    try:
        assert connection.stdout.readline() == "in\n"
        curl = way_in.beginning("curl")
        assert "http://localhost:8080/" in curl
        assert answer_of(curl.replace("8080", str(free_port))) == SITE_OF_ANA
    finally:
        connection.stdin.close()
        connection.wait(timeout=30)
        connection.stdout.close()


def test_a_machine_that_is_off_has_the_same_page_and_one_that_is_gone_none(
    page_class: ClassFolder,
) -> None:
    folder = page_class.path / "handouts/page"
    page_class.lab("handout")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {".gitignore", "ana.html", "ana.pdf", "page-ana.key"}
    page_class.lab("halt")
    # A second later a clock in a file would say another time.
    time.sleep(1.1)
    page_class.lab("handout")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    page_class.lab("destroy", "--yes")
    told = page_class.lab("handout", exit_code=1)
    assert (
        "No handout for page/ana: page-ana is not there yet. Next: lab up page/ana" in told.stderr
    )
    assert [path.name for path in folder.iterdir()] == [".gitignore"]
