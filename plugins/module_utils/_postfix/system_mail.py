# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail of the host itself, such as cron's: from whom it leaves, and whether that can be. Reads only."""

from __future__ import annotations

import pwd
import secrets
import socket
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Optional

from .._names import ascii_name
from .commands import Instance
from .parameters import GENERIC, OUR_SERVICES
from .settings import RelaySettings
from .tables import split

#: In the order in which they rewrite a sender on its way out.
_REWRITING = ("sender_canonical_maps", "canonical_maps", "smtp_generic_maps")
#: Below it are the accounts of the system, such as root and www-data; nobody has the highest.
_FIRST_PERSON = 1000
_NOBODY = 65534
_DNS_SECONDS = 2.0
_NAME_DOES_NOT_EXIST = 3  # RFC 1035, 4.1.1
_TYPE_MX = 15


def own_domains(instance: Instance) -> tuple[str, str]:
    """What Postfix writes behind the name of an account (myorigin), and the name of the host."""
    known = instance.effective(["myorigin", "myhostname"])
    origin = known["myorigin"]
    if origin.startswith("/"):  # as Debian's /etc/mailname; postconf does without neither the file nor a word in it
        origin = Path(origin).read_text("utf-8", "replace").split()[0]
    return origin.lower(), known["myhostname"].lower()


def own_senders(instance: Instance, settings: RelaySettings) -> list[str]:
    """The host's own senders that no login is for, as keys of a table.

    All at the name of the host; where another domain stands behind their names, which people may have as well, only the
    accounts of the system.
    """
    origin, host = own_domains(instance)
    known = login_domains(settings)
    keys = [] if host in known else [f"@{host}"]
    if origin != host and origin not in known:
        system = [user.pw_name for user in pwd.getpwall() if user.pw_uid < _FIRST_PERSON or user.pw_uid == _NOBODY]
        keys += [f"{name}@{origin}" for name in sorted(set(system))]
    return [key for key in keys if key not in settings.named_senders]


def login_domains(settings: RelaySettings) -> set[str]:
    """The domains whose mail a login of these is for."""
    names = [*settings.named_senders, *(login.name for login in settings.logins)]
    names += [settings.default_login.name] if settings.default_login else []
    return {ascii_name(name.rpartition("@")[2]) for name in names}


def sender_now(instance: Instance) -> str:
    """As whom mail of root leaves, by what the administrator's tables make of it."""
    sender = f"root@{own_domains(instance)[0]}"
    tables = instance.effective(_REWRITING)
    for name in _REWRITING:
        local, _at, domain = sender.rpartition("@")
        keys = [sender, local, f"@{domain}"]
        for table in split(tables[name]):
            found = instance.lookup(table, keys) or {}
            new = next((found[key] for key in keys if key in found), "")
            if new:
                sender = f"{local}{new}" if new.startswith("@") else new
                break
    return sender


def leaves_as(instance: Instance, senders: Collection[str]) -> dict[str, str]:
    """These envelope senders, as the mail log has them, with those that the SMTP client makes of them."""
    services = instance.services()
    clients = [name for name in OUR_SERVICES if name in services] or ["smtp/unix"]
    usual = instance.effective([GENERIC]).get(GENERIC, "")
    found: dict[str, str] = {}
    for table in dict.fromkeys(each for one in clients for each in split(instance.overrides(one).get(GENERIC, usual))):
        known = instance.lookup(table, sorted({*senders, *(f"@{one.rpartition('@')[2]}" for one in senders)})) or {}
        for sender in senders:
            new = known.get(sender) or known.get(f"@{sender.rpartition('@')[2]}")
            if new:
                found.setdefault(sender, new if "@" in new.lstrip("@") else f"{sender.rpartition('@')[0]}{new}")
    return {sender: found.get(sender, sender) for sender in senders}


def warnings(instance: Instance, settings: RelaySettings) -> list[str]:
    """Say where the host's own mail would leave from somebody whom the smarthost does not know."""
    if settings.only_named_senders or settings.system_sender is not None:
        return []
    sender = sender_now(instance)
    domain = sender.rpartition("@")[2]
    if domain in login_domains(settings):
        return []
    missing = _asks_dns(instance) and not exists_in_dns(domain)
    if settings.by_address and not missing:
        return []
    why = f"no login here is for {domain}{', which does not exist in the DNS either' if missing else ''}"
    return [
        f"Mail of the host itself, such as cron's, leaves as {sender}, and {why}; where the smarthost refuses it, "
        "nobody reads what comes back. Set system_sender (the role's outgoing_mail_system_sender) to an address, or to "
        "true for the login, or to false where this is meant."
    ]


def _asks_dns(instance: Instance) -> bool:
    """Whether Postfix itself looks names up there; where it does not, nobody else does."""
    known = instance.effective(["smtp_dns_support_level", "disable_dns_lookups", "smtp_host_lookup"])
    return (
        known.get("smtp_dns_support_level") != "disabled"
        and known.get("disable_dns_lookups") != "yes"
        and "dns" in known.get("smtp_host_lookup", "dns")
    )


def exists_in_dns(domain: str, servers: str = "/etc/resolv.conf", port: int = 53) -> bool:
    """Whether a domain exists, as far as a name server says that it does not; of the files of this host none counts."""
    query = secrets.token_bytes(2) + struct.pack("!5H", 0x0100, 1, 0, 0, 0)  # recursion desired, one question
    labels = [ascii_name(label) for label in domain.split(".")]
    query += b"".join(bytes([len(label)]) + label.encode() for label in labels) + struct.pack("!B2H", 0, _TYPE_MX, 1)
    reply = _asked(query, _name_server(servers), port)
    return reply is None or reply[:2] != query[:2] or reply[3] & 0x0F != _NAME_DOES_NOT_EXIST


def _name_server(path: str) -> str:
    lines = Path(path).read_text("utf-8", "replace").splitlines() if Path(path).is_file() else []
    servers = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return servers[0] if servers else "127.0.0.1"


def _asked(query: bytes, server: str, port: int) -> Optional[bytes]:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_DNS_SECONDS)
        try:
            channel.sendto(query, (server, port))
            reply = channel.recv(512)
        except OSError:
            return None
    return reply if len(reply) > 3 else None
