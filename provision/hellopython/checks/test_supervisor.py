"""Checks of the step `supervisor`: the daemon, and its socket for a group of users."""

import re

import pytest

SETTINGS = "/etc/supervisor/supervisord.conf"
SOCKET = "/var/run/supervisor.sock"


@pytest.mark.check(
    id="supervisor.running",
    step="supervisor",
    points=1,
    title={
        "en": "supervisor runs, and starts with the machine",
        "es": "supervisor está en marcha y arranca con la máquina",
    },
    hint={
        "en": "sudo systemctl enable --now supervisor; if it does not start, see "
        "/var/log/supervisor/supervisord.log",
        "es": "sudo systemctl enable --now supervisor; si no arranca, mira "
        "/var/log/supervisor/supervisord.log",
    },
)
def test_supervisor_runs(host):
    active = host.run("systemctl is-active supervisor").stdout.strip()
    assert active == "active", f"supervisor should be active, but systemd says: {active or 'no'}"
    enabled = host.run("systemctl is-enabled supervisor").stdout.strip()
    assert enabled == "enabled", f"supervisor should be enabled, but systemd says: {enabled}"


@pytest.mark.check(
    id="supervisor.group",
    step="supervisor",
    points=1,
    title={"en": "The group supervisor exists", "es": "El grupo supervisor existe"},
    hint={"en": "sudo groupadd supervisor", "es": "sudo groupadd supervisor"},
)
def test_group_exists(host):
    assert host.run("getent group supervisor").succeeded, "there is no group `supervisor`"


@pytest.mark.check(
    id="supervisor.settings",
    step="supervisor",
    points=1,
    title={
        "en": "supervisord.conf gives the socket to the group",
        "es": "supervisord.conf da el socket al grupo",
    },
    hint={
        "en": f"In [unix_http_server] of {SETTINGS}: chmod=0770 and chown=root:supervisor, "
        "with a space before a `;`",
        "es": f"En [unix_http_server] de {SETTINGS}: chmod=0770 y chown=root:supervisor, "
        "con un espacio antes del `;`",
    },
)
def test_settings_give_the_socket_to_the_group(host):
    text = host.run("cat %s", SETTINGS).stdout
    section = re.search(r"^\[unix_http_server\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{SETTINGS} has no section [unix_http_server]"
    lines = re.findall(r"^(chmod|chown)\s*=\s*(\S+)\s*(?:\s;.*)?$", section[1], re.MULTILINE)
    expected = {"chmod": "0770", "chown": "root:supervisor"}
    assert dict(lines) == expected, (
        f"[unix_http_server] of {SETTINGS} should have {expected}, but has {dict(lines)}"
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
        "en": "Has supervisor been restarted since its settings changed? "
        "sudo systemctl restart supervisor",
        "es": "¿Se ha reiniciado supervisor desde que cambió su configuración? "
        "sudo systemctl restart supervisor",
    },
    after=["supervisor.running", "supervisor.group", "supervisor.settings"],
)
def test_socket_is_of_the_group(host):
    found = host.run("stat --format '%%U:%%G %%a %%F' %s", SOCKET).stdout.strip()
    assert found == "root:supervisor 770 socket", (
        f"{SOCKET} should be `root:supervisor 770 socket`, but is `{found or 'not there'}`"
    )
