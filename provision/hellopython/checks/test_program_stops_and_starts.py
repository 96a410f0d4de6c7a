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
        "en": "After 10 s supervisor kills what did not stop: run.sh must end with `exec uwsgi "
        "...`, so that the signal reaches uWSGI and not bash",
        "es": "A los 10 s supervisor mata lo que no se detuvo: run.sh debe acabar en `exec uwsgi "
        "...`, para que la señal llegue a uWSGI y no a bash",
    },
    after=["program.status", "program.running", "program.loopback"],
)
def test_student_can_stop_it(host, as_student):
    # Timed on the machine, so that a slow connection costs nobody a point.
    stop = "start=$(date +%s%N); supervisorctl stop hellopython; echo $start $(date +%s%N)"
    with left_running(host):
        said, _, times = as_student.run(stop).stdout.strip().rpartition("\n")
        assert "hellopython: stopped" in said, f"`supervisorctl stop hellopython` said: {said}"
        start, end = (int(time) for time in times.split())
        assert end - start < 5e9, (
            f"it took {(end - start) / 1e9:.1f} s to stop, and should take one"
        )
        assert not port_is_open(host), "supervisor says `stopped`, but uWSGI still has port 8080"


@pytest.mark.check(
    id="program.start",
    step="program",
    points=1,
    title={
        "en": "The student can start the program again",
        "es": "El estudiante puede volver a arrancar el programa",
    },
    hint={
        "en": "`Address already in use` in hellopython.err.log: an old uWSGI was left over",
        "es": "`Address already in use` en hellopython.err.log: quedó un uWSGI antiguo",
    },
    after=["program.stop"],
)
def test_student_can_start_it(host, as_student, wait_until):
    with left_running(host):
        host.run("supervisorctl stop hellopython")
        said = as_student.run("supervisorctl start hellopython").stdout.strip()
        assert "hellopython: started" in said, f"`supervisorctl start hellopython` said: {said}"
        assert wait_until(lambda: port_is_open(host), timeout_s=10), (
            "supervisor says `started`, but nothing listens on port 8080"
        )


@pytest.mark.check(
    id="program.restart",
    step="program",
    points=1,
    title={
        "en": "The student can restart the program",
        "es": "El estudiante puede reiniciar el programa",
    },
    hint={
        "en": "supervisorctl restart hellopython, as the student",
        "es": "supervisorctl restart hellopython, como el estudiante",
    },
    after=["program.stop"],
)
def test_student_can_restart_it(host, as_student, student, wait_until):
    with left_running(host):
        before = process(host, student)
        said = as_student.run("supervisorctl restart hellopython").stdout.strip()
        assert "hellopython: started" in said, f"`supervisorctl restart hellopython` said: {said}"
        assert process(host, student) != before, (
            f"it is still the process {before}: nothing was restarted"
        )
        assert wait_until(lambda: port_is_open(host), timeout_s=10), (
            "supervisor says `started`, but nothing listens on port 8080"
        )


@pytest.mark.check(
    id="program.crash",
    step="program",
    points=2,
    title={
        "en": "The application comes back when it is killed",
        "es": "La aplicación vuelve cuando la matan",
    },
    hint={
        "en": f"In {SETTINGS}: autorestart = true",
        "es": f"En {SETTINGS}: autorestart = true",
    },
    after=["program.autostart", "program.running", "program.loopback"],
)
def test_it_comes_back_when_killed(host, student, wait_until):
    with left_running(host):
        killed = process(host, student)
        assert killed, f"hellopython should be RUNNING, but supervisor says: {status(host)}"
        # The process group: were it bash alone, uWSGI below it would live on and keep the port.
        host.run("kill -9 %s", f"-{killed}")
        assert wait_until(lambda: process(host, student) not in (killed, None), timeout_s=15), (
            f"15 s after kill -9 the application is not back; supervisor says: {status(host)}"
        )
        assert wait_until(lambda: port_is_open(host), timeout_s=10), (
            "the application is back, but nothing listens on port 8080"
        )


@pytest.mark.check(
    id="program.reboot",
    step="program",
    points=3,
    title={
        "en": "The site comes back after a reboot",
        "es": "El sitio vuelve tras reiniciar la máquina",
    },
    hint={
        "en": "nginx and supervisor must be enabled, and the program must have autostart = true",
        "es": "nginx y supervisor deben estar habilitados, y el programa tener autostart = true",
    },
    after=["program.reachable", "program.autostart", "program.crash"],
)
def test_site_comes_back_after_a_reboot(student, from_lab_host, reboot, wait_until):
    reboot()
    assert wait_until(lambda: from_lab_host.get("/").status == 200, timeout_s=60), (
        f"60 s after the reboot http://{student.vhost}/ does not answer with 200, but with "
        f"{from_lab_host.get('/').status or 'nothing'}"
    )
