"""Checks of the step `app`: the Flask application and its virtual environment."""

import pytest

ASK = """
import main
response = main.app.test_client().get("/")
print("answer:", response.status_code, response.data.decode().strip())
"""


@pytest.mark.check(
    id="app.files",
    step="app",
    points=1,
    title={
        "en": "The application's files are there",
        "es": "Los ficheros de la aplicación están en su sitio",
    },
    hint={
        "en": "In ~/webapps/hellopython: main.py, run.sh, and Pipfile and Pipfile.lock from "
        "`pipenv install flask`",
        "es": "En ~/webapps/hellopython: main.py, run.sh, y los Pipfile y Pipfile.lock de "
        "`pipenv install flask`",
    },
    after=["account.login"],
)
def test_files_are_there(host, student):
    app = f"{student.home}/webapps/hellopython"
    expected = ["Pipfile", "Pipfile.lock", "main.py", "run.sh"]
    found = host.run("cd %s && ls -d Pipfile Pipfile.lock main.py run.sh 2>/dev/null", app).stdout
    missing = [name for name in expected if name not in found.split()]
    assert not missing, f"{app} should have {', '.join(expected)}; not there: {', '.join(missing)}"


@pytest.mark.check(
    id="app.executable",
    step="app",
    points=1,
    title={
        "en": "The student can execute run.sh",
        "es": "El estudiante puede ejecutar run.sh",
    },
    hint={
        "en": "chmod +x ~/webapps/hellopython/run.sh",
        "es": "chmod +x ~/webapps/hellopython/run.sh",
    },
    after=["app.files"],
)
def test_run_sh_is_executable(as_student, student):
    script = f"{student.home}/webapps/hellopython/run.sh"
    found = as_student.run("test -x %s || stat --format '%%A %%U' %s", script, script).stdout
    assert not found.strip(), (
        f"{script} should be executable for the student, but is {found.strip()}"
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
        "en": "In ~/webapps/hellopython: pipenv install flask; it says which Python it takes",
        "es": "En ~/webapps/hellopython: pipenv install flask; dice qué Python usa",
    },
    after=["app.files", "pipenv.version"],
)
def test_venv_has_flask(as_student, student):
    python = student.vars["python"]
    # `pipenv --venv` looks into these same files, and takes half a second to.
    answer = as_student.run(
        'cd %s && project=$(grep -lsxF "$PWD" ~/.local/share/virtualenvs/*/.project | head -n 1) '
        '&& "${project%%/.project}/bin/python" -c \'import sys, flask;'
        ' print("Python %%d.%%d" %% sys.version_info[:2], flask.__file__)\'',
        f"{student.home}/webapps/hellopython",
    )
    said = answer.stdout.strip().rpartition("\n")[2]
    trouble = " ".join(answer.stderr.split())[-300:]
    assert answer.succeeded, f"Flask cannot be imported in the virtual environment: {trouble}"
    assert said.startswith(f"Python {python} {student.home}/"), (
        f"expected Flask in an environment of Python {python} in {student.home}, found: {said}"
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
        "en": "pipenv lock, then pipenv verify",
        "es": "pipenv lock, y después pipenv verify",
    },
    after=["app.files", "pipenv.version"],
)
def test_lock_is_up_to_date(as_student, student):
    answer = as_student.run(
        "cd %s && LANG=C.UTF-8 pipenv verify", f"{student.home}/webapps/hellopython"
    )
    assert answer.succeeded, (
        f"`pipenv verify` said: {(answer.stderr.strip() or answer.stdout.strip())[-300:]}"
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
        "en": "main.py has a Flask application `app` whose `/` returns `Hello World!`; try it with "
        "pipenv run flask --app main run",
        "es": "main.py tiene una aplicación Flask `app` cuya `/` devuelve `Hello World!`; pruébala "
        "con pipenv run flask --app main run",
    },
    after=["app.venv"],
)
def test_main_answers_hello_world(as_student, student):
    answer = as_student.run(
        'cd %s && project=$(grep -lsxF "$PWD" ~/.local/share/virtualenvs/*/.project | head -n 1) '
        '&& timeout 20 "${project%%/.project}/bin/python" -B -c %s',
        f"{student.home}/webapps/hellopython",
        ASK,
    )
    said = " ".join(answer.stdout.rpartition("answer: ")[2].split())
    trouble = answer.stderr.strip().rpartition("\n")[2]
    assert said == "200 Hello World!", (
        "`/` of main.app should be answered with `200 Hello World!`, but was with: "
        f"{said[:60] or 'nothing'} {trouble[-300:]}"
    )
