"""Checks of the step `vhost`: nginx hands requests to uWSGI, and serves /static itself."""

import re
import secrets

import pytest


def settings_of(host, student):
    """The virtual host's settings without comments, empty when there is no such file."""
    text = host.run("cat %s", f"/etc/nginx/sites-available/{student.vhost}").stdout
    return re.sub(r"#.*", "", text)


@pytest.mark.check(
    id="vhost.file",
    step="vhost",
    points=1,
    title={
        "en": "The virtual host's file exists",
        "es": "El fichero del virtual host existe",
    },
    hint={
        "en": "Write the server block into /etc/nginx/sites-available/NAME",
        "es": "Escribe el bloque server en /etc/nginx/sites-available/NOMBRE",
    },
)
def test_file_exists(host, student):
    path = f"/etc/nginx/sites-available/{student.vhost}"
    assert host.file(path).is_file, f"there is no file {path}"


@pytest.mark.check(
    id="vhost.server_name",
    step="vhost",
    points=1,
    title={
        "en": "The virtual host has the student's name",
        "es": "El virtual host tiene el nombre del estudiante",
    },
    hint={
        "en": "server_name is the name in the address that the browser asks for",
        "es": "server_name es el nombre de la dirección que pide el navegador",
    },
    after=["vhost.file"],
)
def test_server_name(host, student):
    names = " ".join(re.findall(r"\bserver_name\s+([^;]+);", settings_of(host, student))).split()
    assert student.vhost in names, (
        f"expected server_name {student.vhost}; found {' '.join(names) or 'none'}"
    )


@pytest.mark.check(
    id="vhost.uwsgi_pass",
    step="vhost",
    points=2,
    title={
        "en": "The virtual host hands requests to uWSGI",
        "es": "El virtual host entrega las peticiones a uWSGI",
    },
    hint={
        "en": "location / has uwsgi_pass 127.0.0.1:8080; and include uwsgi_params;",
        "es": "location / tiene uwsgi_pass 127.0.0.1:8080; e include uwsgi_params;",
    },
    after=["vhost.file"],
)
def test_requests_go_to_uwsgi(host, student):
    settings = settings_of(host, student)
    found = re.findall(r"\buwsgi_pass\s+(?:uwsgi://)?([^;\s]+)\s*;", settings)
    assert found in (["127.0.0.1:8080"], ["localhost:8080"]), (
        f"expected uwsgi_pass 127.0.0.1:8080; found {', '.join(found) or 'none'}"
    )
    assert re.search(r"\binclude\s+(/etc/nginx/)?uwsgi_params\s*;", settings), (
        "expected `include uwsgi_params;`: without it uWSGI does not learn what was asked for"
    )


@pytest.mark.check(
    id="vhost.enabled",
    step="vhost",
    points=1,
    title={
        "en": "The virtual host is enabled",
        "es": "El virtual host está habilitado",
    },
    hint={
        "en": "cd /etc/nginx/sites-enabled; sudo ln -s ../sites-available/NAME",
        "es": "cd /etc/nginx/sites-enabled; sudo ln -s ../sites-available/NOMBRE",
    },
    after=["vhost.file"],
)
def test_vhost_is_enabled(host, student):
    link = f"/etc/nginx/sites-enabled/{student.vhost}"
    target = host.run("readlink %s", link).stdout.strip()
    expected = f"../sites-available/{student.vhost}"
    assert target, f"{link} should be a link to {expected}, but is not there, or is no link"
    assert target == expected, f"{link} should be a link to {expected}, but leads to {target}"


@pytest.mark.check(
    id="vhost.syntax",
    step="vhost",
    points=1,
    title={"en": "nginx accepts its settings", "es": "nginx acepta su configuración"},
    hint={
        "en": "sudo nginx -t names the file and the line",
        "es": "sudo nginx -t dice el fichero y la línea",
    },
    after=["vhost.file"],
)
def test_nginx_accepts_its_settings(host):
    answer = host.run("nginx -t")
    assert answer.succeeded, f"`nginx -t` said: {answer.stderr.strip()[-300:]}"


@pytest.mark.check(
    id="vhost.static",
    step="vhost",
    points=2,
    title={
        "en": "nginx serves the files of /static",
        "es": "nginx sirve los ficheros de /static",
    },
    hint={
        "en": "location /static has as its root the folder in which `static` is, not `static` "
        "itself; reload nginx after a change",
        "es": "location /static tiene como root la carpeta en la que está `static`, no la propia "
        "`static`; recarga nginx tras un cambio",
    },
    after=[
        "account.home",
        "app.files",
        "nginx.running",
        "vhost.server_name",
        "vhost.enabled",
        "vhost.syntax",
    ],
)
def test_static_files_are_served(host, as_student, student, from_lab_host):
    settings = settings_of(host, student)
    assert re.search(r"\blocation\s+(\^~\s+)?/static/?\s*\{", settings), (
        "expected a `location /static` in the virtual host, found none"
    )
    # A new file: the answer can only come from the folder as it is now.
    name = f"check-{secrets.token_hex(4)}.txt"
    folder = f"{student.home}/webapps/hellopython/static"
    as_student.run("mkdir -p %s && echo %s >%s", folder, name, f"{folder}/{name}")
    try:
        answer = from_lab_host.get(f"/static/{name}")
    finally:
        as_student.run("rm -f %s", f"{folder}/{name}")
    assert answer.status == 200, (
        f"GET /static/{name} should be answered with 200, but was with {answer.status or 'nothing'}"
    )
    assert answer.body.strip() == name, f"nginx should serve {folder}, but sent another file"
