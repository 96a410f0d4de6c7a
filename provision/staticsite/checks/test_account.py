"""Checks of the step `account`: the student on the machine, and how they get in."""

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
        "en": "An account can be made together with its home and its shell.",
        "es": "Una cuenta se puede crear a la vez que su carpeta personal y su shell.",
    },
    full_hint={
        "en": "sudo useradd --create-home --shell /bin/bash LOGIN",
        "es": "sudo useradd --create-home --shell /bin/bash LOGIN",
    },
)
def test_account_exists(host, student, expect):
    found = host.run("getent passwd %s | cut -d: -f6,7", student.login).stdout.strip()
    expect(
        found == f"{student.home}:/bin/bash",
        expected={
            "en": f"an account `{student.login}` with the home {student.home} and the shell "
            "/bin/bash",
            "es": f"una cuenta `{student.login}` con la carpeta personal {student.home} y el shell "
            "/bin/bash",
        },
        found=found,
    )
    owner = host.run("stat --format %%U %s", student.home).stdout.strip()
    expect(
        owner == student.login,
        expected={
            "en": f"that {student.home} belongs to {student.login}",
            "es": f"que {student.home} perteneciera a {student.login}",
        },
        found=owner,
    )


@pytest.mark.check(
    id="account.key",
    step="account",
    points=1,
    title={
        "en": "The student gets in with an SSH key",
        "es": "El estudiante entra con una clave SSH",
    },
    hint={
        "en": "The SSH server reads public keys from the home, and only where nobody else can "
        "write to them.",
        "es": "El servidor SSH lee las claves públicas de la carpeta personal, y solo si nadie más "
        "puede escribir en ellas.",
    },
    full_hint={
        "en": "The public key is a line of ~/.ssh/authorized_keys; then: chmod 700 ~/.ssh; "
        "chmod 600 ~/.ssh/authorized_keys; chmod go-w ~",
        "es": "La clave pública es una línea de ~/.ssh/authorized_keys; después: chmod 700 ~/.ssh; "
        "chmod 600 ~/.ssh/authorized_keys; chmod go-w ~",
    },
    after=["account.login"],
)
def test_student_gets_in_with_a_key(host, student, expect):
    keys = f"{student.home}/.ssh/authorized_keys"
    answer = host.run("ssh-keygen -l -f %s", keys)
    expect(
        answer.succeeded,
        expected={"en": f"a public key in {keys}", "es": f"una clave pública en {keys}"},
        found=answer.stdout or answer.stderr,
    )
    # What sshd itself looks at before it believes the file.
    wrong = host.run(
        "find %s %s %s -maxdepth 0 ! '(' -user %s ! -perm /022 ')' -printf '%%M %%u %%p\n'",
        student.home,
        f"{student.home}/.ssh",
        keys,
        student.login,
    ).stdout.strip()
    expect(
        not wrong,
        expected={
            "en": f"that only {student.login} can write to {keys} and the folders above it",
            "es": f"que solo {student.login} pudiera escribir en {keys} y en sus carpetas",
        },
        found=wrong,
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
        "en": "nginx reads the pages as another user, who needs a permission on every folder on "
        "the way.",
        "es": "nginx lee las páginas con otro usuario, que necesita un permiso en cada carpeta del "
        "camino.",
    },
    full_hint={"en": "chmod o+x ~", "es": "chmod o+x ~"},
    after=["account.login"],
)
def test_home_can_be_passed_through(host, student, expect):
    mode = host.run("stat --format %%A %s", student.home).stdout.strip()
    expect(
        mode[-1:] in ("x", "t"),
        expected={
            "en": f"an `x` for others on {student.home}",
            "es": f"una `x` para los demás en {student.home}",
        },
        found=mode,
    )
