"""labs.yaml as it is written: a model for each kind of entry, nothing merged, nothing looked up."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lab.classroom import logins
from lab.classroom.fields import (
    Box,
    Cpus,
    DiskGB,
    Domain,
    Email,
    Frozen,
    GuideName,
    LabName,
    Language,
    Login,
    MemoryMB,
    Mirror,
    OnOff,
    Provider,
    ProxyUrl,
    QuotedText,
    SecretUrl,
    Text,
    Variables,
)

SECRET_KEYS = frozenset({"proxy", "pip_index"})


class Entry(Frozen):
    """A mapping in labs.yaml; `noun` is what messages call it."""

    # The line below a field is its description in the JSON Schema.
    model_config = ConfigDict(use_attribute_docstrings=True)
    noun: ClassVar[str]


class MachineEntry(Entry):
    """The shape of a machine; what is left out comes from one level up."""

    noun = "a machine"

    cpus: Cpus | None = None
    """How many processors."""
    memory: MemoryMB | None = None
    """Memory with its unit: 512MB, 1GB."""
    disk: DiskGB | None = None
    """Disk with its unit: 8GB."""


class GuestEntry(Entry):
    """What the teacher's computer hands to its guests; `host` is "as on this computer"."""

    noun = "guest"

    ca_certificates: Text | None = None
    """Certificates to trust: `host` for this computer's, or a file beside labs.yaml."""
    apt_mirror: Mirror | None = None
    """Where apt finds packages: `host` for this computer's mirror, or its address."""
    pip_index: SecretUrl | None = None
    """Where pip finds packages: `host` for this computer's index, or its address."""
    proxy: ProxyUrl | None = None
    """The way out to the web: `host` for this computer's proxy, or its address."""


class Settings(Entry):
    """What may stand under `defaults`, and again in a lab."""

    provider: Provider | None = None
    """What runs the machines; auto takes the first that works here."""
    box: Box | None = None
    """What boots: a profile such as ubuntu-18.04, or a box's name, URL or file."""
    machine: MachineEntry | None = None
    """The shape of every machine."""
    domain: Domain | None = None
    """Virtual hosts end in this: <guide>.<login>.<domain>."""
    vhost: Text | None = None
    """What virtual hosts are called, out of {guide}, {lab}, {login} and {domain}."""
    vars: Variables | None = None
    """Handed to steps and checks; every value in quotes."""
    guest: GuestEntry | None = None
    """What guests get from this computer."""
    isolation: OnOff | None = None
    """Whether a student's machine is kept from those of others: on (the default), or off."""
    internet: OnOff | None = None
    """Whether machines reach further than this computer: on (the default), or off."""
    lang: Language | None = None
    """The language of what students and teachers read: en, es."""


class DefaultsEntry(Settings):
    """What every lab has unless it says otherwise."""

    noun = "defaults"


class StudentEntry(Entry):
    """A student, or what is different for a student of the roster."""

    noun = "a student"

    login: Login
    """The Unix account: a-z, 0-9 and hyphens."""
    name: Text | None = None
    """As it shall stand in reports."""
    email: Email | None = None
    """As the gradebook has it."""
    id_number: QuotedText | None = None
    """The school's number of them, as the gradebook has it; in quotes."""
    machine: MachineEntry | None = None
    """What is different about this student's machine."""
    vars: Variables | None = None
    """Variables of this student alone."""


class _LoginAlone:
    """Tells the JSON Schema that a login alone will do for a student."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": logins.PATTERN}, handler(schema)]}


def _student(value: object) -> object:
    return {"login": value} if isinstance(value, str) else value


StudentItem = Annotated[StudentEntry, BeforeValidator(_student), _LoginAlone]


class LabEntry(Settings):
    """A guide given to a set of students."""

    noun = "a lab"

    guide: GuideName | None = None
    """The folder under provision/; the lab's own name when left out."""
    roster: Text | None = None
    """A CSV file beside labs.yaml with the students."""
    students: tuple[StudentItem, ...] | None = None
    """The students, or with a roster what is different for some of them."""


class LabsFile(Entry):
    """The whole file."""

    noun = "labs.yaml"

    defaults: DefaultsEntry | None = None
    """What every lab has unless it says otherwise."""
    labs: dict[LabName, LabEntry]
    """The labs by name: a-z, 0-9 and hyphens, 20 characters at most."""
