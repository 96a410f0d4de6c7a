"""Checks of the step `program`: the application under supervisor, from end to end.

What stops and starts it is in test_program_stops_and_starts.py, which comes after this.
"""

import ipaddress
import re

import pytest

SETTINGS = "/etc/supervisor/conf.d/hellopython.conf"
RUNNING = re.compile(r"^hellopython\s+RUNNING\s+pid (\d+)", re.MULTILINE)

ANSWER_S = 10
# What `curl -i` would show; a new machine has no curl.
GET = r"""
exec 3<>/dev/tcp/127.0.0.1/80 || exit
printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
timeout "$3" cat <&3
"""


def status(host):
    """The line of `supervisorctl status` about the program, or what was said instead of it."""
    answer = host.run("supervisorctl status hellopython")
    return answer.stdout.strip() or answer.stderr.strip()


def gist_of(page):
    """A page's title where it has one, else its text."""
    title = re.search(r"<title>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    return title[1] if title else page


def listening_addresses(host):
    """The addresses on which something listens on port 8080, from the kernel itself."""
    # 8080 is 0x1F90, and state 0A is LISTEN. Addresses are words in the processor's byte order.
    table = host.run("cat /proc/net/tcp /proc/net/tcp6").stdout
    found = re.findall(r"^\s*\d+: ([0-9A-F]+):1F90 \S+ 0A ", table, re.MULTILINE)
    return [
        str(ipaddress.ip_address(b"".join(word[::-1] for word in re.findall(b"....", raw, re.S))))
        for raw in map(bytes.fromhex, found)
    ]


@pytest.mark.check(
    id="program.running",
    step="program",
    points=2,
    title={
        "en": "The application runs under supervisor, as the student",
        "es": "La aplicación está en marcha bajo supervisor, como el estudiante",
    },
    hint={
        "en": "`supervisorctl status` tells whether it was stopped (STOPPED) or ends by itself "
        "(BACKOFF, FATAL): then hellopython.err.log, in the application's folder, says why.",
        "es": "`supervisorctl status` dice si lo pararon (STOPPED) o acaba solo (BACKOFF, FATAL): "
        "entonces hellopython.err.log, en la carpeta de la aplicación, dice por qué.",
    },
    full_hint={
        "en": "`supervisorctl start hellopython`; when it ends by itself, mend what "
        "`tail hellopython.err.log` shows first. run.sh has uWSGI listen on 127.0.0.1:8080",
        "es": "`supervisorctl start hellopython`; si acaba solo, arregla antes lo que muestre "
        "`tail hellopython.err.log`. run.sh pone a uWSGI a escuchar en 127.0.0.1:8080",
    },
    after=["supervisor.running", "app.executable", "app.venv", "uwsgi.python", "program.settings"],
)
def test_program_runs_as_the_student(host, as_student, student, expect, wait_until):
    said = status(host)
    running = RUNNING.search(said)
    if not running:
        # Shown as evidence. As the student: a log that is a link must not show what root can read.
        as_student.run("tail -n 5 %s", f"{student.home}/webapps/hellopython/hellopython.err.log")
    expect(
        running,
        expected={
            "en": "hellopython to be RUNNING to supervisor",
            "es": "que hellopython estuviera en marcha (RUNNING) para supervisor",
        },
        found=said,
    )
    owner = host.run("stat --format %%U %s", f"/proc/{running[1]}").stdout.strip()
    expect(
        owner == student.login,
        expected={
            "en": f"hellopython to run as {student.login}",
            "es": f"que hellopython se ejecutara como {student.login}",
        },
        found=owner,
    )
    expect(
        wait_until(lambda: listening_addresses(host), timeout_s=5),
        expected={
            "en": "uWSGI to listen on port 8080",
            "es": "que uWSGI escuchara en el puerto 8080",
        },
    )


@pytest.mark.check(
    id="program.status",
    step="program",
    points=1,
    title={
        "en": "The student can ask supervisor without sudo",
        "es": "El estudiante puede preguntar a supervisor sin sudo",
    },
    hint={
        "en": "supervisorctl talks to supervisor through its socket, as whoever calls it. What "
        "does it say to you: does the socket refuse you, or does supervisor not know the "
        "program yet?",
        "es": "supervisorctl habla con supervisor por su socket, como quien lo llama. ¿Qué te "
        "dice a ti: te rechaza el socket, o supervisor aún no conoce el programa?",
    },
    full_hint={
        "en": "`Permission denied`: log out and in again, for the new group; `no such process`: "
        "`sudo supervisorctl update`",
        "es": "`Permission denied`: sal y vuelve a entrar, por el grupo nuevo; `no such process`: "
        "`sudo supervisorctl update`",
    },
    after=["supervisor.socket", "account.group", "program.settings"],
)
def test_student_can_ask_for_the_status(as_student, expect):
    said = status(as_student)
    expect(
        re.search(r"^hellopython\s+[A-Z]+\b", said, re.MULTILINE),
        expected={
            "en": "`supervisorctl status hellopython` to tell the student its state",
            "es": "que `supervisorctl status hellopython` dijera al estudiante su estado",
        },
        found=said,
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
        "en": "Whoever reaches uWSGI's port can have it run a program, and only nginx has any "
        "business there. On which addresses does `ss -ltn` show port 8080?",
        "es": "Quien llega al puerto de uWSGI puede hacer que ejecute un programa, y solo nginx "
        "tiene algo que hacer allí. ¿En qué direcciones muestra `ss -ltn` el puerto 8080?",
    },
    full_hint={
        "en": "In run.sh: `uwsgi --socket 127.0.0.1:8080` and not `:8080`; then "
        "`supervisorctl restart hellopython`",
        "es": "En run.sh: `uwsgi --socket 127.0.0.1:8080` y no `:8080`; después "
        "`supervisorctl restart hellopython`",
    },
    after=["program.running"],
)
def test_uwsgi_listens_on_loopback_only(host, expect):
    found = listening_addresses(host)
    expect(
        found == ["127.0.0.1"],
        expected={
            "en": "port 8080 on 127.0.0.1 alone",
            "es": "el puerto 8080 solo en 127.0.0.1",
        },
        found=", ".join(found),
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
        "en": "What a program prints goes where supervisor is told, stdout and stderr apart. What "
        "do the program's settings say about its logs?",
        "es": "Lo que imprime un programa va a donde le digan a supervisor, stdout y stderr por "
        "separado. ¿Qué dice de sus registros la configuración del programa?",
    },
    full_hint={
        "en": f"In {SETTINGS}: `stdout_logfile = /home/LOGIN/webapps/hellopython/"
        "hellopython.out.log`, the same with stderr_logfile and `.err.log`; then "
        "`sudo supervisorctl update`",
        "es": f"En {SETTINGS}: `stdout_logfile = /home/LOGIN/webapps/hellopython/"
        "hellopython.out.log`, lo mismo con stderr_logfile y `.err.log`; después "
        "`sudo supervisorctl update`",
    },
    after=["program.running"],
)
def test_logs_are_in_the_folder(host, student, expect):
    app = f"{student.home}/webapps/hellopython"
    for key, name in (
        ("stdout_logfile", "hellopython.out.log"),
        ("stderr_logfile", "hellopython.err.log"),
    ):
        line = host.run("grep '^%s[[:space:]]*=' %s", key, SETTINGS).stdout
        expect(
            line.partition("=")[2].partition(" ;")[0].strip() == f"{app}/{name}",
            expected=f"{key} = {app}/{name}",
            found=line,
        )
        # supervisord writes them as root: a link would have it write wherever the student likes.
        kind = host.run("LC_ALL=C stat --format %%F %s", f"{app}/{name}").stdout.strip()
        expect(
            kind in ("regular file", "regular empty file"),
            expected={
                "en": f"a file {name} of its own in {app}",
                "es": f"un fichero {name} propio en {app}",
            },
            found=kind,
        )


@pytest.mark.check(
    id="program.answers",
    step="program",
    points=3,
    title={
        "en": "The site answers Hello World! on the machine",
        "es": "El sitio responde Hello World! en la propia máquina",
    },
    hint={
        "en": "The parts are well each for itself: do they run as they stand in the files now? A "
        "404 is nginx with another site, a 502 nginx without uWSGI, a 500 Flask in trouble.",
        "es": "Cada parte por separado está bien: ¿se ejecutan tal como están ahora en los "
        "ficheros? Un 404 es nginx con otro sitio, un 502 nginx sin uWSGI, un 500 Flask con "
        "problemas.",
    },
    full_hint={
        "en": "`sudo systemctl reload nginx`, `supervisorctl restart hellopython`; then read "
        "hellopython.err.log and /var/log/nginx/error.log",
        "es": "`sudo systemctl reload nginx`, `supervisorctl restart hellopython`; después lee "
        "hellopython.err.log y /var/log/nginx/error.log",
    },
    after=[
        "nginx.running",
        "app.hello",
        "vhost.server_name",
        "vhost.uwsgi_pass",
        "vhost.enabled",
        "program.running",
    ],
)
def test_site_answers_on_the_machine(host, student, expect, patience):
    limit = f"{ANSWER_S * patience:g}"
    answer = host.run("bash -c %s get / %s %s", GET, student.vhost, limit).stdout
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    first = head.partition("\n")[0]
    expect(
        re.match(r"HTTP/\S+ 200\b", first),
        expected={
            "en": f"GET http://{student.vhost}/ to be answered with 200",
            "es": f"que GET http://{student.vhost}/ recibiera un 200",
        },
        found=first,
    )
    expect(body.strip() == "Hello World!", expected="Hello World!", found=gist_of(body))


@pytest.mark.check(
    id="program.reachable",
    step="program",
    points=3,
    title={
        "en": "The site answers Hello World! to another computer",
        "es": "El sitio responde Hello World! a otro ordenador",
    },
    hint={
        "en": "It answers on the machine itself. Who decides what comes in from outside: on which "
        "address does nginx listen, and is there a firewall?",
        "es": "En la propia máquina responde. ¿Quién decide qué entra desde fuera: en qué "
        "dirección escucha nginx, y hay un cortafuegos?",
    },
    full_hint={
        "en": "In the server block: `listen 80;`, without an address; and let port 80 through the "
        "firewall: `sudo ufw allow 80/tcp`",
        "es": "En el bloque server: `listen 80;`, sin dirección; y deja pasar el puerto 80 por el "
        "cortafuegos: `sudo ufw allow 80/tcp`",
    },
    after=["program.answers"],
)
def test_site_answers_another_computer(student, from_lab_host, expect, wait_until):
    def good_answer():
        answer = from_lab_host.get("/")
        return answer if answer.status == 200 else None

    # A host on which a whole class is checked at once may need longer than one answer's time.
    answer = wait_until(good_answer, timeout_s=10) or from_lab_host.get("/")
    expect(
        answer.status == 200,
        expected={
            "en": f"GET http://{student.vhost}/ from another computer to be answered with 200",
            "es": f"que GET http://{student.vhost}/ desde otro ordenador recibiera un 200",
        },
        found=answer.status or answer.body,
    )
    expect(
        answer.body.strip() == "Hello World!", expected="Hello World!", found=gist_of(answer.body)
    )
