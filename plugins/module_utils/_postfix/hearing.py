# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps an SMTP client from hearing of STARTTLS and AUTH, or from speaking TLS, so that all its mail waits."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path

from .commands import Instance, PostfixError
from .settings import RelaySettings
from .tables import split

#: A table that takes the place of smtp_discard_ehlo_keywords for the addresses in it.
KEYWORDS_BY_ADDRESS = "smtp_discard_ehlo_keyword_address_maps"
KEYWORDS = "smtp_discard_ehlo_keywords"
PROTOCOLS = "smtp_tls_mandatory_protocols"
_NEEDED = ("starttls", "auth")
_VERSIONS = ("sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3")
_OF_TODAY = {"tlsv1.2", "tlsv1.3"}
_CERTIFICATES = tuple(f"smtp_tls_{kind}{part}_file" for kind in ("", "d", "ec") for part in ("cert", "key"))


def is_heard(value: str) -> bool:
    """Whether a list of EHLO keywords to discard leaves what the smarthost is to be heard of."""
    return not {word.lower() for word in split(value)}.intersection(_NEEDED)


def has_tls_of_today(value: str) -> bool:
    """Whether a list of TLS protocols has one that servers still speak. Old recipes name TLSv1 alone."""
    words = [word.lower() for word in re.split(r"[\s,:]+", value) if word]
    named = {word for word in words if word in _VERSIONS}
    allowed = named or set(_VERSIONS)
    for word in words:
        version = word.lstrip("!<>=")
        if version not in _VERSIONS:
            continue
        place = _VERSIONS.index(version)
        if word.startswith("!"):
            allowed -= {version}
        elif word.startswith(">="):
            allowed &= set(_VERSIONS[place:])
        elif word.startswith("<="):
            allowed &= set(_VERSIONS[: place + 1])
    return bool(allowed & _OF_TODAY)


def rules(client: Mapping[str, str]) -> dict[str, str]:
    """What of the client's settings has to be otherwise; a list stays as it is, but for what must not be in it."""
    kept = ", ".join(word for word in split(client[KEYWORDS]) if word.lower() not in _NEEDED)
    protocols = client[PROTOCOLS]
    return {
        "smtp_never_send_ehlo": "no",
        "smtp_always_send_ehlo": "yes",
        KEYWORDS: client[KEYWORDS] if is_heard(client[KEYWORDS]) else kept,
        PROTOCOLS: protocols if has_tls_of_today(protocols) else "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
    }


def client(instance: Instance) -> dict[str, str]:
    """The effective settings of the administrator's SMTP client."""
    overrides = instance.overrides("smtp/unix")
    expanded = {name: instance.expand(value) if "$" in value else value for name, value in overrides.items()}
    return {**instance.everything(), **expanded}


def check(instance: Instance, settings: RelaySettings) -> None:
    """Refuse where a file that is gone, or a filter of replies, would let all mail wait."""
    found = client(instance)
    for name in _CERTIFICATES if settings.tls_level != "may" else ():
        path = found.get(name, "")
        if path.startswith("/") and not Path(path).exists():
            raise PostfixError(
                f"{name}: {path} is not there, so the SMTP client would have no TLS and all mail would wait; put it "
                f"there, or take {name} out."
            )
    needed = [] if settings.implicit_tls else ["STARTTLS"]
    needed += ["AUTH PLAIN LOGIN"] if settings.default_login or settings.logins else []
    said = [f"250{separator}{words}" for words in needed for separator in "- "]
    for table in split(found["smtp_reply_filter"]):
        for line, instead in (instance.lookup(table, said) or {}).items():
            if not instead.startswith(line[:8]):
                raise PostfixError(
                    f"smtp_reply_filter: {table} makes '{instead}' of '{line}', so all mail would wait; let it leave "
                    "that line alone."
                )


def check_addresses(instance: Instance, settings: RelaySettings, separate: str) -> None:
    """Refuse where the table of keywords by address has one of the smarthost."""
    tables = split(client(instance)[KEYWORDS_BY_ADDRESS])
    addresses = _addresses(settings) if tables else []
    for table in tables:
        for address, value in (instance.lookup(table, addresses) or {}).items():
            if not is_heard(value):
                raise PostfixError(
                    f"{KEYWORDS_BY_ADDRESS}: {table} discards '{value}' of {address}, so all mail to the smarthost "
                    f"would wait; take {' and '.join(map(str.upper, _NEEDED))} out of that entry, or {separate}."
                )


def _addresses(settings: RelaySettings) -> list[str]:
    """The addresses that the smarthost has now; none where its name cannot be resolved."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(entry[4][0]) for entry in found})
