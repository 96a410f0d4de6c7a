"""Checks of the step `app`: the Flask application and its virtual environment."""

import re

import pytest

# Where `pipenv --venv` looks as well, and takes half a second to: in the project, then in the home.
# The `%` are testinfra's.
FIND_VENV = """venv=$PWD/.venv
if [ ! -d "$venv" ]; then
    venv=$(grep -lsxF "$PWD" ~/.local/share/virtualenvs/*/.project | head -n 1)
    venv=${venv%%/.project}
fi"""

# The exit code of `timeout`.
TIMED_OUT = 124
ASK = """
try:
    import main
    response = main.app.test_client().get("/")
except BaseException as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
print("answer:", response.status_code, *response.data.decode().split())
"""


def line_after(word, said):
    """What stands after a word at the beginning of a line; nothing where there is no such line."""
    found = re.search(rf"^{word}(.*)$", said, re.MULTILINE)
    return found[1].strip() if found else ""


@pytest.mark.check(
    id="app.files",
    step="app",
    points=1,
    title={
        "en": "The application's files are there",
        "es": "Los ficheros de la aplicación están en su sitio",
    },
    hint={
        "en": "The application is a folder of its own below the home. Two of its files you write, "
        "and pipenv writes two more when it installs something there. Which does `ls` show?",
        "es": "La aplicación es una carpeta propia dentro de la personal. Dos de sus ficheros los "
        "escribes tú, y pipenv escribe otros dos al instalar algo allí. ¿Cuáles muestra `ls`?",
    },
    full_hint={
        "en": "`mkdir -p ~/webapps/hellopython`; in there `pipenv install flask` writes Pipfile "
        "and Pipfile.lock, and you write main.py and run.sh",
        "es": "`mkdir -p ~/webapps/hellopython`; allí `pipenv install flask` escribe Pipfile y "
        "Pipfile.lock, y tú escribes main.py y run.sh",
    },
    after=["account.login"],
)
def test_files_are_there(host, student, expect):
    app = f"{student.home}/webapps/hellopython"
    names = ["Pipfile", "Pipfile.lock", "main.py", "run.sh"]
    found = host.run(f"cd %s && ls -d {' '.join(names)} 2>/dev/null", app).stdout.split()
    expect(
        sorted(found) == names,
        expected={
            "en": f"{', '.join(names)} in {app}",
            "es": f"{', '.join(names)} en {app}",
        },
        found=", ".join(found),
    )


@pytest.mark.check(
    id="app.executable",
    step="app",
    points=1,
    title={
        "en": "The student can execute run.sh",
        "es": "El estudiante puede ejecutar run.sh",
    },
    hint={
        "en": "A script can be started as a program only if its mode says so, for whoever starts "
        "it. What does `ls -l run.sh` show?",
        "es": "Un script solo se puede arrancar como programa si sus permisos lo dicen, para quien "
        "lo arranca. ¿Qué muestra `ls -l run.sh`?",
    },
    full_hint={
        "en": "`chmod +x ~/webapps/hellopython/run.sh`",
        "es": "`chmod +x ~/webapps/hellopython/run.sh`",
    },
    after=["app.files"],
)
def test_run_sh_is_executable(as_student, student, expect):
    script = f"{student.home}/webapps/hellopython/run.sh"
    answer = as_student.run("stat --format '%%A %%U' %s; test -x %s", script, script)
    expect(
        answer.succeeded,
        expected={
            "en": f"{script} to be executable for {student.login}",
            "es": f"que {student.login} pudiera ejecutar {script}",
        },
        found=answer.stdout,
    )


@pytest.mark.check(
    id="app.venv",
    step="app",
    points=2,
    title={
        "en": "The virtual environment has Flask, on that Python",
        "es": "El entorno virtual tiene Flask, sobre ese Python",
    },
    hint={
        "en": "pipenv keeps each project's packages in an environment of their own. "
        "`pipenv --venv`, in the application's folder, says where; `pipenv graph` what is in it.",
        "es": "pipenv guarda los paquetes de cada proyecto en un entorno propio. `pipenv --venv`, "
        "en la carpeta de la aplicación, dice dónde; `pipenv graph`, qué hay en él.",
    },
    full_hint={
        "en": "In ~/webapps/hellopython: `pipenv --python 3.X install flask`; with a Pipfile.lock "
        "that is there: `pipenv sync`",
        "es": "En ~/webapps/hellopython: `pipenv --python 3.X install flask`; si ya hay "
        "Pipfile.lock: `pipenv sync`",
    },
    after=["python.version", "app.files"],
)
def test_venv_has_flask(as_student, student, expect):
    python = student.vars["python"]
    answer = as_student.run(
        f"cd %s && {FIND_VENV}\n"
        'test -n "$venv" && "$venv/bin/python" -c \'import sys, flask;'
        ' print("Python %%d.%%d" %% sys.version_info[:2], flask.__file__)\'',
        f"{student.home}/webapps/hellopython",
    )
    # A login may say more, at its beginning and at its end.
    said = line_after("Python ", answer.stdout)
    expect(
        said.startswith(f"{python} {student.home}/"),
        expected={
            "en": f"Flask in a virtual environment of Python {python} below {student.home}",
            "es": f"Flask en un entorno virtual de Python {python} dentro de {student.home}",
        },
        found=f"Python {said}" if said else answer.stderr.strip().rpartition("\n")[2],
    )


@pytest.mark.check(
    id="app.lock",
    step="app",
    points=1,
    title={
        "en": "Pipfile.lock belongs to the Pipfile",
        "es": "Pipfile.lock corresponde al Pipfile",
    },
    hint={
        "en": "The Pipfile says what you want, and Pipfile.lock which versions that came to, with "
        "a hash of the Pipfile. Which of the two was changed without the other?",
        "es": "El Pipfile dice lo que quieres, y Pipfile.lock en qué versiones quedó, con un "
        "hash del Pipfile. ¿Cuál de los dos ha cambiado sin el otro?",
    },
    full_hint={
        "en": "In ~/webapps/hellopython: `pipenv lock`, then `pipenv verify`",
        "es": "En ~/webapps/hellopython: `pipenv lock`, y después `pipenv verify`",
    },
    after=["app.files", "pipenv.version"],
)
def test_lock_is_up_to_date(as_student, student, expect):
    answer = as_student.run(
        "cd %s && LANG=C.UTF-8 pipenv verify", f"{student.home}/webapps/hellopython"
    )
    expect(
        answer.succeeded,
        expected={
            "en": "`pipenv verify` to find Pipfile.lock up to date",
            "es": "que para `pipenv verify` Pipfile.lock estuviera al día",
        },
        found=answer.stderr.strip() or answer.stdout,
    )


@pytest.mark.check(
    id="app.hello",
    step="app",
    points=2,
    title={
        "en": "main.py answers Hello World!",
        "es": "main.py responde Hello World!",
    },
    hint={
        "en": "Here main.py is asked without uWSGI and nginx: the mistake is in that file. Does "
        "`pipenv run python main.py` complain? Which function answers to `/`, and what does it "
        "return, letter by letter?",
        "es": "Aquí se pregunta a main.py sin uWSGI ni nginx: el error está en ese fichero. ¿Se "
        "queja `pipenv run python main.py`? ¿Qué función responde a `/`, y qué devuelve, letra "
        "por letra?",
    },
    full_hint={
        "en": 'main.py: `from flask import Flask`, `app = Flask(__name__)`, `@app.route("/")`, '
        '`def hello():` and in it `return "Hello World!"`',
        "es": 'main.py: `from flask import Flask`, `app = Flask(__name__)`, `@app.route("/")`, '
        '`def hello():` y dentro `return "Hello World!"`',
    },
    after=["app.venv"],
)
def test_main_answers_hello_world(as_student, student, expect, patience):
    limit = f"{20 * patience:g}"
    answer = as_student.run(
        f'cd %s && {FIND_VENV}\ntimeout %s "$venv/bin/python" -B -c %s',
        f"{student.home}/webapps/hellopython",
        limit,
        ASK,
    )
    said = line_after("answer: ", answer.stdout)
    trouble = answer.stderr.strip().rpartition("\n")[2]
    # Flask's page about an error says less than the exception behind it.
    found = f"{said[:3]} {trouble}" if trouble and not said.startswith("200") else said
    if answer.rc == TIMED_OUT:
        found = f"no answer within {limit} s"
    expect(
        said == "200 Hello World!",
        expected={
            "en": "main.app to answer `/` with 200 Hello World!",
            "es": "que main.app respondiera a `/` con 200 Hello World!",
        },
        found=found,
    )
