"""Logins: which ones a guest can have, and how they are made from a person's own data."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

MAX_LENGTH = 31
PATTERN = "^[a-z][-a-z0-9]{0,30}$"

_LOGIN = re.compile(r"[a-z][-a-z0-9]{0,30}")

# Accounts and groups that Debian, Ubuntu, their services in a web guest, or Vagrant's boxes have.
_TAKEN = """
root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody
nogroup adm admin audio cdrom crontab dialout dip disk fax floppy input kmem kvm netdev operator
plugdev render sasl shadow src staff sudo tape tty users utmp video voice wheel
dbus dnsmasq docker gdm landscape lxd messagebus mlocate ntp polkitd pollinate postfix rdma ssh sshd
statd syslog tcpdump uuidd
mysql nginx postgres redis supervisor uwsgi
debian ubuntu vagrant
"""
RESERVED = frozenset(_TAKEN.split())

# Letters that do not decompose into an ASCII letter and a mark.
_FOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)


def login_problem(login: str) -> str:
    """Why `login` cannot be an account's name, as the end of a sentence; nothing when it can."""
    if login in RESERVED or login.startswith("systemd-"):
        return "is an account that every machine has already"
    if len(login) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    if not _LOGIN.fullmatch(login):
        return "is not a login: begin with a letter a-z, then letters a-z, digits and hyphens"
    if login.endswith("-"):
        return "ends in a hyphen, which no host name may"
    return ""


def fold(text: str) -> str:
    """`text` in the letters of a login: `Íñigo Núñez` is `inigo-nunez`, `juan.perez` `juan-perez`.

    The result may still be no login: empty, too long, or beginning with a digit.
    """
    plain = unicodedata.normalize("NFC", text).lower().translate(_FOLDED)
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode("ascii")
    marked = "".join(char for char in letters if char not in "'`")
    return re.sub("[^a-z0-9]+", "-", marked).strip("-")


def derived_login(*, name: str, email: str) -> str:
    """A login from the local part of `email`, else from `name`; empty when neither gives one."""
    for text in (email.rpartition("@")[0], name):
        login = fold(text)[:MAX_LENGTH].rstrip("-")
        if login and not login_problem(login):
            return login
    return ""


def settle(
    wanted: Sequence[str],
    *,
    given: Sequence[bool],
    own: Sequence[Sequence[str]],
    taken: Collection[str] = (),
) -> list[str]:
    """One login for each: as wanted, but whoever clashes gets a suffix from their own data.

    Nothing depends on the order, so a roster that is sorted anew gives the same logins. Logins that
    stay equal come out equal; the caller says so.

    Args:
        wanted: the login that each would have.
        given: whether the teacher wrote that login; such a one is never changed.
        own: for each, what tells them from others, best first (email, name).
        taken: logins of people who are not among these.
    """
    logins = list(wanted)
    for digits in (4, 8, 16):
        counts = Counter([*logins, *taken])
        clashing = [
            index
            for index, login in enumerate(logins)
            if login and counts[login] > 1 and not given[index]
        ]
        for index in clashing:
            logins[index] = _with_suffix(wanted[index], own[index], digits)
    return logins


def _with_suffix(login: str, own: Sequence[str], digits: int) -> str:
    seed = "\0".join(own).encode("utf-8", "surrogatepass")
    suffix = hashlib.sha256(seed).hexdigest()[:digits]
    return f"{login[: MAX_LENGTH - digits - 1].rstrip('-')}-{suffix}"
