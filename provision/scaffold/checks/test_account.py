"""Checks of the step `account`."""

import pytest


@pytest.mark.check(
    id="account.login",
    step="account",
    points=1,
    title={"en": "The student has an account", "es": "El estudiante tiene una cuenta"},
    hint={
        "en": "An account can be made together with its home.",
        "es": "Una cuenta se puede crear a la vez que su carpeta personal.",
    },
    full_hint={
        "en": "sudo useradd --create-home --shell /bin/bash LOGIN",
        "es": "sudo useradd --create-home --shell /bin/bash LOGIN",
    },
)
def test_account(host, student, expect):
    home = host.run("getent passwd %s | cut -d: -f6", student.login).stdout.strip()
    expect(
        home == student.home,
        expected={
            "en": f"an account `{student.login}` with the home {student.home}",
            "es": f"una cuenta `{student.login}` con la carpeta personal {student.home}",
        },
        found=home,
    )


@pytest.mark.check(
    id="account.folder",
    step="account",
    points=2,
    title={"en": "The student can write in ~/NAME", "es": "El estudiante puede escribir en ~/NAME"},
    hint={
        "en": "Whose folder is it? A folder that root made is root's.",
        "es": "¿De quién es la carpeta? Si la creó root, es de root.",
    },
    full_hint={"en": "mkdir ~/NAME, as yourself", "es": "mkdir ~/NAME, como tú"},
    # Without an account this one means nothing: it is then blocked, and not failed.
    after=["account.login"],
)
def test_folder(as_student, student, expect):
    folder = f"{student.home}/NAME"
    answer = as_student.run("test -w %s || ls -ld %s", folder, folder)
    expect(
        answer.succeeded and not answer.stdout,
        expected={
            "en": f"a folder {folder} in which {student.login} can write",
            "es": f"una carpeta {folder} en la que {student.login} pudiera escribir",
        },
        found=answer.stdout or answer.stderr,
    )
