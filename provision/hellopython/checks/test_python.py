"""Checks of the step `python`: the interpreter, its headers and a compiler."""

import pytest


@pytest.mark.check(
    id="python.version",
    step="python",
    points=1,
    title={"en": "Python is installed", "es": "Python está instalado"},
    hint={
        "en": "Install the version that the exercise asks for: sudo apt install python3.X",
        "es": "Instala la versión de Python que pide el ejercicio: sudo apt install python3.X",
    },
)
def test_python_is_installed(host, student):
    version = student.vars["python"]
    answer = host.run("python%s --version", version)
    assert answer.stdout.startswith(f"Python {version}."), (
        f"`python{version} --version` should say Python {version}, but said: "
        f"{answer.stdout.strip() or answer.stderr.strip()}"
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
        "en": "Install them: sudo apt install python3.X-dev",
        "es": "Instálalas: sudo apt install python3.X-dev",
    },
    after=["python.version"],
)
def test_python_headers_are_installed(host, student):
    version = student.vars["python"]
    folder = host.run(
        "python%s -c 'import sysconfig; print(sysconfig.get_path(\"include\"))'",
        version,
    ).stdout.strip()
    assert host.run("test -f %s", f"{folder}/Python.h").succeeded, (
        f"expected the file {folder}/Python.h, which Python packages in C are compiled with"
    )


@pytest.mark.check(
    id="python.compiler",
    step="python",
    points=1,
    title={"en": "gcc compiles a C program", "es": "gcc compila un programa en C"},
    hint={
        "en": "Install the compiler: sudo apt install gcc",
        "es": "Instala el compilador: sudo apt install gcc",
    },
)
def test_gcc_compiles(host):
    answer = host.run(
        "printf '#include <stdio.h>\\nint main(void) { return 0; }' | gcc -x c -o /dev/null -"
    )
    assert answer.succeeded, f"gcc could not compile a small C program: {answer.stderr.strip()}"
