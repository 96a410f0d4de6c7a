"""Checks of the step `program`: the application under supervisor, from end to end.

What stops and starts it is in test_program_stops_and_starts.py, which comes after this.
"""

import configparser
import re

import pytest

SETTINGS = "/etc/supervisor/conf.d/hellopython.conf"
PROGRAM = "program:hellopython"
RUNNING = re.compile(r"^hellopython\s+RUNNING\s+pid (\d+)", re.MULTILINE)

# What `curl -i` would show; a new machine has no curl.
GET = r"""
exec 3<>/dev/tcp/127.0.0.1/80 || exit
printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
timeout 10 cat <&3
"""


def read_settings(text):
    """The settings of supervisor's programs; the check fails when they cannot be read."""
    settings = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    try:
        settings.read_string(text)
    except configparser.Error as error:
        pytest.fail(f"these settings of supervisor cannot be read: {error}")
    return settings


def program_settings(host):
    """The section [program:hellopython] as a mapping, empty when there is none."""
    settings = read_settings(host.run("cat %s", SETTINGS).stdout)
    return dict(settings[PROGRAM]) if settings.has_section(PROGRAM) else {}


def status(host):
    """The line of `supervisorctl status` about the program, or what was said instead of it."""
    answer = host.run("supervisorctl status hellopython")
    return answer.stdout.strip() or answer.stderr.strip()


@pytest.mark.check(
    id="program.settings",
    step="program",
    points=1,
    title={
        "en": "supervisor knows the program, and runs it as the student",
        "es": "supervisor conoce el programa y lo ejecuta como el estudiante",
    },
    hint={
        "en": f"{SETTINGS} has a section [{PROGRAM}] with `user` and `command`",
        "es": f"{SETTINGS} tiene una sección [{PROGRAM}] con `user` y `command`",
    },
)
def test_settings_name_user_and_command(host, student):
    settings = program_settings(host)
    assert settings, f"{SETTINGS} has no section [{PROGRAM}], or is not there"
    expected = {
        "user": student.login,
        "command": f"{student.home}/webapps/hellopython/run.sh",
    }
    found = {key: settings.get(key) for key in expected}
    assert found == expected, f"{SETTINGS} should have {expected}, but has {found}"


@pytest.mark.check(
    id="program.autostart",
    step="program",
    points=1,
    title={
        "en": "The program is to start with the machine and after a crash",
        "es": "El programa debe arrancar con la máquina y tras una caída",
    },
    hint={
        "en": f"In {SETTINGS}: autostart = true and autorestart = true",
        "es": f"En {SETTINGS}: autostart = true y autorestart = true",
    },
    after=["program.settings"],
)
def test_settings_start_it_always(host):
    settings = program_settings(host)
    found = {key: settings.get(key, "").lower() for key in ("autostart", "autorestart")}
    assert found == {"autostart": "true", "autorestart": "true"}, (
        f"{SETTINGS} should have autostart and autorestart true, but has {found}"
    )


@pytest.mark.check(
    id="program.stopsignal",
    step="program",
    points=1,
    title={
        "en": "The program is stopped with INT, and nothing of it is left",
        "es": "El programa se detiene con INT, y no queda nada de él",
    },
    hint={
        "en": f"In {SETTINGS}: stopsignal = INT and killasgroup = true",
        "es": f"En {SETTINGS}: stopsignal = INT y killasgroup = true",
    },
    after=["program.settings"],
)
def test_settings_stop_it_well(host):
    settings = program_settings(host)
    found = {key: settings.get(key, "").lower() for key in ("stopsignal", "killasgroup")}
    assert found == {"stopsignal": "int", "killasgroup": "true"}, (
        f"{SETTINGS} should have stopsignal INT and killasgroup true, but has {found}"
    )


@pytest.mark.check(
    id="program.commands",
    step="program",
    points=1,
    title={
        "en": "The student can change no other program of supervisor",
        "es": "El estudiante no puede cambiar ningún otro programa de supervisor",
    },
    hint={
        "en": "A command that supervisor runs as somebody else must not be writable by the student",
        "es": "Una orden que supervisor ejecuta como otro usuario no debe poder escribirla el "
        "estudiante",
    },
    after=["account.login", "program.settings"],
)
def test_other_programs_are_out_of_reach(host, as_student, student):
    settings = read_settings(host.run("cat /etc/supervisor/conf.d/*.conf").stdout)
    for name in settings.sections():
        program = settings[name]
        if not program.get("command") or program.get("user", "root") == student.login:
            continue
        command = program["command"].split()[0]
        assert as_student.run("test -w %s", command).failed, (
            f"[{name}] runs {command} as another user, and the student can write it"
        )


@pytest.mark.check(
    id="program.running",
    step="program",
    points=2,
    title={
        "en": "The application runs under supervisor, as the student",
        "es": "La aplicación está en marcha bajo supervisor, como el estudiante",
    },
    hint={
        "en": "supervisorctl start hellopython; if it dies again, see hellopython.err.log in the "
        "application's folder",
        "es": "supervisorctl start hellopython; si vuelve a caer, mira hellopython.err.log en la "
        "carpeta de la aplicación",
    },
    after=["supervisor.socket", "app.executable", "app.venv", "uwsgi.python", "program.settings"],
)
def test_program_runs_as_the_student(host, student):
    said = status(host)
    found = RUNNING.search(said)
    assert found, f"hellopython should be RUNNING, but supervisor says: {said}"
    owner = host.run("stat --format %%U %s", f"/proc/{found[1]}").stdout.strip()
    assert owner == student.login, f"it should run as {student.login}, but runs as: {owner}"


@pytest.mark.check(
    id="program.status",
    step="program",
    points=1,
    title={
        "en": "The student can ask supervisor without sudo",
        "es": "El estudiante puede preguntar a supervisor sin sudo",
    },
    hint={
        "en": "supervisorctl status, as the student; `Permission denied` means that the group is "
        "missing, or the login is older than it",
        "es": "supervisorctl status, como el estudiante; `Permission denied` significa que falta "
        "el grupo, o que la sesión es anterior a él",
    },
    after=["supervisor.socket", "account.group", "program.settings"],
)
def test_student_can_ask_for_the_status(as_student):
    said = status(as_student)
    assert re.search(r"^hellopython\s+[A-Z]+\b", said, re.MULTILINE), (
        f"`supervisorctl status hellopython` should tell its state, but said: {said[-300:]}"
    )


@pytest.mark.check(
    id="program.loopback",
    step="program",
    points=2,
    title={
        "en": "uWSGI listens to this machine only",
        "es": "uWSGI solo escucha a esta máquina",
    },
    hint={
        "en": "In run.sh: uwsgi --socket 127.0.0.1:8080. With `:8080` anybody on the network can "
        "make uWSGI run a program",
        "es": "En run.sh: uwsgi --socket 127.0.0.1:8080. Con `:8080` cualquiera de la red puede "
        "hacer que uWSGI ejecute un programa",
    },
    after=["program.running"],
)
def test_uwsgi_listens_on_loopback_only(host):
    # Every listening address of port 8080 (0x1F90), from the kernel itself; state 0A is LISTEN.
    table = host.run("cat /proc/net/tcp /proc/net/tcp6").stdout
    found = re.findall(r"^\s*\d+: ([0-9A-F]+):1F90 \S+ 0A ", table, re.MULTILINE)
    assert found, "nothing listens on port 8080"
    assert found == ["0100007F"], (
        "uWSGI should listen on 127.0.0.1:8080 alone, but port 8080 is open to other addresses too"
    )


@pytest.mark.check(
    id="program.logs",
    step="program",
    points=1,
    title={
        "en": "The program's logs are in the application's folder",
        "es": "Los registros del programa están en la carpeta de la aplicación",
    },
    hint={
        "en": f"In {SETTINGS}: stdout_logfile and stderr_logfile",
        "es": f"En {SETTINGS}: stdout_logfile y stderr_logfile",
    },
    after=["program.running"],
)
def test_logs_are_in_the_folder(host, student):
    settings = program_settings(host)
    app = f"{student.home}/webapps/hellopython"
    for kind, name in (
        ("stdout", "hellopython.out.log"),
        ("stderr", "hellopython.err.log"),
    ):
        found = settings.get(f"{kind}_logfile")
        assert found == f"{app}/{name}", f"{kind}_logfile should be {app}/{name}, but is {found}"
    assert host.run(
        "cd %s && test -f hellopython.out.log -a -f hellopython.err.log", app
    ).succeeded, (
        f"there are no log files in {app}: has supervisor read its settings since they changed?"
    )
    # supervisord writes them as root: a link would have it write wherever the student likes.
    links = host.run("find %s -maxdepth 1 -name 'hellopython.*.log' -type l", app).stdout.split()
    assert not links, f"a log must be a file of its own, and these are links: {', '.join(links)}"


@pytest.mark.check(
    id="program.answers",
    step="program",
    points=3,
    title={
        "en": "The site answers Hello World! on the machine",
        "es": "El sitio responde Hello World! en la propia máquina",
    },
    hint={
        "en": "502 is nginx without uWSGI, 500 is Flask in trouble: see hellopython.err.log and "
        "/var/log/nginx/error.log",
        "es": "502 es nginx sin uWSGI, 500 es Flask con problemas: mira hellopython.err.log y "
        "/var/log/nginx/error.log",
    },
    after=[
        "nginx.running",
        "app.hello",
        "vhost.server_name",
        "vhost.uwsgi_pass",
        "vhost.enabled",
        "vhost.syntax",
        "program.running",
    ],
)
def test_site_answers_on_the_machine(host, student):
    answer = host.run("bash -c %s get / %s", GET, student.vhost).stdout.replace("\r\n", "\n")
    head, _, body = answer.partition("\n\n")
    first = head.partition("\n")[0] or "nothing"
    assert re.match(r"HTTP/\S+ 200\b", first), (
        f"GET http://{student.vhost}/ should be answered with 200, but was with: {first}"
    )
    assert body.strip() == "Hello World!", f"expected `Hello World!`, found {body[:100]!r}"


@pytest.mark.check(
    id="program.reachable",
    step="program",
    points=3,
    title={
        "en": "The site answers Hello World! to another computer",
        "es": "El sitio responde Hello World! a otro ordenador",
    },
    hint={
        "en": "It answers on the machine itself: is there a firewall, or does nginx listen on "
        "127.0.0.1 alone?",
        "es": "En la propia máquina responde: ¿hay un cortafuegos, o nginx solo escucha en "
        "127.0.0.1?",
    },
    after=["program.answers"],
)
def test_site_answers_another_computer(student, from_lab_host):
    answer = from_lab_host.get("/")
    assert answer.status == 200, (
        f"GET http://{student.vhost}/ should be answered with 200, but was with "
        f"{answer.status or 'nothing'}"
    )
    assert answer.body.strip() == "Hello World!", (
        f"expected `Hello World!`, found {answer.body[:100]!r}"
    )
