"""Checks of the step `supervisor`: the daemon, and its socket for a group of users."""

import re

import pytest

SETTINGS = "/etc/supervisor/supervisord.conf"
SOCKET = "/var/run/supervisor.sock"
# supervisord's own word on why it does not start; of one that was stopped, there is none.
WHY = "journalctl --unit supervisor --lines 50 --output cat | grep '^Error' | tail -n 1"


@pytest.mark.check(
    id="supervisor.running",
    step="supervisor",
    points=1,
    title={
        "en": "supervisor runs, and listens on its socket",
        "es": "supervisor está en marcha y escucha en su socket",
    },
    hint={
        "en": "`systemctl status supervisor` tells whether it was stopped or could not start. A "
        "mistake in supervisord.conf or conf.d keeps it from starting; its log is in "
        "/var/log/supervisor.",
        "es": "`systemctl status supervisor` dice si lo pararon o si no pudo arrancar. Con un "
        "error en supervisord.conf o en conf.d no arranca; su registro está en "
        "/var/log/supervisor.",
    },
    full_hint={
        "en": "`sudo journalctl -u supervisor` names the mistake, if there is one; then "
        "`sudo systemctl enable supervisor` and `sudo systemctl restart supervisor`. Where there "
        "is no supervisor: `sudo apt install supervisor`",
        "es": "`sudo journalctl -u supervisor` dice cuál es el error, si lo hay; después "
        "`sudo systemctl enable supervisor` y `sudo systemctl restart supervisor`. Si no hay "
        "supervisor: `sudo apt install supervisor`",
    },
)
def test_supervisor_runs(host, expect):
    active = host.run("systemctl is-active supervisor").stdout.strip()
    why = "" if active in ("active", "inactive") else host.run(WHY).stdout.strip()
    expect(
        active == "active",
        expected={
            "en": "supervisor to be active to systemd",
            "es": "que supervisor estuviera activo (active) para systemd",
        },
        found=f"{active}: {why}" if why else active,
    )
    expect(
        host.run("test -S %s", SOCKET).succeeded,
        expected={
            "en": f"supervisor's socket {SOCKET}",
            "es": f"el socket de supervisor, {SOCKET}",
        },
    )


@pytest.mark.check(
    id="supervisor.group",
    step="supervisor",
    points=1,
    title={"en": "The group supervisor exists", "es": "El grupo supervisor existe"},
    hint={
        "en": "A file belongs to a user and to a group, and supervisor's socket is to belong to a "
        "group of those who may use it. Which groups are there in /etc/group?",
        "es": "Un fichero pertenece a un usuario y a un grupo, y el socket de supervisor debe ser "
        "de un grupo con quienes pueden usarlo. ¿Qué grupos hay en /etc/group?",
    },
    full_hint={"en": "`sudo groupadd supervisor`", "es": "`sudo groupadd supervisor`"},
)
def test_group_exists(host, expect):
    expect(
        host.run("getent group supervisor").succeeded,
        expected={"en": "a group `supervisor`", "es": "un grupo `supervisor`"},
    )


@pytest.mark.check(
    id="supervisor.settings",
    step="supervisor",
    points=1,
    title={
        "en": "supervisord.conf gives the socket to the group",
        "es": "supervisord.conf da el socket al grupo",
    },
    hint={
        "en": f"[unix_http_server] of {SETTINGS} says what the socket's mode is and whose it is. "
        "What must both be for a group to get in, and nobody else?",
        "es": f"[unix_http_server] de {SETTINGS} dice qué permisos tiene el socket y de quién es. "
        "¿Cómo deben ser para que entre un grupo, y nadie más?",
    },
    full_hint={
        "en": "In [unix_http_server]: `chmod=0770` and `chown=root:supervisor`, with a space "
        "before a `;`; then `sudo systemctl restart supervisor`",
        "es": "En [unix_http_server]: `chmod=0770` y `chown=root:supervisor`, con un espacio "
        "antes del `;`; después, `sudo systemctl restart supervisor`",
    },
    after=["supervisor.running"],
)
def test_settings_give_the_socket_to_the_group(host, expect):
    text = host.run("cat %s", SETTINGS).stdout
    section = re.search(r"^\[unix_http_server\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    expect(
        section,
        expected={
            "en": f"a section [unix_http_server] in {SETTINGS}",
            "es": f"una sección [unix_http_server] en {SETTINGS}",
        },
    )
    lines = re.findall(r"^(chmod|chown)\s*=\s*(\S+)\s*(?:\s;.*)?$", section[1], re.MULTILINE)
    expect(
        dict(lines) == {"chmod": "0770", "chown": "root:supervisor"},
        expected={
            "en": f"chmod=0770 and chown=root:supervisor in [unix_http_server] of {SETTINGS}",
            "es": f"chmod=0770 y chown=root:supervisor en [unix_http_server] de {SETTINGS}",
        },
        found=", ".join(f"{key}={value}" for key, value in lines),
    )


@pytest.mark.check(
    id="supervisor.socket",
    step="supervisor",
    points=2,
    title={
        "en": "supervisor's socket is open to the group, and to nobody else",
        "es": "El socket de supervisor está abierto al grupo, y a nadie más",
    },
    hint={
        "en": "supervisor makes its socket when it starts, with the settings of that moment. "
        f"What does `ls -l {SOCKET}` show, and what has changed since?",
        "es": "supervisor crea su socket al arrancar, con la configuración de ese momento. ¿Qué "
        f"muestra `ls -l {SOCKET}`, y qué ha cambiado desde entonces?",
    },
    full_hint={
        "en": "`sudo systemctl restart supervisor`",
        "es": "`sudo systemctl restart supervisor`",
    },
    after=["supervisor.running", "supervisor.group", "supervisor.settings"],
)
def test_socket_is_of_the_group(host, expect):
    found = host.run("stat --format '%%U:%%G %%a' %s", SOCKET).stdout.strip()
    expect(
        found == "root:supervisor 770",
        expected={
            "en": f"{SOCKET} to be root:supervisor 770",
            "es": f"que {SOCKET} fuera root:supervisor 770",
        },
        found=found,
    )
