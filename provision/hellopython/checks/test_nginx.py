"""Checks of the step `nginx`."""

import pytest


@pytest.mark.check(
    id="nginx.running",
    step="nginx",
    points=1,
    title={
        "en": "nginx runs, and starts with the machine",
        "es": "nginx está en marcha y arranca con la máquina",
    },
    hint={
        "en": "sudo systemctl enable --now nginx; if it does not start: sudo nginx -t",
        "es": "sudo systemctl enable --now nginx; si no arranca: sudo nginx -t",
    },
)
def test_nginx_runs(host):
    active = host.run("systemctl is-active nginx").stdout.strip()
    assert active == "active", f"nginx should be active, but systemd says: {active or 'nothing'}"
    enabled = host.run("systemctl is-enabled nginx").stdout.strip()
    assert enabled == "enabled", f"nginx should be enabled, but systemd says: {enabled or 'no'}"
