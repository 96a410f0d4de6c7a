"""Checks of the step `site`: the pages, the virtual host, and what a browser gets."""

import re
import secrets

import pytest


def folder_of(student):
    """Where the student's pages are."""
    return f"{student.home}/webapps/staticsite"


def settings_of(host, student):
    """The virtual host's settings without comments, empty when there is no such file."""
    text = host.run("cat %s", f"/etc/nginx/sites-available/{student.vhost}").stdout
    return re.sub(r"#.*", "", text)


def page_of(host, student):
    """The first page, as nginx reads it: root would follow a link of the student's anywhere."""
    return host.run("runuser -u www-data -- cat %s", f"{folder_of(student)}/index.html").stdout


def values_of(directive, settings):
    """The words after each directive of that name."""
    found = re.findall(rf"(?:^|[\s;{{}}]){directive}\s+([^;{{}}]+);", settings)
    return [word for words in found for word in words.split()]


@pytest.mark.check(
    id="site.page",
    step="site",
    points=1,
    title={"en": "The student has a first page", "es": "El estudiante tiene una primera página"},
    hint={
        "en": "A site's first page has a name by which nginx looks for it.",
        "es": "La primera página de un sitio tiene un nombre con el que nginx la busca.",
    },
    full_hint={
        "en": "Write ~/webapps/staticsite/index.html, as yourself and not as root.",
        "es": "Escribe ~/webapps/staticsite/index.html, como tú y no como root.",
    },
    after=["account.login"],
)
def test_page_is_there(host, student, expect):
    page = f"{folder_of(student)}/index.html"
    found = host.run("stat --format '%%F, %%U' %s", page).stdout.strip()
    expect(
        re.fullmatch(rf"regular (empty )?file, {student.login}", found),
        expected={
            "en": f"a file {page} that belongs to {student.login}",
            "es": f"un fichero {page} que perteneciera a {student.login}",
        },
        found=found,
    )


@pytest.mark.check(
    id="site.readable",
    step="site",
    points=1,
    title={"en": "nginx can read the pages", "es": "nginx puede leer las páginas"},
    hint={
        "en": "nginx is neither the pages' owner nor in their group.",
        "es": "nginx no es el propietario de las páginas ni está en su grupo.",
    },
    full_hint={
        "en": "chmod o+x ~/webapps ~/webapps/staticsite; chmod o+r ~/webapps/staticsite/index.html",
        "es": "chmod o+x ~/webapps ~/webapps/staticsite; chmod o+r ~/webapps/staticsite/index.html",
    },
    after=["site.page", "account.home", "nginx.installed"],
)
def test_nginx_can_read_the_page(host, student, expect):
    page = f"{folder_of(student)}/index.html"
    answer = host.run("runuser -u www-data -- cat %s >/dev/null", page)
    expect(
        answer.succeeded,
        expected={
            "en": f"that www-data can read {page}",
            "es": f"que www-data pudiera leer {page}",
        },
        found=answer.stderr,
    )


@pytest.mark.check(
    id="site.file",
    step="site",
    points=1,
    title={
        "en": "The virtual host's file exists",
        "es": "El fichero del virtual host existe",
    },
    hint={
        "en": "Each site of this machine's nginx has a file of its own in /etc/nginx.",
        "es": "Cada sitio del nginx de esta máquina tiene su propio fichero en /etc/nginx.",
    },
    full_hint={
        "en": "Write the server block into /etc/nginx/sites-available/NAME.",
        "es": "Escribe el bloque server en /etc/nginx/sites-available/NOMBRE.",
    },
    after=["nginx.syntax"],
)
def test_file_exists(host, student, expect):
    path = f"/etc/nginx/sites-available/{student.vhost}"
    expect(
        host.file(path).is_file,
        expected={"en": f"a file {path}", "es": f"un fichero {path}"},
        found=host.run("ls /etc/nginx/sites-available").stdout,
    )


@pytest.mark.check(
    id="site.name",
    step="site",
    points=1,
    title={
        "en": "The virtual host has the student's name",
        "es": "El virtual host tiene el nombre del estudiante",
    },
    hint={
        "en": "nginx picks a site by the name in the address that the browser asks for.",
        "es": "nginx elige el sitio por el nombre de la dirección que pide el navegador.",
    },
    full_hint={
        "en": "In the server block: server_name NAME;",
        "es": "En el bloque server: server_name NOMBRE;",
    },
    after=["site.file"],
)
def test_server_name(host, student, expect):
    names = values_of("server_name", settings_of(host, student))
    expect(
        student.vhost in names,
        expected=f"server_name {student.vhost}",
        found=" ".join(names),
    )


@pytest.mark.check(
    id="site.root",
    step="site",
    points=1,
    title={
        "en": "The virtual host serves the student's folder",
        "es": "El virtual host sirve la carpeta del estudiante",
    },
    hint={
        "en": "The server block says in which folder its pages are, from / on.",
        "es": "El bloque server dice en qué carpeta están sus páginas, a partir de /.",
    },
    full_hint={
        "en": "In the server block: root /home/LOGIN/webapps/staticsite;",
        "es": "En el bloque server: root /home/LOGIN/webapps/staticsite;",
    },
    after=["site.file"],
)
def test_root_is_the_student_s_folder(host, student, expect):
    roots = values_of("root", settings_of(host, student))
    expect(
        roots and all(root.rstrip("/") == folder_of(student) for root in roots),
        expected=f"root {folder_of(student)}",
        found=" ".join(roots),
    )


@pytest.mark.check(
    id="site.enabled",
    step="site",
    points=1,
    title={"en": "The virtual host is enabled", "es": "El virtual host está habilitado"},
    hint={
        "en": "nginx reads the sites in sites-enabled; there are links to those in "
        "sites-available.",
        "es": "nginx lee los sitios de sites-enabled; ahí hay enlaces a los de sites-available.",
    },
    full_hint={
        "en": "cd /etc/nginx/sites-enabled; sudo ln -s ../sites-available/NAME",
        "es": "cd /etc/nginx/sites-enabled; sudo ln -s ../sites-available/NOMBRE",
    },
    after=["site.file"],
)
def test_vhost_is_enabled(host, student, expect):
    link = f"/etc/nginx/sites-enabled/{student.vhost}"
    available = f"/etc/nginx/sites-available/{student.vhost}"
    # A link as the step makes it, or with the whole path.
    expect(
        host.run("test -L %s && readlink --canonicalize %s", link, link).stdout.strip()
        == available,
        expected={"en": f"a link {link} to {available}", "es": f"un enlace {link} a {available}"},
        # Where a link leads to; of anything else, what it is.
        found=host.run("readlink %s || stat --format %%F %s", link, link).stdout,
    )


@pytest.mark.check(
    id="site.answers",
    step="site",
    points=3,
    title={
        "en": "The first page comes from outside, by the site's name",
        "es": "La primera página llega desde fuera, por el nombre del sitio",
    },
    hint={
        "en": "nginx goes on with its old settings until it is told to read the new ones.",
        "es": "nginx sigue con su configuración anterior hasta que se le dice que lea la nueva.",
    },
    full_hint={
        "en": "sudo nginx -t, then sudo systemctl reload nginx; "
        "try it: curl -H 'Host: NAME' http://localhost/",
        "es": "sudo nginx -t, y después sudo systemctl reload nginx; "
        "pruébalo: curl -H 'Host: NOMBRE' http://localhost/",
    },
    after=[
        "nginx.running",
        "site.readable",
        "site.name",
        "site.root",
        "site.enabled",
    ],
)
def test_first_page_answers(host, student, from_lab_host, expect):
    answer = from_lab_host.get("/")
    expect(
        answer.status == 200,
        expected={
            "en": f"that http://{student.vhost}/ answers with 200",
            "es": f"que http://{student.vhost}/ respondiera con 200",
        },
        found=answer.status or answer.body,
    )
    page = page_of(host, student)
    expect(
        answer.body.split() == page.split(),
        expected={
            "en": f"the text of {folder_of(student)}/index.html",
            "es": f"el texto de {folder_of(student)}/index.html",
        },
        found=answer.body[:200],
    )


@pytest.mark.check(
    id="site.fresh",
    step="site",
    points=2,
    title={
        "en": "What the student adds is on the site at once",
        "es": "Lo que el estudiante añade está enseguida en el sitio",
    },
    hint={
        "en": "Static files need no restart: nginx reads them when it is asked for them.",
        "es": "Los ficheros estáticos no necesitan reinicio: nginx los lee cuando se los piden.",
    },
    full_hint={
        "en": "You must be able to write in ~/webapps/staticsite (chown it to yourself), and `/` "
        "must serve its files: try_files $uri $uri/ =404;",
        "es": "Has de poder escribir en ~/webapps/staticsite (haz que sea tuya con chown), y `/` "
        "ha de servir sus ficheros: try_files $uri $uri/ =404;",
    },
    after=["site.answers"],
)
def test_new_pages_are_served(as_student, student, from_lab_host, expect):
    # A name that nobody can know beforehand: the answer can only come from the folder.
    name = f"lab-{secrets.token_hex(4)}.txt"
    path = f"{folder_of(student)}/{name}"
    written = as_student.run("umask 022 && echo %s >%s", name, path)
    try:
        answer = from_lab_host.get(f"/{name}")
    finally:
        as_student.run("rm -f %s", path)
    expect(
        written.succeeded,
        expected={
            "en": f"that {student.login} can write in {folder_of(student)}",
            "es": f"que {student.login} pudiera escribir en {folder_of(student)}",
        },
        found=written.stderr,
    )
    expect(
        (answer.status, answer.body.strip()) == (200, name),
        expected={
            "en": f"that /{name} answers with 200 and the file",
            "es": f"que /{name} respondiera con 200 y el fichero",
        },
        found=f"{answer.status or ''} {answer.body[:200]}",
    )


@pytest.mark.check(
    id="site.missing",
    step="site",
    points=1,
    title={
        "en": "A page that does not exist is answered with 404",
        "es": "Una página que no existe se responde con 404",
    },
    hint={
        "en": "A browser must be told that there is nothing, and not get some other page instead.",
        "es": "Al navegador hay que decirle que no hay nada, y no darle otra página en su lugar.",
    },
    full_hint={
        "en": "In location /: try_files $uri $uri/ =404;",
        "es": "En location /: try_files $uri $uri/ =404;",
    },
    after=["site.answers"],
)
def test_missing_pages_are_404(from_lab_host, expect):
    path = f"/lab-{secrets.token_hex(4)}"
    answer = from_lab_host.get(path)
    expect(
        answer.status == 404,
        expected={"en": f"that {path} answers with 404", "es": f"que {path} respondiera con 404"},
        found=answer.status or answer.body,
    )


@pytest.mark.check(
    id="site.by_name",
    step="site",
    points=1,
    title={
        "en": "The site answers to its own name only",
        "es": "El sitio solo responde a su propio nombre",
    },
    hint={
        "en": "For a name that no site has, nginx takes the default one: that is not yours.",
        "es": "Para un nombre que no es de ningún sitio, nginx usa el predeterminado: no es el "
        "tuyo.",
    },
    full_hint={
        "en": "Leave /etc/nginx/sites-enabled/default as it was, and `default_server` and other "
        "names out of your server block.",
        "es": "Deja /etc/nginx/sites-enabled/default como estaba, y quita `default_server` y "
        "otros nombres de tu bloque server.",
    },
    after=["site.answers"],
)
def test_other_names_are_not_the_student_s(host, student, from_lab_host, expect):
    page = page_of(host, student)
    other = f"lab-{secrets.token_hex(4)}.example.org"
    answer = from_lab_host.get("/", host=other)
    expect(
        answer.body.split() != page.split(),
        expected={
            "en": f"that http://{other}/ is not answered with the page of {student.vhost}",
            "es": f"que http://{other}/ no se respondiera con la página de {student.vhost}",
        },
        found=answer.body[:200],
    )
