"""What labs.yaml hands to guests under `guest:`.

It is found on this computer at run time, and written only below `.lab/`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.classroom.classes import GuestSettings
from lab.errors import HostError
from lab.machines.host_apt import host_mirror
from lab.system import process
from lab.system.files import remove, write_if_changed

HOST = "host"
# In a settings folder: the guests take Python packages from their wheelhouse alone.
OFFLINE = "offline"
# The one setting that is no secret: who may read it is told nothing of the host.
CERTIFICATES = "ca-certificates.crt"
_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")


def write_settings(
    folder: Path, guest: GuestSettings, *, distribution: str, offline: bool = False
) -> None:
    """Write the settings that a lab asks for, one file each.

    `provision/settings.sh` applies them in the guests.

    Args:
        folder: emptied of settings that are no longer asked for.
        guest: what labs.yaml says.
        distribution: the guests' (`debian`, `ubuntu`): a mirror of another one is of no use to
            them.
        offline: whether they are to do without the internet.

    Raises:
        HostError: labs.yaml says `host`, and this computer has no such thing.
    """
    texts = settings_files(guest, distribution=distribution, environment=os.environ)
    if offline:
        texts[OFFLINE] = ""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for stale in folder.iterdir():
        if stale.name not in texts:
            remove(stale)
    for name, text in texts.items():
        write_if_changed(folder / name, text, mode=0o600)


def settings_files(
    guest: GuestSettings, *, distribution: str, environment: Mapping[str, str]
) -> dict[str, str]:
    """The files of the settings folder, by name; see `provision/settings.sh` for what each means.

    Raises:
        HostError: labs.yaml says `host`, and this computer has no such thing.
    """
    files = {}
    if guest.ca_certificates is not None:
        named = guest.ca_certificates
        bundle = named if isinstance(named, Path) else ca_bundle(environment)
        files[CERTIFICATES] = bundle.read_text(encoding="utf-8", errors="replace")
    if guest.apt_mirror is not None:
        mirror = host_mirror(distribution) if guest.apt_mirror == HOST else guest.apt_mirror
        if mirror is not None:
            files["apt-mirror"] = f"{mirror}\n"
    if index := pip_index(guest):
        files["pip.conf"] = f"[global]\nindex-url = {index}\n"
    if guest.proxy is not None:
        proxy = guest.proxy.get_secret_value()
        if proxy == HOST:
            proxy = next(
                (environment[name] for name in _PROXY_VARIABLES if environment.get(name)), ""
            )
        if proxy:
            files["proxy"] = f"{proxy}\n"
    return files


def pip_index(guest: GuestSettings) -> str:
    """The index that the guests take Python packages from, with its password; "" for pip's own."""
    index = guest.pip_index.get_secret_value() if guest.pip_index is not None else ""
    return _host_pip_index() if index == HOST else index


def ca_bundle(environment: Mapping[str, str]) -> Path:
    """The file with the certificates that this computer trusts: `SSL_CERT_FILE`, else the system's.

    Raises:
        HostError: there is none.
    """
    named = environment.get("SSL_CERT_FILE")
    for candidate in (*([Path(named)] if named else []), *_SYSTEM_BUNDLES):
        if candidate.is_file():
            return candidate
    raise HostError(
        "labs.yaml hands this computer's CA certificates to the guests, "
        "and there is no bundle of them here",
        hint="sudo apt-get install ca-certificates   "
        "(or `guest: {ca_certificates: FILE}` in labs.yaml)",
    )


def _host_pip_index() -> str:
    # pip knows best what it is configured with: files of three levels, and the environment.
    if shutil.which("pip3") is None:
        return ""
    completed = process.run(
        ["pip3", "config", "get", "global.index-url"], check=False, timeout_s=30
    )
    return completed.stdout.strip() if completed.ok else ""
