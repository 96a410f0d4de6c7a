"""Checks of the step `python`: the interpreter, its headers and a compiler."""

import pytest


def said_by(answer):
    """A command's answer, or the last line of its complaint."""
    return answer.stdout.strip() or answer.stderr.rstrip().rpartition("\n")[2]


@pytest.mark.check(
    id="python.version",
    step="python",
    points=1,
    title={"en": "Python is installed", "es": "Python está instalado"},
    hint={
        "en": "The exercise asks for one version of Python, beside whichever the machine has. "
        "Which ones does `ls /usr/bin/python3*` show?",
        "es": "El ejercicio pide una versión concreta de Python, además de la que traiga la "
        "máquina. ¿Cuáles muestra `ls /usr/bin/python3*`?",
    },
    full_hint={
        "en": "`sudo apt install python3.X`, with the version that the exercise asks for",
        "es": "`sudo apt install python3.X`, con la versión que pide el ejercicio",
    },
)
def test_python_is_installed(host, student, expect):
    version = student.vars["python"]
    answer = host.run("python%s --version", version)
    expect(
        answer.stdout.startswith(f"Python {version}."),
        expected={
            "en": f"`python{version} --version` to say Python {version}",
            "es": f"que `python{version} --version` dijera Python {version}",
        },
        found=said_by(answer),
    )


@pytest.mark.check(
    id="python.headers",
    step="python",
    points=1,
    title={
        "en": "Python's development headers are installed",
        "es": "Las cabeceras de desarrollo de Python están instaladas",
    },
    hint={
        "en": "A package written in C, such as uWSGI, is compiled with the file Python.h, which "
        "Python's own package does not bring. What are the packages with such files called?",
        "es": "Un paquete escrito en C, como uWSGI, se compila con el fichero Python.h, que el "
        "paquete de Python no trae. ¿Cómo se llaman los paquetes con ese tipo de ficheros?",
    },
    full_hint={
        "en": "`sudo apt install python3.X-dev`, with the version of your Python",
        "es": "`sudo apt install python3.X-dev`, con la versión de tu Python",
    },
    after=["python.version"],
)
def test_python_headers_are_installed(host, student, expect):
    version = student.vars["python"]
    folder = host.run(
        "python%s -c 'import sysconfig; print(sysconfig.get_path(\"include\"))'",
        version,
    ).stdout.strip()
    expect(
        host.run("test -f %s", f"{folder}/Python.h").succeeded,
        expected={"en": f"the file {folder}/Python.h", "es": f"el fichero {folder}/Python.h"},
    )


@pytest.mark.check(
    id="python.compiler",
    step="python",
    points=1,
    title={"en": "gcc compiles a C program", "es": "gcc compila un programa en C"},
    hint={
        "en": "pip compiles uWSGI on your machine. What compiles C, and with which files of the "
        "C library?",
        "es": "pip compila uWSGI en tu máquina. ¿Qué programa compila C, y con qué ficheros de la "
        "biblioteca de C?",
    },
    full_hint={
        "en": "`sudo apt install gcc libc6-dev`",
        "es": "`sudo apt install gcc libc6-dev`",
    },
)
def test_gcc_compiles(host, expect):
    answer = host.run(
        "printf '#include <stdio.h>\\nint main(void) { return 0; }' | gcc -x c -o /dev/null -"
    )
    expect(
        answer.succeeded,
        expected={
            "en": "gcc to compile a small C program",
            "es": "que gcc compilara un pequeño programa en C",
        },
        found=said_by(answer),
    )
