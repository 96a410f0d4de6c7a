"""Checks of the step `program` that stop, start, kill and reboot: they come last.

Each leaves the program running, however it ends.
"""

import contextlib
import re

import pytest

SETTINGS = "/etc/supervisor/conf.d/hellopython.conf"


def process(host, student):
    """The number of the program's process below supervisor, None when there is none.

    `supervisorctl status` would say so too; asked again and again it takes a whole processor.
    """
    children = host.run(
        'grep -ls "^PPid:[[:space:]]*$(cat /var/run/supervisord.pid)\\$" /proc/[0-9]*/status | '
        'xargs --no-run-if-empty grep -ls "^Uid:[[:space:]]*$(id -u %s)[[:space:]]"',
        student.login,
    )
    found = re.search(r"/proc/(\d+)/status", children.stdout)
    return found[1] if found else None


def status(host):
    """The line of `supervisorctl status` about the program, or what was said instead of it."""
    answer = host.run("supervisorctl status hellopython")
    return answer.stdout.strip() or answer.stderr.strip()


def port_is_open(host):
    """Tells whether something accepts connections on uWSGI's port."""
    return host.run("bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'").succeeded


def expect_said(said, word, expect):
    """supervisorctl has said that it did what it was asked for."""
    expect(f"hellopython: {word}" in said, expected=f"`hellopython: {word}`", found=said)


def expect_open_port(host, expect, wait_until):
    """uWSGI listens, now or in a moment."""
    expect(
        wait_until(lambda: port_is_open(host), timeout_s=10),
        expected={
            "en": "uWSGI to listen on port 8080 after that",
            "es": "que después uWSGI escuchara en el puerto 8080",
        },
    )


@contextlib.contextmanager
def left_running(host):
    """Start the program again after a check that stops it, however that check ends."""
    try:
        yield
    finally:
        if not port_is_open(host):
            host.run("supervisorctl start hellopython")


@pytest.mark.check(
    id="program.stop",
    step="program",
    points=1,
    title={
        "en": "The student can stop the program, and it stops at once",
        "es": "El estudiante puede detener el programa, y se detiene al momento",
    },
    hint={
        "en": "After 10 s supervisor kills what did not stop. It signals the process that it "
        "started: is that uWSGI, or the bash that waits for it?",
        "es": "A los 10 s supervisor mata lo que no se detuvo. Manda la señal al proceso que "
        "arrancó: ¿es uWSGI, o el bash que lo espera?",
    },
    full_hint={
        "en": "The last line of run.sh: `exec uwsgi --socket 127.0.0.1:8080 ...`, so that uWSGI "
        "takes bash's place; then `supervisorctl restart hellopython`",
        "es": "La última línea de run.sh: `exec uwsgi --socket 127.0.0.1:8080 ...`, para que uWSGI "
        "ocupe el lugar de bash; después `supervisorctl restart hellopython`",
    },
    after=["program.status", "program.running", "program.stopsignal"],
)
def test_student_can_stop_it(host, as_student, expect):
    # Timed on the machine, so that a slow connection costs nobody a point.
    stop = "start=$(date +%s%N); supervisorctl stop hellopython; echo took $start $(date +%s%N)"
    with left_running(host):
        said = as_student.run(stop).stdout
        # A login may say more, at its beginning and at its end.
        times = re.search(r"^took (\d+) (\d+)$", said, re.MULTILINE)
        expect_said(said[: times.start()] if times else said, "stopped", expect)
        expect(
            times,
            expected={
                "en": "a login of the student's to run a command to its end",
                "es": "que una sesión del estudiante ejecutara una orden hasta el final",
            },
            found=said,
        )
        start, end = (int(time) for time in times.groups())
        expect(
            end - start < 5e9,
            expected={
                "en": "the program to stop within 5 s",
                "es": "que el programa se detuviera en menos de 5 s",
            },
            found=f"{(end - start) / 1e9:.1f} s",
        )
        expect(
            not port_is_open(host),
            expected={
                "en": "nothing left on port 8080 after the stop",
                "es": "que no quedara nada en el puerto 8080 tras detenerlo",
            },
            found="127.0.0.1:8080",
        )


@pytest.mark.check(
    id="program.start",
    step="program",
    points=1,
    title={
        "en": "The student can start the program again",
        "es": "El estudiante puede volver a arrancar el programa",
    },
    hint={
        "en": "What does hellopython.err.log say of the last start? A port belongs to one process "
        "at a time: is an old uWSGI left over?",
        "es": "¿Qué dice hellopython.err.log del último arranque? Un puerto es de un solo proceso "
        "a la vez: ¿quedó un uWSGI antiguo?",
    },
    full_hint={
        "en": "`pkill -INT uwsgi` ends one that was left over; then "
        "`supervisorctl start hellopython`",
        "es": "`pkill -INT uwsgi` acaba con el que haya quedado; después "
        "`supervisorctl start hellopython`",
    },
    after=["program.stop"],
)
def test_student_can_start_it(host, as_student, expect, wait_until):
    with left_running(host):
        host.run("supervisorctl stop hellopython")
        said = as_student.run("supervisorctl start hellopython").stdout.strip()
        expect_said(said, "started", expect)
        expect_open_port(host, expect, wait_until)


@pytest.mark.check(
    id="program.restart",
    step="program",
    points=1,
    title={
        "en": "The student can restart the program",
        "es": "El estudiante puede reiniciar el programa",
    },
    hint={
        "en": "A restart is a stop and a start. Which of the two goes wrong, and what does "
        "hellopython.err.log say of it?",
        "es": "Reiniciar es detener y arrancar. ¿Cuál de las dos cosas falla, y qué dice de ello "
        "hellopython.err.log?",
    },
    full_hint={
        "en": "As the student: `supervisorctl stop hellopython`, then "
        "`supervisorctl start hellopython`, and mend what the one that fails complains of",
        "es": "Como el estudiante: `supervisorctl stop hellopython`, después "
        "`supervisorctl start hellopython`, y arregla lo que diga la que falle",
    },
    after=["program.stop"],
)
def test_student_can_restart_it(host, as_student, student, expect, wait_until):
    with left_running(host):
        before = process(host, student)
        said = as_student.run("supervisorctl restart hellopython").stdout.strip()
        expect_said(said, "started", expect)
        now = process(host, student)
        expect(
            now != before,
            expected={
                "en": f"another process than {before} after the restart",
                "es": f"otro proceso que no fuera {before} tras reiniciar",
            },
            found=now,
        )
        expect_open_port(host, expect, wait_until)


@pytest.mark.check(
    id="program.crash",
    step="program",
    points=2,
    title={
        "en": "The application comes back when it is killed",
        "es": "La aplicación vuelve cuando la matan",
    },
    hint={
        "en": "supervisor starts a program again when it ends, if its settings say so. It knows "
        "them as they were when it last read them: has it, since they changed?",
        "es": "supervisor vuelve a arrancar un programa que acaba, si su configuración lo dice. La "
        "conoce como era cuando la leyó: ¿la ha leído desde que cambió?",
    },
    full_hint={
        "en": f"In {SETTINGS}: `autorestart = true`; then `sudo supervisorctl update`",
        "es": f"En {SETTINGS}: `autorestart = true`; después `sudo supervisorctl update`",
    },
    after=["program.running"],
)
def test_it_comes_back_when_killed(host, student, expect, wait_until):
    line = host.run("grep '^autorestart' %s", SETTINGS).stdout
    expect(
        line.partition("=")[2].partition(";")[0].strip().lower() == "true",
        expected="autorestart = true",
        found=line,
    )
    with left_running(host):
        killed = process(host, student)
        # The process group: were it bash alone, uWSGI below it would live on and keep the port.
        host.run("kill -9 %s", f"-{killed}")
        back = wait_until(lambda: process(host, student) not in (killed, None), timeout_s=15)
        expect(
            back,
            expected={
                "en": "the program to be back 15 s after kill -9",
                "es": "que el programa hubiera vuelto 15 s después de kill -9",
            },
            found="" if back else status(host),
        )
        expect_open_port(host, expect, wait_until)


@pytest.mark.check(
    id="program.reboot",
    step="program",
    points=3,
    title={
        "en": "The site comes back after a reboot",
        "es": "El sitio vuelve tras reiniciar la máquina",
    },
    hint={
        "en": "Nobody is there to start anything when a machine boots. Whom does systemd start, "
        "and what do they start? `systemctl is-enabled` asks about a service.",
        "es": "Cuando la máquina arranca no hay nadie que ponga nada en marcha. ¿A quién arranca "
        "systemd, y qué arrancan ellos? `systemctl is-enabled` pregunta por un servicio.",
    },
    full_hint={
        "en": f"`sudo systemctl enable nginx supervisor`; and in {SETTINGS}: `autostart = true`",
        "es": f"`sudo systemctl enable nginx supervisor`; y en {SETTINGS}: `autostart = true`",
    },
    # Without the group that its settings name, supervisor does not start again.
    after=["program.reachable", "program.autostart", "supervisor.group"],
)
def test_site_comes_back_after_a_reboot(host, student, from_lab_host, expect, reboot, wait_until):
    # Asked before: a reboot that they do not survive would leave the machine worse than it was.
    states = {
        service: host.run("systemctl is-enabled %s", service) for service in ("nginx", "supervisor")
    }
    expect(
        all(answer.succeeded for answer in states.values()),
        expected={
            "en": "nginx and supervisor to start with the machine (enabled)",
            "es": "que nginx y supervisor arrancaran con la máquina (enabled)",
        },
        found=", ".join(f"{name}: {answer.stdout.strip()}" for name, answer in states.items()),
    )
    reboot()
    back = wait_until(lambda: from_lab_host.get("/").status == 200, timeout_s=60)
    answer = from_lab_host.get("/")
    active = host.run("systemctl is-active nginx supervisor").stdout.split()
    expect(
        back,
        expected={
            "en": f"http://{student.vhost}/ to answer with 200 within 60 s of the reboot",
            "es": f"que http://{student.vhost}/ respondiera con 200 a los 60 s de reiniciar",
        },
        found=f"{answer.status or answer.body} (nginx, supervisor: {', '.join(active)})",
    )
