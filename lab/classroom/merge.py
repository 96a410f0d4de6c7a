"""Lays a student's settings over the lab's, those over the defaults, and those over lab's own."""

from __future__ import annotations

import re
from pathlib import Path

from lab.classroom.classes import GuestSettings, MachineSize, Student
from lab.classroom.entries import DefaultsEntry, LabEntry, MachineEntry, Settings, StudentEntry
from lab.classroom.problems import quoted
from lab.classroom.roster import Person
from lab.classroom.source import Location

DEFAULT_BOX = "ubuntu-18.04"
DEFAULT_PROVIDER = "auto"
DEFAULT_VHOST = "{guide}.{login}.{domain}"
PLACEHOLDERS = ("guide", "lab", "login", "domain")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class LabSettings:
    """What holds for a lab, once what it says itself is laid over the defaults."""

    def __init__(self, name: str, entry: LabEntry, defaults: DefaultsEntry) -> None:
        layers: tuple[Settings, Settings] = (entry, defaults)
        self.name = name
        self.guide = entry.guide or name
        self.box = entry.box or defaults.box or DEFAULT_BOX
        self.provider = entry.provider or defaults.provider or DEFAULT_PROVIDER
        self.domain = entry.domain or defaults.domain or ""
        self.lang = entry.lang or defaults.lang
        self.isolated = (entry.isolation or defaults.isolation) != "off"
        self.internet = (entry.internet or defaults.internet) != "off"
        self.machine = _sized(_sized(MachineSize(), defaults.machine), entry.machine)
        self.vars = {**(defaults.vars or {}), **(entry.vars or {})}
        self._template = entry.vhost or defaults.vhost or DEFAULT_VHOST
        self._guests = tuple(layer.guest for layer in layers)
        self._entry = entry
        self._defaults = defaults

    def guest(self, folder: Path) -> GuestSettings:
        """The guest's settings, with a path that is relative to `folder` made absolute."""
        written: dict[str, object] = {}
        for guest in reversed(self._guests):
            if guest is not None:
                written |= {name: getattr(guest, name) for name in guest.model_fields_set}
        certificates = written.get("ca_certificates")
        if isinstance(certificates, str) and certificates != "host":
            written["ca_certificates"] = folder / certificates
        return GuestSettings.model_validate(written)

    def certificates_place(self) -> Location:
        """Where labs.yaml says which certificates guests get."""
        guest = self._entry.guest
        own = guest is not None and "ca_certificates" in guest.model_fields_set
        return (*(("labs", self.name) if own else ("defaults",)), "guest", "ca_certificates")

    def vhost_place(self) -> Location:
        """Where labs.yaml says what virtual hosts are called, or where it should."""
        for setting in ("vhost", "domain"):
            if getattr(self._entry, setting) is not None:
                return ("labs", self.name, setting)
            if getattr(self._defaults, setting) is not None:
                return ("defaults", setting)
        return ("labs", self.name)

    def vhost_problem(self) -> str:
        """Why no virtual host can be named; nothing when it can."""
        names = _PLACEHOLDER.findall(self._template)
        for name in names:
            if name not in PLACEHOLDERS:
                known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                return f"{quoted('{' + name + '}')} stands for nothing in `vhost`; it has {known}"
        if "domain" in names and not self.domain:
            return f"lab {quoted(self.name)} has no `domain`, such as `domain: vps.example.org`"
        return ""

    def vhost(self, login: str) -> str:
        """The virtual host of `login`; it may still be no host name."""
        values = {"guide": self.guide, "lab": self.name, "login": login, "domain": self.domain}
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self._template)

    def student(self, person: Person, own: StudentEntry | None) -> Student:
        """`person` with what the lab says, and over it what labs.yaml says about them alone."""
        return Student(
            login=person.login,
            name=(own and own.name) or person.name,
            email=(own and own.email) or person.email,
            vhost=self.vhost(person.login),
            machine=_sized(self.machine, own.machine if own else None),
            vars={**self.vars, **((own and own.vars) or {})},
            machine_name=f"{self.name}-{person.login}",
            id_number=(own and own.id_number) or person.id_number,
        )


def _sized(size: MachineSize, entry: MachineEntry | None) -> MachineSize:
    if entry is None:
        return size
    return MachineSize(
        cpus=entry.cpus or size.cpus,
        memory_mb=entry.memory or size.memory_mb,
        disk_gb=entry.disk or size.disk_gb,
    )
