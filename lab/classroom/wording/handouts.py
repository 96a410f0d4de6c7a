"""What is on a student's handout. Between backticks stands what is typed, or shown, as it is."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "handouts.for": {"en": "Your machine for the lab", "es": "Tu máquina para la práctica"},
    "handouts.greeting": {
        "en": "This Linux server is yours alone. Here is how to get in, and what to do there.",
        "es": "Este servidor Linux es solo tuyo. Aquí tienes cómo entrar y qué hacer en él.",
    },
    "handouts.login": {"en": "Login", "es": "Usuario"},
    "handouts.address": {"en": "Address", "es": "Dirección"},
    "handouts.site": {"en": "Your site", "es": "Tu sitio web"},
    "handouts.via": {"en": "Way in", "es": "Se entra por"},
    "handouts.key": {"en": "Put your key in its place", "es": "Coloca tu clave"},
    "handouts.key_download": {"en": "Download {file}", "es": "Descargar {file}"},
    "handouts.key_why": {
        "en": "This file is your key. It opens your machine in place of a password: do not give it"
        " to anybody.",
        "es": "Este fichero es tu clave. Abre tu máquina en lugar de una contraseña: no se la des"
        " a nadie.",
    },
    "handouts.key_from_teacher": {
        "en": "Your key is the file `{file}`, which you get apart from this page. It opens your"
        " machine in place of a password: do not give it to anybody.",
        "es": "Tu clave es el fichero `{file}`, que recibes aparte de esta hoja. Abre tu máquina"
        " en lugar de una contraseña: no se la des a nadie.",
    },
    "handouts.key_place": {
        "en": "Open a terminal in the folder where the key was saved, and type this:",
        "es": "Abre un terminal en la carpeta donde está la clave y escribe esto:",
    },
    "handouts.key_place_own": {
        "en": "Open a terminal in the folder where the key was saved, and type this (in Windows:"
        " PowerShell, and without the last line):",
        "es": "Abre un terminal en la carpeta donde está la clave y escribe esto (en Windows:"
        " PowerShell, y sin la última línea):",
    },
    "handouts.key_as_text": {
        "en": "The download does not work? The key as text",
        "es": "¿No funciona la descarga? La clave como texto",
    },
    "handouts.key_copy": {
        "en": "Copy all of it, first and last line included, into a file called `{file}`.",
        "es": "Cópiala entera, con la primera y la última línea, a un fichero llamado `{file}`.",
    },
    "handouts.enter": {"en": "Get in", "es": "Entra"},
    "handouts.enter_from_teachers": {
        "en": "The address can be reached from your teacher's computer only: use an account on it."
        " From anywhere else this does not work.",
        "es": "A esta dirección solo se llega desde el ordenador de tu docente: usa una cuenta en"
        " él. Desde otro sitio no funciona.",
    },
    "handouts.enter_via": {
        "en": "From your own computer, by way of `{host}`. That one may ask for the password of"
        " {user} there; your machine asks for none.",
        "es": "Desde tu propio ordenador, pasando por `{host}`. Ese puede pedirte la contraseña de"
        " {user} en él; tu máquina no te pide ninguna.",
    },
    "handouts.account": {"en": "the account `{user}`", "es": "la cuenta `{user}`"},
    "handouts.own_account": {"en": "your account", "es": "tu cuenta"},
    "handouts.address_may_change": {
        "en": "When the machine is restarted it may get another address. If it does not answer,"
        " ask.",
        "es": "Si la máquina se reinicia, la dirección puede cambiar. Si no responde, pregunta.",
    },
    "handouts.first_time": {
        "en": "The first time, ssh shows a fingerprint and asks whether to go on. Answer `yes`"
        " only if it is exactly this one:",
        "es": "La primera vez, ssh muestra una huella (fingerprint) y pregunta si sigue. Responde"
        " `yes` solo si es exactamente esta:",
    },
    "handouts.first_time_jump": {
        "en": "Before that it asks the same of `{host}`, whose fingerprint your teacher knows.",
        "es": "Antes pregunta lo mismo sobre `{host}`; su huella la sabe tu docente.",
    },
    "handouts.leave": {
        "en": "`exit` takes you out again; what runs there goes on.",
        "es": "Con `exit` sales; lo que está en marcha en la máquina sigue funcionando.",
    },
    "handouts.look": {"en": "See your site", "es": "Mira tu sitio web"},
    "handouts.look_terminal": {
        "en": "In another terminal of the same computer:",
        "es": "En otro terminal del mismo ordenador:",
    },
    "handouts.look_terminal_own": {
        "en": "While you are in, your site is at port {port} of your own computer. There, in"
        " another terminal (in Windows `curl.exe` instead of `curl`):",
        "es": "Mientras estás dentro, tu sitio está en el puerto {port} de tu propio ordenador. En"
        " él, en otro terminal (en Windows, `curl.exe` en lugar de `curl`):",
    },
    "handouts.look_browser": {
        "en": "A browser finds it once your teacher has added this line to `/etc/hosts` there:",
        "es": "El navegador lo encuentra cuando tu docente añade allí esta línea a `/etc/hosts`:",
    },
    "handouts.look_browser_own": {
        "en": "For your browser, add this line to your computer's `/etc/hosts`, as administrator"
        " (in Windows `C:\\Windows\\System32\\drivers\\etc\\hosts`):",
        "es": "Para verlo en el navegador, añade esta línea al `/etc/hosts` de tu ordenador, como"
        " administrador (en Windows, `C:\\Windows\\System32\\drivers\\etc\\hosts`):",
    },
    "handouts.look_url": {"en": "Then open `{url}`.", "es": "Después abre `{url}`."},
    "handouts.first": {"en": "What to do first", "es": "Qué hacer primero"},
    "handouts.first_unsaid": {
        "en": "Get in, and see your site, as above. Then follow what you were given for “{title}”.",
        "es": "Entra y mira tu sitio web como se explica arriba. Después sigue lo que te hayan"
        " dado para «{title}».",
    },
    "handouts.check": {"en": "Check your own work", "es": "Comprueba tu trabajo"},
    "handouts.check_how": {
        "en": "Ask for your site as in {number}: what you get is what your teacher's checks get,"
        " too. To look at everything, your teacher runs `lab verify {target}`; ask for what it"
        " says.",
        "es": "Pide tu sitio web como en el punto {number}: lo que te llega es lo que les llega a"
        " las comprobaciones. Para revisarlo todo, tu docente ejecuta `lab verify {target}`; pide"
        " que te enseñe el resultado.",
    },
    "handouts.ask": {"en": "Stuck?", "es": "¿Algo no sale?"},
    "handouts.ask_whom": {"en": "Ask {contact}.", "es": "Pregunta a {contact}."},
    "handouts.teacher": {"en": "your teacher", "es": "tu docente"},
    "handouts.ask_how": {
        "en": "Say that it is about `{target}`, what you typed, and what came back, word for word.",
        "es": "Di que se trata de `{target}`, qué has escrito y qué ha respondido, palabra por"
        " palabra.",
    },
    "handouts.shorter": {"en": "A shorter way in", "es": "Entrar con menos"},
    "handouts.shorter_config": {
        "en": "If you like: with this at the end of `~/.ssh/config`, `ssh {lab}` is enough.",
        "es": "Si quieres: con esto al final de `~/.ssh/config` basta con `ssh {lab}`.",
    },
    "handouts.shorter_known_hosts": {
        "en": "And with this line at the end of `~/.ssh/known_hosts`, ssh knows your machine"
        " without asking:",
        "es": "Y con esta línea al final de `~/.ssh/known_hosts`, ssh reconoce tu máquina sin"
        " preguntar:",
    },
}
