"""The kinds of value that labs.yaml and guides hold, each refused in plain words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from lab.classroom import logins
from lab.classroom.problems import did_you_mean, quoted
from lab.classroom.source import Written
from lab.classroom.wording import LANGUAGES

# Names to which the environment of a step gives a meaning already, as LAB_LOGIN and so on, and what
# the runner in the guest is told by the same way (LAB_FORCE, LAB_REPORT).
RESERVED_VARS = frozenset(
    [
        *("login", "name", "email", "vhost", "guide", "ssh_key"),
        *("student", "lab", "machine", "step"),
        *("force", "refused", "report", "look", "kit", "patience"),
    ]
)
MAX_TEXT = 2000
VAR_PATTERN = "^[a-z][a-z0-9_]*$"
LAB_PATTERN = "^[a-z][-a-z0-9]{0,19}$"
GUIDE_PATTERN = "^[a-z][-a-z0-9]{0,39}$"
SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)? ?([mMgG]([iI]?[bB])?)$"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([mg])(?:i?b)?", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]+")
_URL_TEXT = re.compile(r"[\x21-\x7e]+")


class Frozen(BaseModel):
    """A model that cannot change, knows all its keys and never shows its input in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def refusal(sentence: str) -> PydanticCustomError:
    """An error of a validator that is shown to the teacher as it is."""
    # Through a context: pydantic would look for placeholders in the sentence itself.
    return PydanticCustomError("refusal", "{sentence}", {"sentence": sentence})


def text(value: object) -> str:
    """`value` exactly as written, when it is text on one line."""
    if not isinstance(value, str):
        raise refusal(
            "must be text; put it in quotes" if isinstance(value, bool) else "must be text"
        )
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value):
        raise refusal("cannot hold control characters or line breaks")
    if len(value) > MAX_TEXT:
        raise refusal(f"is longer than {MAX_TEXT} characters")
    return str(value)


def quoted_text(value: object) -> str:
    """Text that cannot be taken for a number, so that 3.10 never becomes 3.1."""
    if isinstance(value, Written):
        raise refusal(f'looks like a number, a date or yes/no: put it in quotes, "{text(value)}"')
    if value is None:
        raise refusal('has no value: write one, or "" for nothing')
    return text(value)


def whole_number(value: object) -> int:
    """The number that was written without quotes, sign or leading zeros."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Written) and re.fullmatch("0|[1-9][0-9]{0,8}", value):
        return int(value)
    raise refusal("must be a whole number, such as 2")


def true_or_false(value: object) -> bool:
    """What was written as `true` or `false`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise refusal("must be true or false")


def megabytes(value: object) -> int:
    """A size such as `512MB` or `1.5GB`, in MB (1 GB = 1024 MB)."""
    match = _SIZE.fullmatch(text(value)) if isinstance(value, str) else None
    if match is None:
        raise refusal("must be a size with its unit, such as 512MB or 2GB")
    size = Decimal(match[1]) * (1024 if match[2] in "gG" else 1)
    if size != int(size):
        raise refusal("must be a whole number of MB")
    return int(size)


def gigabytes(value: object) -> int:
    """A size such as `8GB`, in GB."""
    size_mb = megabytes(value)
    if size_mb % 1024:
        raise refusal("must be a whole number of GB, such as 8GB")
    return size_mb // 1024


def between(low: int, high: int, unit: str) -> Callable[[int], int]:
    """A validator of numbers from `low` to `high`."""

    def check(value: int) -> int:
        if not low <= value <= high:
            raise refusal(f"must be from {low}{unit} to {high}{unit}, and is {value}{unit}")
        return value

    return check


def matching(pattern: str, sentence: str) -> Callable[[str], str]:
    """A validator of text that is wholly `pattern`; `sentence` ends "`x` ..." when it is not."""
    compiled = re.compile(pattern.removeprefix("^").removesuffix("$"))

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise refusal(f"{quoted(value)} {sentence}")
        return value

    return check


def one_of(*options: str) -> Callable[[str], str]:
    """A validator of text that is one of `options`."""

    def check(value: str) -> str:
        if value not in options:
            ending = did_you_mean(value, options)
            raise refusal(f"must be one of {', '.join(options)}{ending}")
        return value

    return check


def on_or_off(value: object) -> str:
    """`on` or `off`, which are words here, and not YAML's yes and no."""
    if isinstance(value, bool):
        raise refusal(f"must be on or off: write `{'on' if value else 'off'}`")
    if text(value) not in {"on", "off"}:
        raise refusal("must be on or off")
    return str(value)


def is_host_name(name: str) -> bool:
    """Whether `name` is a lower-case host name, of 253 characters at most."""
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))


def domain(value: str) -> str:
    """`value` when it is a host name."""
    if not is_host_name(value):
        raise refusal(f"{quoted(value)} is not a domain in lower case, such as vps.example.org")
    return value


def login(value: str) -> str:
    """`value` when an account can be called so."""
    problem = logins.login_problem(value)
    if problem:
        raise refusal(f"{quoted(value)} {problem}")
    return value


def email(value: str) -> str:
    """`value`, byte for byte, when it looks like an address or is empty."""
    if value and not _EMAIL.fullmatch(value):
        raise refusal(f"{quoted(value)} is not an email address")
    return value


def variable_name(value: str) -> str:
    """`value` when a guide can have a variable of that name."""
    matching(VAR_PATTERN, "is not a name for a variable: use a-z, 0-9 and _, a letter first")(value)
    if value in RESERVED_VARS:
        raise refusal(f"{quoted(value)} is a variable that lab sets itself: choose another name")
    return value


def host_or(check: Callable[[str], str]) -> Callable[[str], str]:
    """A validator that lets the word `host` through, and gives the rest to `check`."""
    return lambda value: value if value == "host" else check(value)


def url(*schemes: str, credentials: bool) -> Callable[[str], str]:
    """A validator of addresses. It never repeats the address: there may be a password in it."""

    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            # `.port` is read because that is where a bad one is refused.
            valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid or not _URL_TEXT.fullmatch(value) or not _is_address(parts.hostname or ""):
            raise refusal(f"must be host, null or an address that begins with {schemes[0]}://")
        if parts.username is not None and not credentials:
            raise refusal("cannot carry a user and password")
        return value

    return check


def _is_address(host: str) -> bool:
    return is_host_name(host) or (":" in host and re.fullmatch("[0-9a-f:.]+", host) is not None)


def box(value: str) -> str:
    """`value` when it can name a box: a profile, a box's name, a URL or a file."""
    if not value.strip():
        raise refusal("must name a box, such as ubuntu-18.04")
    if "://" in value and "@" in value.split("://", 1)[1].split("/", 1)[0]:
        raise refusal("cannot carry a user and password")
    return value


Text = Annotated[str, BeforeValidator(text)]
QuotedText = Annotated[str, BeforeValidator(quoted_text)]
VariableName = Annotated[
    str,
    AfterValidator(variable_name),
    WithJsonSchema({"type": "string", "pattern": VAR_PATTERN}),
]
Variables = dict[VariableName, QuotedText]
Login = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(login),
    WithJsonSchema({"type": "string", "pattern": logins.PATTERN}),
]
Email = Annotated[str, BeforeValidator(text), AfterValidator(email)]
Domain = Annotated[str, BeforeValidator(text), AfterValidator(domain)]
Box = Annotated[str, BeforeValidator(text), AfterValidator(box), Field(min_length=1)]
LabName = Annotated[
    str,
    AfterValidator(
        matching(
            LAB_PATTERN, "is not a name for a lab: use a-z, 0-9 and -, a letter first, 20 at most"
        )
    ),
    WithJsonSchema({"type": "string", "pattern": LAB_PATTERN}),
]
GuideName = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(
        matching(GUIDE_PATTERN, "is not a guide's name: use a-z, 0-9 and -, a letter first")
    ),
    WithJsonSchema({"type": "string", "pattern": GUIDE_PATTERN}),
]
# A guide may have texts in more languages than lab itself speaks.
AuthorsLanguage = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(matching("^[a-z]{2}$", "is not a language: use its two letters, such as es")),
]
Language = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(one_of(*LANGUAGES)),
    WithJsonSchema({"type": "string", "enum": list(LANGUAGES)}),
]
PROVIDERS = ("auto", "lxc", "libvirt", "virtualbox")
Provider = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(one_of(*PROVIDERS)),
    WithJsonSchema({"type": "string", "enum": list(PROVIDERS)}),
]
OnOff = Annotated[str, BeforeValidator(on_or_off), WithJsonSchema({"enum": ["on", "off"]})]
TrueFalse = Annotated[bool, BeforeValidator(true_or_false)]
Cpus = Annotated[
    int,
    BeforeValidator(whole_number),
    AfterValidator(between(1, 64, "")),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 64}),
]
_SIZE_SCHEMA = WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN})
MemoryMB = Annotated[
    int, BeforeValidator(megabytes), AfterValidator(between(128, 1024 * 1024, "MB")), _SIZE_SCHEMA
]
DiskGB = Annotated[
    int, BeforeValidator(gigabytes), AfterValidator(between(2, 16 * 1024, "GB")), _SIZE_SCHEMA
]
_STRING_SCHEMA = WithJsonSchema({"type": "string"})


def _secret(*schemes: str) -> Callable[[Any], SecretStr]:
    check = host_or(url(*schemes, credentials=True))
    return lambda value: SecretStr(check(text(value)))


Mirror = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(host_or(url("http", "https", credentials=False))),
]
SecretUrl = Annotated[SecretStr, BeforeValidator(_secret("https", "http")), _STRING_SCHEMA]
ProxyUrl = Annotated[SecretStr, BeforeValidator(_secret("http", "https", "socks5")), _STRING_SCHEMA]
