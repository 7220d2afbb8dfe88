# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What onboard_domain says at its end: who may send, how, how much, what is left to do. Pure, no I/O, no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._domains.spf import DEFAULT_INCLUDE
from .._thunderbird.dialogue import settings_by_hand
from .._users.user import DOMAIN, IP, LIMIT_NAMES, USER
from .onboarding import relay_sender, users

_WIDTH = 32


def summary(facts: Mapping[str, Any]) -> list[str]:
    """Give the lines of the summary.

    facts: `onboarding`; the results of the tasks `api`, `domain`, `users` and, where it ran, `spf`; `smarthost` as
    host:port; `relays`, host -> what it says of itself; `relay_hosts`, the pattern that names them, and the `groups` of
    the inventory; `managed`, the logins that were entered into Thunderbird by the playbook; `check`, whether nothing
    was done.
    """
    onboarding, result = facts["onboarding"], facts["users"]
    name = onboarding["domain"]
    predicted = " (check mode: nothing was changed)" if facts.get("check") else ""
    lines = [f"{name} sends through {facts['smarthost']}, STARTTLS and login{predicted}.", "", "Who may send"]
    lines += [_sender(user) for user in result["users"]]
    for title, rows in (
        (
            "To do by hand: this server's API has no known call that sets limits; set them in the control panel",
            _by_hand(facts),
        ),
        ("Discouraged: whoever gets onto a host that sends by its address sends as anyone", _named(result, IP)),
        (f"Weaker than users: whoever has this password sends as any address of {name}", _named(result, DOMAIN)),
        ("Thunderbird, to enter by hand (English, German)", _clients(facts)),
        ("Mail servers", _relays(facts)),
        ("What the DNS needs, so that receivers accept the mail", _spf(name, onboarding, facts.get("spf"))),
    ):
        if rows:
            lines += ["", title, *rows]
    return [*lines, "", _changes(facts)]


def _row(left: str, *rest: str) -> str:
    return f"  {left:{_WIDTH}} {' '.join(rest)}".rstrip()


def _sender(user: Mapping[str, Any]) -> str:
    limits = user.get("state", {}).get("limits", {})
    # A new user inherits whatever is not set. Of another one it is known only where the list shows it.
    inherited = user["action"] == "created" or "inherit" in limits
    return _row(
        user.get("login") or user["username"],
        f"{user['authentication_method']:7}",
        f"{user['action']:10}",
        limit_text(limits) or ("limits of the account" if inherited else "limits not known"),
    )


def limit_text(limits: Mapping[str, Any]) -> str:
    """Give limits in words; nothing where none is set for this user itself."""
    if limits.get("enabled") is False:
        return "limits switched off"
    own = [f"{limits[name]} {name.replace('_', ' ')}" for name in LIMIT_NAMES if name in limits]
    return ", ".join(own)


def _by_hand(facts: Mapping[str, Any]) -> list[str]:
    if facts["api"]["works"]["change_limits"]:
        return []
    wanted = users(facts["onboarding"])
    return [
        _row(user.get("username") or "the domain user", limit_text(user["limits"]))
        for user in wanted
        if "limits" in user
    ]


def _clients(facts: Mapping[str, Any]) -> list[str]:
    """What those people enter whose Thunderbird is not managed, and who are not a mail server's login."""
    sender = relay_sender(facts["onboarding"]) or {}
    done = {sender.get("login"), *facts.get("managed", [])}
    senders = [user for user in facts["users"]["users"] if user["authentication_method"] == USER]
    logins = [user["login"] for user in senders if user["login"] not in done]
    host, _colon, port = str(facts["smarthost"]).rpartition(":")
    return settings_by_hand(logins, host, int(port)) if logins else []


def _relays(facts: Mapping[str, Any]) -> list[str]:
    pattern = facts.get("relay_hosts", "mail_relays")
    if facts.get("relays"):
        return [_row(host, text) for host, text in facts["relays"].items()]
    if pattern != "mail_relays":
        missing = f"no host of the inventory is meant by spamexperts_relay_hosts: {pattern}"
    elif pattern in facts.get("groups", ()):
        missing = "the group mail_relays of the inventory is empty"
    else:
        missing = "the inventory has no group mail_relays"
    return [f"  None was set up: {missing}."]


def _named(result: Mapping[str, Any], authentication: str) -> list[str]:
    return [
        _row(user.get("login") or user["username"])
        for user in result["users"]
        if user["authentication_method"] == authentication
    ]


def _spf(name: str, onboarding: Mapping[str, Any], looked_up: Any) -> Iterable[str]:
    include = onboarding.get("spf_include") or DEFAULT_INCLUDE
    found = looked_up["domains"][0] if looked_up and looked_up.get("domains") else {}
    problems = [f"  {problem}" for problem in found.get("problems", ())]
    # To be copied: on a line of its own, and without quotation marks, which ansible-core would print as \".
    title = f"  TXT record of {name} (a zone file has it in quotation marks):"
    if found.get("recommended_record"):
        return [title, f"  {found['recommended_record']}", *problems]
    # Where the DNS did not answer, or its record is broken, nothing can be recommended on top of it.
    return [
        *problems,
        title,
        f"  v=spf1 include:{include} ~all",
        f"  A record that is there already gets include:{include} before its all: there must be one SPF record only.",
    ]


def _changes(facts: Mapping[str, Any]) -> str:
    totals = [f"{count} {action.replace('_', ' ')}" for action, count in facts["users"]["totals"].items() if count]
    return f"Domain {'changed' if facts['domain']['changed'] else 'unchanged'}; senders: {', '.join(totals) or 'none'}."
