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
        "en": "`getent passwd LOGIN` shows the account's home and shell. What is there, and whose "
        "is the home?",
        "es": "`getent passwd LOGIN` muestra la carpeta personal y el intérprete de la cuenta. "
        "¿Qué pone, y de quién es la carpeta?",
    },
    full_hint={
        "en": "`sudo useradd --create-home --shell /bin/bash LOGIN`; for an account that is there: "
        "`sudo usermod --shell /bin/bash LOGIN`, `sudo chown LOGIN: /home/LOGIN`",
        "es": "`sudo useradd --create-home --shell /bin/bash LOGIN`; para una cuenta que ya "
        "existe: `sudo usermod --shell /bin/bash LOGIN`, `sudo chown LOGIN: /home/LOGIN`",
    },
)
def test_account_exists(host, student, expect):
    entry = host.run("getent passwd %s", student.login).stdout.strip().split(":")
    expect(
        len(entry) == 7,
        expected={"en": f"an account `{student.login}`", "es": f"una cuenta `{student.login}`"},
    )
    # Which shell it is concerns account.alias; with one that is none, nobody gets in.
    gets_in = host.run("grep -qxF %s /etc/shells", entry[6]).succeeded
    expect(
        entry[5] == student.home and gets_in,
        expected={
            "en": f"the home {student.home} and a shell of /etc/shells",
            "es": f"la carpeta personal {student.home} y un intérprete de /etc/shells",
        },
        found=", ".join(entry[5:]),
    )
    owner = host.run("stat --format %%U %s", student.home).stdout.strip()
    expect(
        owner == student.login,
        expected={
            "en": f"a folder {student.home} that belongs to {student.login}",
            "es": f"una carpeta {student.home} que perteneciera a {student.login}",
        },
        found=owner,
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
        "en": "nginx serves /static as another user, who has to pass through every folder on the "
        "way. Which letter of a folder's mode lets others pass? See `ls -ld ~`.",
        "es": "nginx sirve /static con otro usuario, que tiene que atravesar todas las carpetas "
        "del camino. ¿Qué letra de los permisos deja pasar a los demás? Mira `ls -ld ~`.",
    },
    full_hint={"en": "`chmod o+x ~`", "es": "`chmod o+x ~`"},
    after=["account.login"],
)
def test_home_can_be_passed_through(host, student, expect):
    mode = host.run("stat --format %%A %s", student.home).stdout.strip()
    expect(
        mode[-1:] in ("x", "t"),
        expected={
            "en": f"an `x` for others at the end of {student.home}'s mode",
            "es": f"una `x` para los demás al final de los permisos de {student.home}",
        },
        found=mode,
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
        "en": "supervisor's socket lets in root and one group. Which groups does `id` show? A "
        "session keeps those that it began with.",
        "es": "El socket de supervisor deja entrar a root y a un grupo. ¿Qué grupos muestra `id`? "
        "Una sesión conserva los que tenía al empezar.",
    },
    full_hint={
        "en": "`sudo usermod -a -G supervisor LOGIN`, then log out and in again",
        "es": "`sudo usermod -a -G supervisor LOGIN`, y después sal y vuelve a entrar",
    },
    after=["account.login", "supervisor.group"],
)
def test_student_is_in_the_group(as_student, student, expect):
    groups = as_student.run("id -nG").stdout.split()
    expect(
        "supervisor" in groups,
        expected={
            "en": f"{student.login} to be in the group supervisor",
            "es": f"que {student.login} estuviera en el grupo supervisor",
        },
        found=f"`id -nG`: {' '.join(groups)}",
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
        "en": "Bash reads ~/.bashrc when a terminal opens. `type python` says what `python` means "
        "in yours.",
        "es": "Bash lee ~/.bashrc al abrir una terminal. `type python` dice qué significa `python` "
        "en la tuya.",
    },
    full_hint={
        "en": "`echo 'alias python=python3.X' >> ~/.bashrc`, with the version of the exercise; for "
        "another shell: `sudo usermod --shell /bin/bash LOGIN`",
        "es": "`echo 'alias python=python3.X' >> ~/.bashrc`, con la versión del ejercicio; si el "
        "intérprete es otro: `sudo usermod --shell /bin/bash LOGIN`",
    },
    after=["account.login", "python.version"],
)
def test_python_is_an_alias(host, as_student, student, expect):
    shell = host.run("getent passwd %s", student.login).stdout.strip().rpartition(":")[2]
    expect(
        shell == "/bin/bash",
        expected={
            "en": "the shell /bin/bash, which reads ~/.bashrc",
            "es": "el intérprete /bin/bash, que lee ~/.bashrc",
        },
        found=shell,
    )
    version = student.vars["python"]
    answer = as_student.run("bash -lic 'python --version' </dev/null")
    expect(
        f"Python {version}." in answer.stdout,
        expected={
            "en": f"`python --version` in a terminal to say Python {version}",
            "es": f"que `python --version` en una terminal dijera Python {version}",
        },
        found=(answer.stdout.strip() or answer.stderr.strip()).rpartition("\n")[2],
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
        "en": "What is installed for one user alone puts its commands into ~/.local/bin. Where "
        "does a shell look for commands, and in which file is that said for every terminal?",
        "es": "Lo que se instala para un solo usuario deja sus órdenes en ~/.local/bin. ¿Dónde "
        "busca las órdenes el intérprete, y en qué fichero se dice para todas las terminales?",
    },
    full_hint={
        "en": "At the end of ~/.bashrc: `export PATH=$PATH:~/.local/bin`",
        "es": "Al final de ~/.bashrc: `export PATH=$PATH:~/.local/bin`",
    },
    after=["account.login"],
)
def test_local_bin_is_on_the_path(as_student, student, expect):
    answer = as_student.run("bash -lic 'echo \"PATH=$PATH\"' </dev/null")
    # A login may say more, at its beginning and at its end.
    path = answer.stdout.rpartition("PATH=")[2].partition("\n")[0]
    expect(
        f"{student.home}/.local/bin" in path.split(":"),
        expected={
            "en": f"{student.home}/.local/bin on the PATH of a terminal",
            "es": f"{student.home}/.local/bin en el PATH de una terminal",
        },
        found=path,
    )


@pytest.mark.check(
    id="account.no_sudo",
    step="account",
    points=1,
    hidden=True,
    title={"en": "The student has no sudo", "es": "El estudiante no tiene sudo"},
    hint={
        "en": "The exercise does without sudo. Is the student in one of its groups, or named in "
        "/etc/sudoers.d?",
        "es": "El ejercicio prescinde de sudo. ¿Está el estudiante en alguno de sus grupos, o lo "
        "nombra algo de /etc/sudoers.d?",
    },
    full_hint={
        "en": "`sudo gpasswd -d LOGIN sudo`, and remove their line from /etc/sudoers.d with "
        "`sudo visudo -f /etc/sudoers.d/FILE`",
        "es": "`sudo gpasswd -d LOGIN sudo`, y quita su línea de /etc/sudoers.d con "
        "`sudo visudo -f /etc/sudoers.d/FICHERO`",
    },
    after=["account.login"],
)
def test_student_has_no_sudo(host, student, expect):
    answer = host.run("LC_ALL=C sudo -n -l -U %s", student.login)
    if answer.exit_status == 127:
        return  # no sudo on the machine at all
    expect(
        "is not allowed to run sudo" in answer.stdout,
        expected={
            "en": f"{student.login} not to be allowed to use sudo",
            "es": f"que {student.login} no pudiera usar sudo",
        },
        # The defaults come first, and what may be run after them.
        found=answer.stdout.rpartition("following commands on ")[2] or answer.stderr,
    )


@pytest.mark.check(
    id="account.confined",
    step="account",
    points=1,
    hidden=True,
    title={
        "en": "The student cannot write what root runs or reads",
        "es": "El estudiante no puede escribir lo que root ejecuta o lee",
    },
    hint={
        "en": "What root runs or reads, and the student can write, makes the student root. Whose "
        "are these files, and who else may write them?",
        "es": "Si el estudiante puede escribir algo que root ejecuta o lee, puede hacerse root. "
        "¿De quién son estos ficheros, y quién más puede escribirlos?",
    },
    full_hint={
        "en": "Give each back to root: `sudo chown root:root FILE`, `sudo chmod go-w FILE`",
        "es": "Devuelve cada uno a root: `sudo chown root:root FICHERO`, `sudo chmod go-w FICHERO`",
    },
    after=["account.login"],
)
def test_student_cannot_write_what_root_uses(as_student, expect):
    # supervisord.conf, conf.d/*, nginx's settings and sites, /usr/local/bin, /opt and its venv
    answer = as_student.run("find /etc /opt /usr/local ! -type l -writable -print 2>/dev/null")
    writable = answer.stdout.splitlines()
    expect(
        not writable,
        expected={
            "en": "nothing below /etc, /opt and /usr/local that the student can write",
            "es": "que el estudiante no pudiera escribir nada en /etc, /opt ni /usr/local",
        },
        found=", ".join(writable[:10]),
    )
