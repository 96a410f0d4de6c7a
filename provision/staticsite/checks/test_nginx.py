"""Checks of the step `nginx`."""

import re

import pytest


@pytest.mark.check(
    id="nginx.installed",
    step="nginx",
    points=1,
    title={"en": "nginx is installed", "es": "nginx está instalado"},
    hint={
        "en": "The distribution's archive has a package for it.",
        "es": "Los repositorios de la distribución tienen un paquete para ello.",
    },
    full_hint={
        "en": "sudo apt install nginx",
        "es": "sudo apt install nginx",
    },
)
def test_nginx_is_installed(host, expect):
    answer = host.run("nginx -v")
    expect(
        answer.succeeded,
        expected={
            "en": "that `nginx -v` says its version",
            "es": "que `nginx -v` dijera su versión",
        },
        found=answer.stderr,
    )


@pytest.mark.check(
    id="nginx.syntax",
    step="nginx",
    points=1,
    title={"en": "nginx accepts its settings", "es": "nginx acepta su configuración"},
    hint={
        "en": "nginx can be asked what it makes of its files before it is to use them.",
        "es": "Se le puede preguntar a nginx qué le parecen sus ficheros antes de que los use.",
    },
    full_hint={
        "en": "sudo nginx -t names the file and the line; often a `;` or a `}` is missing.",
        "es": "sudo nginx -t dice el fichero y la línea; a menudo falta un `;` o una `}`.",
    },
    after=["nginx.installed"],
)
def test_nginx_accepts_its_settings(host, expect):
    answer = host.run("nginx -q -t")
    # Its first complaint, without the time and the process that it begins with.
    complaint = re.search(r"\[emerg\] (?:\d+#\d+: )?(.*)", answer.stderr)
    expect(
        answer.succeeded,
        expected={
            "en": "that `nginx -t` finds no mistake",
            "es": "que `nginx -t` no encontrara errores",
        },
        found=complaint[1] if complaint else answer.stderr,
    )


@pytest.mark.check(
    id="nginx.running",
    step="nginx",
    points=1,
    title={"en": "nginx runs", "es": "nginx está en marcha"},
    hint={
        "en": "systemd starts and stops services, and says why one does not start.",
        "es": "systemd arranca y para los servicios, y dice por qué alguno no arranca.",
    },
    full_hint={
        "en": "sudo systemctl start nginx; if that fails: systemctl status nginx",
        "es": "sudo systemctl start nginx; si falla: systemctl status nginx",
    },
    after=["nginx.syntax"],
)
def test_nginx_runs(host, expect):
    state = host.run("systemctl is-active nginx").stdout.strip()
    expect(
        state == "active",
        expected={
            "en": "that systemd calls nginx `active`",
            "es": "que systemd dijera que nginx está `active`",
        },
        found=state,
    )


@pytest.mark.check(
    id="nginx.boots",
    step="nginx",
    points=1,
    title={"en": "nginx starts with the machine", "es": "nginx arranca con la máquina"},
    hint={
        "en": "A service that runs now need not run after the next boot: it has to be `enabled`.",
        "es": "Que un servicio esté en marcha no significa que arranque con la máquina: además ha "
        "de estar `enabled`.",
    },
    full_hint={
        "en": "sudo systemctl enable nginx",
        "es": "sudo systemctl enable nginx",
    },
    after=["nginx.installed"],
)
def test_nginx_starts_with_the_machine(host, expect):
    state = host.run("systemctl is-enabled nginx").stdout.strip()
    expect(
        state == "enabled",
        expected={
            "en": "that systemd calls nginx `enabled`",
            "es": "que systemd dijera que nginx está `enabled`",
        },
        found=state,
    )
