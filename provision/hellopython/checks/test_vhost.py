"""Checks of the step `vhost`: nginx hands requests to uWSGI, and serves /static itself."""

import re
import secrets

import pytest

ANSWER_S = 10
# What `curl -i` would show; a new machine has no curl.
GET = r"""
exec 3<>/dev/tcp/127.0.0.1/80 || exit
printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
timeout "$3" cat <&3
"""


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
        "en": "A site is a file of its own, named after the site. In which of nginx's folders are "
        "the sites that it could serve?",
        "es": "Cada sitio es un fichero propio, que se llama como el sitio. ¿En qué carpeta de "
        "nginx están los sitios que podría servir?",
    },
    full_hint={
        "en": "`sudo nano /etc/nginx/sites-available/NAME`: a `server { ... }` with listen, "
        "server_name, and the locations / and /static",
        "es": "`sudo nano /etc/nginx/sites-available/NOMBRE`: un `server { ... }` con listen, "
        "server_name y los location / y /static",
    },
    after=["nginx.syntax"],
)
def test_file_exists(host, student, expect):
    path = f"/etc/nginx/sites-available/{student.vhost}"
    expect(
        host.file(path).is_file,
        expected={"en": f"the file {path}", "es": f"el fichero {path}"},
    )


@pytest.mark.check(
    id="vhost.server_name",
    step="vhost",
    points=1,
    title={
        "en": "The virtual host has the student's name",
        "es": "El virtual host tiene el nombre del estudiante",
    },
    hint={
        "en": "nginx chooses the site by the name that the browser asks for. Which directive says "
        "the names of a site?",
        "es": "nginx elige el sitio por el nombre que pide el navegador. ¿Qué directiva dice los "
        "nombres de un sitio?",
    },
    full_hint={
        "en": "In the server block: `server_name NAME;`, NAME as in the site's address",
        "es": "En el bloque server: `server_name NOMBRE;`, con el NOMBRE de la dirección del sitio",
    },
    after=["vhost.file"],
)
def test_server_name(host, student, expect):
    # Up to the line's end: a `;` that is missing is the business of nginx.syntax.
    lines = re.findall(r"\bserver_name\s+([^;\n]+)", settings_of(host, student))
    names = " ".join(lines).split()
    expect(
        student.vhost in names,
        expected=f"server_name {student.vhost}",
        found=" ".join(["server_name", *names]) if names else "",
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
        "en": "nginx hands a request to whoever listens at an address, with a file of parameters "
        "that tell what was asked for. At which address does run.sh have uWSGI listen?",
        "es": "nginx entrega la petición a quien escuche en una dirección, con un fichero de "
        "parámetros que dicen qué se pidió. ¿En qué dirección pone run.sh a escuchar a uWSGI?",
    },
    full_hint={
        "en": "In `location /`: `uwsgi_pass 127.0.0.1:8080;` and `include uwsgi_params;`",
        "es": "En `location /`: `uwsgi_pass 127.0.0.1:8080;` e `include uwsgi_params;`",
    },
    after=["vhost.file"],
)
def test_requests_go_to_uwsgi(host, student, expect):
    settings = settings_of(host, student)
    found = re.findall(r"\buwsgi_pass\s+(?:uwsgi://)?([^;\s]+)", settings)
    expect(
        found in (["127.0.0.1:8080"], ["localhost:8080"]),
        expected="uwsgi_pass 127.0.0.1:8080",
        found=", ".join(f"uwsgi_pass {address}" for address in found),
    )
    # Without them uWSGI does not learn what was asked for.
    included = re.findall(r"\binclude\s+([^;\s]+)", settings)
    expect(
        {"uwsgi_params", "/etc/nginx/uwsgi_params"} & set(included),
        expected="`include uwsgi_params;`",
        found=", ".join(f"include {file}" for file in included),
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
        "en": "nginx reads only what is in sites-enabled. What is in that folder, and where does "
        "it lead?",
        "es": "nginx solo lee lo que hay en sites-enabled. ¿Qué hay en esa carpeta, y a dónde "
        "lleva?",
    },
    full_hint={
        "en": "`sudo ln -s ../sites-available/NAME /etc/nginx/sites-enabled/`, then "
        "`sudo systemctl reload nginx`",
        "es": "`sudo ln -s ../sites-available/NOMBRE /etc/nginx/sites-enabled/`, y después "
        "`sudo systemctl reload nginx`",
    },
    after=["vhost.file"],
)
def test_vhost_is_enabled(host, student, expect):
    link = f"/etc/nginx/sites-enabled/{student.vhost}"
    available = f"/etc/nginx/sites-available/{student.vhost}"
    # A link as the guide makes it, or with the whole path.
    expect(
        host.run("test -L %s && readlink --canonicalize %s", link, link).stdout.strip()
        == available,
        expected={
            "en": f"{link} to be a link to {available}",
            "es": f"que {link} fuera un enlace a {available}",
        },
        # Where a link leads to; of anything else, what it is.
        found=host.run("readlink %s || stat --format %%F %s", link, link).stdout,
    )


@pytest.mark.check(
    id="vhost.static",
    step="vhost",
    points=2,
    title={
        "en": "nginx serves the files of /static",
        "es": "nginx sirve los ficheros de /static",
    },
    hint={
        "en": "nginx puts `root` and the whole path together: with which root does "
        "/static/hello.txt become the file in your folder? And has nginx been reloaded since?",
        "es": "nginx junta `root` y la ruta entera: ¿con qué root se convierte "
        "/static/hello.txt en el fichero de tu carpeta? ¿Y se ha recargado nginx desde entonces?",
    },
    full_hint={
        "en": "`location /static { root /home/LOGIN/webapps/hellopython; }`, then "
        "`sudo systemctl reload nginx`",
        "es": "`location /static { root /home/LOGIN/webapps/hellopython; }`, y después "
        "`sudo systemctl reload nginx`",
    },
    after=[
        "account.home",
        "app.files",
        "nginx.running",
        "vhost.server_name",
        "vhost.enabled",
    ],
)
def test_static_files_are_served(host, as_student, student, expect, patience):
    settings = settings_of(host, student)
    expect(
        re.search(r"\blocation\s+(\^~\s+)?/static/?\s*\{", settings),
        expected={
            "en": "a `location /static` in the virtual host",
            "es": "un `location /static` en el virtual host",
        },
        found=", ".join(re.findall(r"\blocation\s+[^{]*[^{\s]", settings)),
    )
    # A new file: the answer can only come from the folder as it is now.
    name = f"check-{secrets.token_hex(4)}.txt"
    folder = f"{student.home}/webapps/hellopython/static"
    as_student.run("mkdir -p %s && echo %s >%s", folder, name, f"{folder}/{name}")
    try:
        path, limit = f"/static/{name}", f"{ANSWER_S * patience:g}"
        answer = host.run("bash -c %s get %s %s %s", GET, path, student.vhost, limit).stdout
    finally:
        as_student.run("rm -f %s", f"{folder}/{name}")
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    first = head.partition("\n")[0]
    expect(
        re.match(r"HTTP/\S+ 200\b", first),
        expected={
            "en": f"GET /static/{name} to be answered with 200",
            "es": f"que GET /static/{name} recibiera un 200",
        },
        found=first,
    )
    expect(
        body.strip() == name,
        expected={
            "en": f"the text of {folder}/{name}",
            "es": f"el texto de {folder}/{name}",
        },
        found=body,
    )
