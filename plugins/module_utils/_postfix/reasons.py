# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why mail waits, in groups of which each has one remedy. What the server wrote decides the group and goes nowhere."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

#: What Postfix puts before a reason while it does not even try.
_SUSPENDED = "delivery temporarily suspended: "
#: The server of which a reason tells, the first that it names: what follows are words of that server.
_SERVER = re.compile(r"(?P<host>[^\s\[\]]+)\[(?:[0-9a-f.:]+|[^\s\]]*/[^\s\]]*)\]|\bname=(?P<name>\S+)", re.IGNORECASE)
#: The code of its reply: "said: 451 ...", "refused to talk to me: 421 ...".
_CODE = re.compile(r"\b(?:said|talk to me): (\d{3})\b")
_DOMAIN = re.compile(r"@([^@>]*)$")


class Group(NamedTuple):
    """Reasons that one thing mends. The first group whose code or words are in a reason has it."""

    name: str
    remedy: str
    codes: frozenset[str] = frozenset()
    words: str = r"(?!)"


GROUPS = (
    Group(
        "lock",
        "the vendor has locked the sender: find out why, give it a new password if it has leaked, and unlock it "
        "(locked: false)",
        words=r"\blocked\b|\baccount (?:is |was |has been )?(?:suspended|disabled)\b",
    ),
    Group(
        "limit",
        "the sender has reached its limits: see whether its password has leaked, then raise its limits, or switch them "
        "off where several people share the address",
        words=r"too many messages|\blimit (?:was |has been )?(?:exceeded|reached)|"
        r"\b(?:exceeded|reached) .*\b(?:limit|quota)",
    ),
    Group(
        "tls",
        "no connection was encrypted, or verified as the smarthost's: look for what stands between, and at "
        "smarthost_ca_path and smarthost_certificate_names",
        # Words of Postfix, not of a reply.
        words=r"^(?!.*\bsaid: \d).*(?:no mechanism available|no worthy mechs|\b(?:start)?tls\b|\bssl\b|"
        r"server certificate)",
    ),
    Group(
        "password",
        "the smarthost refuses the login, or this host after too many refusals: find the right password with "
        "smtp_login_info, and let apply set it up",
        frozenset({"530", "534", "535", "538"}),
        r"authentication failed|denied authentication|authentication required|for authori[sz]ed users only|"
        r"relay not permitted",
    ),
    Group(
        "busy",
        "the smarthost takes ten connections at a time from one address: lower concurrency of postfix_relay, or find "
        "what else sends from this address",
        frozenset({"421"}),
        r"too many (?:concurrent )?(?:smtp )?connections",
    ),
    Group(
        "unreachable",
        "the smarthost could not be reached, or has not answered: look at its name in DNS, the firewall and the "
        "network of this host",
        words=r"^connect to |name service error|host or domain name not found|timed out|lost connection|"
        r"connection (?:refused|reset)|unreachable|no route to host",
    ),
    Group(
        "not_tried",
        "Postfix has not tried it yet: where it grows old, see whether Postfix runs and what its log says of it",
        words=r"^$",
    ),
    Group("other", "read with 'postqueue -p' on the host what the server says", words=r""),
)


def group(reason: str) -> Group:
    """The group of a reason; an empty one is that of mail that was not tried."""
    said, code = _plain(reason), code_of(reason)
    return next(each for each in GROUPS if code in each.codes or re.search(each.words, said, re.IGNORECASE))


def code_of(reason: str) -> str:
    """The code of the server's reply, such as 535; empty where no server has replied."""
    found = _CODE.search(reason)
    return found[1] if found else ""


def _plain(reason: str) -> str:
    return reason[len(_SUSPENDED) :] if reason.startswith(_SUSPENDED) else reason


class Way(NamedTuple):
    """Which mail goes to the smarthost.

    is_general: whether Postfix sends mail there by itself, so what names no server is on its way there as well.
    local: the domains whose mail this host keeps.
    """

    smarthost: str
    is_general: bool = True
    local: frozenset[str] = frozenset()

    def leads(self, reason: str, recipient: str) -> bool:
        """Whether mail for this recipient that waits for this reason is on its way to the smarthost."""
        server = server_of(reason)
        if server is not None:
            return server == self.smarthost.lower()
        domain = _DOMAIN.search(recipient)
        return self.is_general and domain is not None and domain[1].lower() not in self.local


def server_of(reason: str) -> Optional[str]:
    """The server that a reason names, None where it names none."""
    found = _SERVER.search(_plain(reason))
    return (found["host"] or found["name"]).lower() if found else None
