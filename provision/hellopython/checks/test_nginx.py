"""Checks of the step `nginx`."""

import re

import pytest


@pytest.mark.check(
    id="nginx.syntax",
    step="nginx",
    points=1,
    title={"en": "nginx accepts its settings", "es": "nginx acepta su configuración"},
    hint={
        "en": "With a mistake in a file, a reload changes nothing and a restart fails. nginx can "
        "test its settings, and names the file and the line; the mistake may be a line above.",
        "es": "Con un error en un fichero, recargar no cambia nada y reiniciar falla. nginx sabe "
        "probar su configuración, y dice el fichero y la línea; el error puede estar una línea "
        "antes.",
    },
    full_hint={
        "en": "`sudo nginx -t`; a missing `;` or `}` is the usual mistake; then "
        "`sudo systemctl reload nginx`. Where there is no nginx: `sudo apt install nginx`",
        "es": "`sudo nginx -t`; lo habitual es que falte un `;` o una `}`; después "
        "`sudo systemctl reload nginx`. Si no hay nginx: `sudo apt install nginx`",
    },
)
def test_nginx_accepts_its_settings(host, expect):
    answer = host.run("nginx -q -t")
    # Its first complaint, without the time and the process that it begins with.
    complaint = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", answer.stderr)
    expect(
        answer.succeeded,
        expected={
            "en": "nginx to accept its settings",
            "es": "que nginx aceptara su configuración",
        },
        found=complaint[1] if complaint else answer.stderr,
    )


@pytest.mark.check(
    id="nginx.running",
    step="nginx",
    points=1,
    title={
        "en": "nginx runs",
        "es": "nginx está en marcha",
    },
    hint={
        "en": "`systemctl status nginx` tells whether it was stopped or could not start, and shows "
        "its last words. What else may have port 80?",
        "es": "`systemctl status nginx` dice si lo pararon o si no pudo arrancar, y muestra sus "
        "últimas palabras. ¿Quién más puede tener el puerto 80?",
    },
    full_hint={
        "en": "`sudo systemctl enable --now nginx`",
        "es": "`sudo systemctl enable --now nginx`",
    },
    after=["nginx.syntax"],
)
def test_nginx_runs(host, expect):
    active = host.run("systemctl is-active nginx").stdout.strip()
    expect(
        active == "active",
        expected={
            "en": "nginx to be active to systemd",
            "es": "que nginx estuviera activo (active) para systemd",
        },
        found=active,
    )
