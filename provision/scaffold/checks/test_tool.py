"""Checks of the step `tool`."""

import pytest


@pytest.mark.check(
    id="tool.there",
    step="tool",
    points=1,
    title={"en": "The command is there", "es": "La orden está"},
    hint={
        "en": "Where do commands go that do not come in a package?",
        "es": "¿Dónde van las órdenes que no vienen en un paquete?",
    },
    full_hint={
        "en": "sudo install -m 0755 say-hello /usr/local/bin/say-hello",
        "es": "sudo install -m 0755 say-hello /usr/local/bin/say-hello",
    },
)
def test_command_is_there(host, expect):
    found = host.run("command -v say-hello").stdout.strip()
    expect(
        found == "/usr/local/bin/say-hello",
        expected={"en": "say-hello in /usr/local/bin", "es": "say-hello en /usr/local/bin"},
        found=found,
    )


@pytest.mark.check(
    id="tool.works",
    step="tool",
    points=1,
    title={"en": "The command says hello", "es": "La orden saluda"},
    hint={
        "en": "Run it, and read what it says.",
        "es": "Ejecútala y lee lo que dice.",
    },
    full_hint={"en": "It prints `Hello, LOGIN!`", "es": "Escribe `Hello, LOGIN!`"},
    after=["tool.there"],
)
def test_command_works(host, expect):
    said = host.run("say-hello").stdout.strip()
    expect(said == "Hello, root!", expected="Hello, root!", found=said)
