"""Checks of the step `account`: the student on the machine, and what they cannot do there."""

import pytest


@pytest.mark.check(
    id="account.login",
    step="account",
    points=1,
    title={
        "en": "The student has an account with a home",
        "es": "El estudiante tiene una cuenta con su carpeta personal",
    },
    hint={
        "en": "sudo useradd --create-home --shell /bin/bash LOGIN",
        "es": "sudo useradd --create-home --shell /bin/bash LOGIN",
    },
)
def test_account_exists(host, student):
    entry = host.run("getent passwd %s", student.login).stdout.strip().split(":")
    assert len(entry) == 7, f"there is no account `{student.login}`"
    assert entry[5:] == [student.home, "/bin/bash"], (
        f"expected the home {student.home} and the shell /bin/bash, found {entry[5]} and {entry[6]}"
    )
    owner = host.run("stat --format %%U %s", student.home).stdout.strip()
    assert owner == student.login, (
        f"{student.home} should belong to {student.login}, not to: {owner}"
    )


@pytest.mark.check(
    id="account.home",
    step="account",
    points=1,
    title={
        "en": "nginx can pass through the home",
        "es": "nginx puede atravesar la carpeta personal",
    },
    hint={
        "en": "nginx serves /static as another user, who needs `x` on every folder on the way: "
        "chmod o+x ~",
        "es": "nginx sirve /static con otro usuario, que necesita `x` en todas las carpetas del "
        "camino: chmod o+x ~",
    },
    after=["account.login"],
)
def test_home_can_be_passed_through(host, student):
    mode = host.run("stat --format %%A %s", student.home).stdout.strip()
    assert mode[-1:] in ("x", "t"), (
        f"{student.home} is {mode}: others cannot pass (no `x` at the end)"
    )


@pytest.mark.check(
    id="account.group",
    step="account",
    points=2,
    title={
        "en": "The student is a member of the group supervisor",
        "es": "El estudiante pertenece al grupo supervisor",
    },
    hint={
        "en": "sudo usermod -a -G supervisor LOGIN, then log out and in again",
        "es": "sudo usermod -a -G supervisor LOGIN, y después salir y volver a entrar",
    },
    after=["account.login", "supervisor.group"],
)
def test_student_is_in_the_group(as_student):
    groups = as_student.run("id -nG").stdout.split()
    assert "supervisor" in groups, (
        f"a new login should be in the group supervisor, but is in: {', '.join(groups) or 'none'}"
    )


@pytest.mark.check(
    id="account.alias",
    step="account",
    points=1,
    title={
        "en": "`python` is that Python in the student's shell",
        "es": "`python` es ese Python en el intérprete de órdenes del estudiante",
    },
    hint={
        "en": "echo 'alias python=python3.X' >> ~/.bashrc",
        "es": "echo 'alias python=python3.X' >> ~/.bashrc",
    },
    after=["account.login", "python.version"],
)
def test_python_is_an_alias(as_student, student):
    version = student.vars["python"]
    answer = as_student.run("bash -lic 'python --version' </dev/null")
    assert f"Python {version}." in answer.stdout, (
        f"`python --version` in a terminal should say Python {version}, but said: "
        f"{answer.stdout.strip() or answer.stderr.strip()}"
    )


@pytest.mark.check(
    id="account.path",
    step="account",
    points=1,
    title={
        "en": "~/.local/bin is on the student's PATH",
        "es": "~/.local/bin está en el PATH del estudiante",
    },
    hint={
        "en": "At the end of ~/.bashrc: export PATH=$PATH:~/.local/bin",
        "es": "Al final de ~/.bashrc: export PATH=$PATH:~/.local/bin",
    },
    after=["account.login"],
)
def test_local_bin_is_on_the_path(as_student, student):
    answer = as_student.run("bash -lic 'echo \"PATH=$PATH\"' </dev/null")
    paths = answer.stdout.strip().rpartition("PATH=")[2].split(":")
    assert f"{student.home}/.local/bin" in paths, (
        f"expected {student.home}/.local/bin on the PATH of a terminal, found {':'.join(paths)}"
    )


@pytest.mark.check(
    id="account.no_sudo",
    step="account",
    points=1,
    title={"en": "The student has no sudo", "es": "El estudiante no tiene sudo"},
    hint={
        "en": "The exercise does without: take them out of the group sudo and of /etc/sudoers.d",
        "es": "El ejercicio prescinde de él: quítale del grupo sudo y de /etc/sudoers.d",
    },
    after=["account.login"],
)
def test_student_has_no_sudo(host, student):
    answer = host.run("LC_ALL=C sudo -n -l -U %s", student.login)
    if answer.exit_status == 127:
        return  # no sudo on the machine at all
    assert "is not allowed to run sudo" in answer.stdout, (
        f"{student.login} should not be allowed to use sudo, but: {answer.stdout.strip()}"
    )


@pytest.mark.check(
    id="account.confined",
    step="account",
    points=1,
    title={
        "en": "The student cannot write what root runs or reads",
        "es": "El estudiante no puede escribir lo que root ejecuta o lee",
    },
    hint={
        "en": "Give these files back to root: sudo chown root:root FILE; sudo chmod go-w FILE",
        "es": "Devuélvelos a root: sudo chown root:root FICHERO; sudo chmod go-w FICHERO",
    },
    after=["account.login"],
)
def test_student_cannot_write_what_root_uses(as_student):
    # supervisord.conf, conf.d/*, nginx's settings and sites, /usr/local/bin, /opt and its venv
    answer = as_student.run("find /etc /opt /usr/local ! -type l -writable -print 2>/dev/null")
    writable = answer.stdout.split()
    assert not writable, f"the student can write: {', '.join(writable[:10])}"
