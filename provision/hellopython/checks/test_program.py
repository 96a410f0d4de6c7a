"""Checks of the step `program`: what supervisor is told about the application.

Whether it runs is in test_program_runs.py, which comes after this.
"""

import configparser

import pytest

SETTINGS = "/etc/supervisor/conf.d/hellopython.conf"
PROGRAM = "program:hellopython"


def read_settings(text, expect):
    """The settings of supervisor's programs; the check fails when they cannot be read."""
    settings = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    problem = ""
    try:
        settings.read_string(text, source=SETTINGS)
    except configparser.Error as error:
        problem = str(error)
    expect(
        not problem,
        expected={
            "en": "settings that supervisor can read",
            "es": "una configuración que supervisor pudiera leer",
        },
        found=problem,
    )
    return settings


def program_settings(host, expect):
    """The section [program:hellopython] as a mapping, empty when there is none."""
    settings = read_settings(host.run("cat %s", SETTINGS).stdout, expect)
    return dict(settings[PROGRAM]) if settings.has_section(PROGRAM) else {}


def expect_settings(found, expected, expect):
    """The program's settings are as expected; case does not matter to supervisor in these."""
    expect(
        {key: found.get(key, "").lower() for key in expected}
        == {key: value.lower() for key, value in expected.items()},
        expected=", ".join(f"{key} = {value}" for key, value in expected.items()),
        found=", ".join(f"{key} = {found[key]}" for key in expected if key in found),
    )


@pytest.mark.check(
    id="program.settings",
    step="program",
    points=1,
    title={
        "en": "supervisor knows the program, and runs it as the student",
        "es": "supervisor conoce el programa y lo ejecuta como el estudiante",
    },
    hint={
        "en": "supervisor reads each file of its folder conf.d; a program is a section of its own, "
        "with what to start and as whom. What does yours say, and is it spelt right?",
        "es": "supervisor lee cada fichero de su carpeta conf.d; un programa es una sección, con "
        "qué arrancar y como quién. ¿Qué pone en la tuya, y está bien escrita?",
    },
    full_hint={
        "en": f"In {SETTINGS}: `[{PROGRAM}]`, `user = LOGIN`, "
        "`command = /home/LOGIN/webapps/hellopython/run.sh`; then `sudo supervisorctl update`",
        "es": f"En {SETTINGS}: `[{PROGRAM}]`, `user = LOGIN`, "
        "`command = /home/LOGIN/webapps/hellopython/run.sh`; después `sudo supervisorctl update`",
    },
    after=["supervisor.running"],
)
def test_settings_name_user_and_command(host, student, expect):
    settings = program_settings(host, expect)
    expect(
        settings,
        expected={
            "en": f"a section [{PROGRAM}] in {SETTINGS}",
            "es": f"una sección [{PROGRAM}] en {SETTINGS}",
        },
    )
    expected = {"user": student.login, "command": f"{student.home}/webapps/hellopython/run.sh"}
    found = {key: settings[key] for key in expected if key in settings}
    expect(
        found == expected,
        expected=", ".join(f"{key} = {value}" for key, value in expected.items()),
        found=", ".join(f"{key} = {value}" for key, value in found.items()),
    )


@pytest.mark.check(
    id="program.autostart",
    step="program",
    points=1,
    title={
        "en": "The program is to start with the machine",
        "es": "El programa debe arrancar con la máquina",
    },
    hint={
        "en": "supervisor starts with the machine. Which of the program's settings says whether it "
        "then starts the program, too?",
        "es": "supervisor arranca con la máquina. ¿Qué ajuste del programa dice si entonces "
        "arranca también el programa?",
    },
    full_hint={
        "en": f"In {SETTINGS}: `autostart = true`; then `sudo supervisorctl update`",
        "es": f"En {SETTINGS}: `autostart = true`; después `sudo supervisorctl update`",
    },
    after=["program.settings"],
)
def test_settings_start_it_with_the_machine(host, expect):
    settings = program_settings(host, expect)
    expect_settings(settings, {"autostart": "true"}, expect)


@pytest.mark.check(
    id="program.stopsignal",
    step="program",
    points=1,
    title={
        "en": "The program is stopped with INT, and nothing of it is left",
        "es": "El programa se detiene con INT, y no queda nada de él",
    },
    hint={
        "en": "supervisor stops a program with a signal, TERM unless it is told another, and uWSGI "
        "takes TERM for a reload. uWSGI has processes of its own: who ends those?",
        "es": "supervisor detiene un programa con una señal, TERM si no le dicen otra, y para "
        "uWSGI TERM es recargar. uWSGI tiene sus propios procesos: ¿quién acaba con ellos?",
    },
    full_hint={
        "en": f"In {SETTINGS}: `stopsignal = INT` and `killasgroup = true`; then "
        "`sudo supervisorctl update`",
        "es": f"En {SETTINGS}: `stopsignal = INT` y `killasgroup = true`; después "
        "`sudo supervisorctl update`",
    },
    after=["program.settings"],
)
def test_settings_stop_it_well(host, expect):
    settings = program_settings(host, expect)
    expect_settings(settings, {"stopsignal": "INT", "killasgroup": "true"}, expect)


@pytest.mark.check(
    id="program.commands",
    step="program",
    points=1,
    hidden=True,
    title={
        "en": "The student can change no other program of supervisor",
        "es": "El estudiante no puede cambiar ningún otro programa de supervisor",
    },
    hint={
        "en": "Whoever can write what supervisor runs as somebody else is that somebody. Who may "
        "write the program's file?",
        "es": "Quien puede escribir lo que supervisor ejecuta como otro usuario es, en la "
        "práctica, ese usuario. ¿Quién puede escribir el fichero del programa?",
    },
    full_hint={
        "en": "`sudo chown root:root FILE`, `sudo chmod go-w FILE`; or let the program run as the "
        "student: `user = LOGIN`",
        "es": "`sudo chown root:root FICHERO`, `sudo chmod go-w FICHERO`; o que el programa se "
        "ejecute como el estudiante: `user = LOGIN`",
    },
    after=["account.login", "program.settings"],
)
def test_other_programs_are_out_of_reach(host, as_student, student, expect):
    settings = read_settings(host.run("cat /etc/supervisor/conf.d/*.conf").stdout, expect)
    writable = []
    for name in settings.sections():
        program = settings[name]
        if not program.get("command") or program.get("user", "root") == student.login:
            continue
        command = program["command"].split()[0]
        if as_student.run("test -w %s", command).succeeded:
            writable.append(f"[{name}] {command}")
    expect(
        not writable,
        expected={
            "en": "no program of another user's that the student can write",
            "es": "que el estudiante no pudiera escribir ningún programa de otro usuario",
        },
        found=", ".join(writable),
    )
