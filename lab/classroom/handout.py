"""What a student is told on their handout; their private key is not among it."""

from __future__ import annotations

from dataclasses import dataclass

# Where a student's browser finds port 80 of their machine, on their own computer.
FORWARDED_PORT = 8080
_SSH, _HTTP = 22, 80


@dataclass(frozen=True, kw_only=True)
class Handout:
    """One student's way into their machine, and what to do there.

    Attributes:
        lab: the lab's name, and what `ssh` calls the machine on the student's computer.
        title: what the lab is about, in `language`.
        login: the student's account.
        name: who they are.
        machine: what lab calls the machine.
        address: where it is, an IP address.
        ssh_port: the port there of its SSH server.
        web_port: the port there of its site.
        address_stays: whether that stays its address while the machine exists.
        vhost: the name of the student's site.
        host_key: the machine's public host key, its kind and its base64.
        fingerprint: that key's, as `ssh` shows it.
        first: what to do first, line by line, in `language`; what stands between backticks is to be
            typed.
        language: of the page.
        via: the jump host as `ssh -J` takes it, `[USER@]HOST[:PORT]`; "" for none.
        contact: whom to ask, "" for the teacher.
    """

    lab: str
    title: str
    login: str
    name: str
    machine: str
    address: str
    address_stays: bool
    vhost: str
    host_key: str
    fingerprint: str
    first: tuple[str, ...]
    language: str
    via: str = ""
    contact: str = ""
    ssh_port: int = _SSH
    web_port: int = _HTTP

    @property
    def target(self) -> str:
        """How lab's commands name this student's machine."""
        return f"{self.lab}/{self.login}"

    @property
    def key_name(self) -> str:
        """What the private key's file is called: keys of several labs are side by side."""
        return f"{self.machine}.key"

    @property
    def via_host(self) -> str:
        """The jump host's name alone."""
        return self.via.rpartition("@")[2].partition(":")[0]

    @property
    def via_user(self) -> str:
        """The account on the jump host, "" where it is not said."""
        return self.via.rpartition("@")[0]

    @property
    def key_commands(self) -> str:
        """What puts the key where the commands below look for it, a command a line."""
        place = f"~/.ssh/{self.key_name}"
        return f"mkdir -p ~/.ssh\nmv {self.key_name} ~/.ssh/\nchmod 600 {place}"

    @property
    def ssh_command(self) -> str:
        """What opens a shell there; through a jump host it brings the site along."""
        site = f"{FORWARDED_PORT}:{self.address}:{self.web_port}"
        jump = f"-J {self.via} -L {site} " if self.via else ""
        port = f"-p {self.ssh_port} " if self.ssh_port != _SSH else ""
        return f"ssh -i ~/.ssh/{self.key_name} {jump}{port}{self.login}@{self.address}"

    @property
    def ssh_config(self) -> str:
        """Lines for `~/.ssh/config` that make `ssh LAB` enough."""
        lines = [
            f"Host {self.lab}",
            f"  HostName {self.address}",
            *([f"  Port {self.ssh_port}"] if self.ssh_port != _SSH else []),
            f"  HostKeyAlias {self.machine}",
            f"  User {self.login}",
            f"  IdentityFile ~/.ssh/{self.key_name}",
            "  IdentitiesOnly yes",
        ]
        if self.via:
            lines += [
                f"  ProxyJump {self.via}",
                f"  LocalForward {FORWARDED_PORT} {self.address}:{self.web_port}",
            ]
        return "\n".join(lines)

    @property
    def known_hosts(self) -> str:
        """The line for `~/.ssh/known_hosts`: by the alias above, and by the address."""
        at = self.address if self.ssh_port == _SSH else f"[{self.address}]:{self.ssh_port}"
        return f"{self.machine},{at} {self.host_key}"

    @property
    def web_address(self) -> str:
        """Where the site answers, as `HOST[:PORT]`: on the student's computer, or the machine's."""
        if self.via:
            return f"localhost:{FORWARDED_PORT}"
        return self.address if self.web_port == _HTTP else f"{self.address}:{self.web_port}"

    @property
    def curl_command(self) -> str:
        """What asks for the site without any name being known."""
        return f'curl -H "Host: {self.vhost}" http://{self.web_address}/'

    @property
    def hosts_line(self) -> str:
        """The line for `/etc/hosts` that has a browser find the site."""
        return f"{'127.0.0.1' if self.via else self.address} {self.vhost}"

    @property
    def url(self) -> str:
        """What a browser then opens."""
        port = FORWARDED_PORT if self.via else self.web_port
        return f"http://{self.vhost}{f':{port}' if port != _HTTP else ''}/"
