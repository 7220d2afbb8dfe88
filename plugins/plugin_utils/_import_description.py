# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a domain that is there already, as text of a file, and how it differs from another one.

Pure, no I/O. What is not known, and what would let `apply` change something, stands in a comment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from ..module_utils._declaration.description import LOCKED, Description
from ..module_utils._declaration.only import login_of
from ..module_utils._names import InputError, check_sender_network, normalise_domain
from ..module_utils._users.user import INHERIT, IP, LIMIT_NAMES, LOCK_SETTINGS, USER, Key, parse_state, parse_wanted

_DOMAIN_PARTS = ("abuse_contact", "destinations")
_TEMPLATE = ("{{", "{%")


@dataclass(frozen=True)
class FoundDomain:
    """A domain of an account. parts: abuse_contact and destinations, where the server shows them.

    users: as outgoing_user_info shows them; those of which only a login has shown that they are there have no more than
    who they are. notes: who it is -> comments. doubtful: who may be there, with the reason why nobody knows.
    """

    domain: str
    account: str
    parts: Mapping[str, Any]
    listed: bool
    users: Sequence[Mapping[str, Any]]
    notes: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    doubtful: Mapping[Key, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As the server has it."""
        return normalise_domain(self.domain)


class Written(NamedTuple):
    """The text of a file, and who is there and cannot stand in it, one sentence each."""

    text: str
    left_out: list[str]


def describe(
    found: FoundDomain, defaults: Mapping[str, Any], settable: Collection[str], taken: Mapping[str, str]
) -> Written:
    """The description of this domain. defaults: what lies beneath it.

    settable: the free settings that the server has a call for. taken: networks of other domains' senders -> whose.
    """
    lines = [
        f"# Written by smarthost.spamexperts.import_site, from the account {_plain(found.account)}. What is not known,",
        "# and what would change something, stands in a comment.",
        f"domain: {_scalar(found.domain)}",
    ]
    if found.account != defaults.get("account", "default"):
        lines.append(f"account: {_scalar(found.account)}")
    for part in _DOMAIN_PARTS:
        value = found.parts.get(part)
        if value and not _has_template(value):
            lines.append(f"{part}: {_scalar(value)}")
        elif part not in found.parts:
            lines.append(f"# {part}: not known, as the server does not show it")
    if not found.listed:
        lines.append("# The account does not show its senders. These are those whose logins work; no limits are known.")
    left_out: list[str] = []
    senders: list[str] = []
    for user in found.users:
        senders += _sender(found, user, defaults, settable, taken, left_out)
    for key, reason in sorted(found.doubtful.items()):
        senders.append(f"  # {_plain(login_of(key))}: {_plain(reason)}")
    lines.append("senders:" if any(not line.startswith("  #") for line in senders) else "senders: []")
    return Written("\n".join([*lines, *senders]) + "\n", left_out)


def _sender(
    found: FoundDomain,
    user: Mapping[str, Any],
    defaults: Mapping[str, Any],
    settable: Collection[str],
    taken: Mapping[str, str],
    left_out: list[str],
) -> list[str]:
    key = Key(found.name, user["username"])
    entry, unsaid = sender_entry(user, found.name, defaults, settable)
    reason = _cannot_stand(entry, key, taken)
    if reason:
        left_out.append(f"{login_of(key)} is there and cannot be described: {reason}")
        return [f"  # {_plain(login_of(key))} cannot be described: {_plain(reason)}"]
    first, *others = [f"{name}: {_scalar(value)}" for name, value in entry.items()]
    comments = [*unsaid, *found.notes.get(key, ())]
    return [f"  - {first}", *(f"    {line}" for line in others), *(f"    # {_plain(text)}" for text in comments)]


def sender_entry(
    user: Mapping[str, Any], domain: str, defaults: Mapping[str, Any], settable: Collection[str]
) -> tuple[dict[str, Any], list[str]]:
    """An entry of `senders` that says what the list shows of a user, and comments on what it cannot say.

    What comes from the level above is left out, unless the defaults say something else.
    """
    method, username = user["authentication_method"], user["username"]
    entry: dict[str, Any] = {"username": username} if username else {}
    unsaid: list[str] = []
    if method != USER:
        entry["authentication_method"] = method
    if method == IP:
        entry.update(_ip_options(username))
    if user.get("locked"):
        entry["state"] = LOCKED
    limits = _limits(user.get("limits") or {}, defaults.get("limits") or {})
    parts: list[tuple[str, Any]] = [("limits", limits)] if limits else []
    parts += [(name, user[name]) for name in LOCK_SETTINGS if name in user and user[name] != defaults.get(name)]
    shown = user.get("settings") or {}
    settings = {name: value for name, value in shown.items() if name in settable and not _has_template(value)}
    parts += [("settings", settings)] if settings else []
    for name, value in parts:
        try:
            parse_state({name: value})
        except InputError:
            unsaid.append(f"{name}: {_scalar(value)}, which a description cannot say")
        else:
            entry[name] = value
    return entry, unsaid


def _limits(shown: Mapping[str, Any], beneath: Mapping[str, Any]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    # Without a word of it they are on.
    if "enabled" in shown and shown["enabled"] is not beneath.get("enabled", True):
        limits["enabled"] = shown["enabled"]
    limits.update({name: shown[name] for name in LIMIT_NAMES if name in shown and shown[name] != beneath.get(name)})
    inherited = [name for name in shown.get("inherit", ()) if name in beneath]
    return {**limits, "inherit": sorted(inherited)} if inherited else limits


def _ip_options(network: str) -> dict[str, bool]:
    """What has to be said of this address so that it may stand in a description."""
    options = {"acknowledge_ip_risk": True}
    private, wide = {"allow_private_address": True}, {"allow_wide_network": True}
    for given in ({}, private, wide, {**private, **wide}):
        try:
            allowed = (given.get(name, False) for name in (*private, *wide))
            check_sender_network(network, allow_private=next(allowed), allow_wide=next(allowed))
        except ValueError:
            continue
        return {**options, **given}
    return options  # it is no address at all


def _cannot_stand(entry: Mapping[str, Any], key: Key, taken: Mapping[str, str]) -> str:
    """Why a sender cannot stand in a description; empty where it can."""
    if _has_template(key.username):
        return "a description takes its name for a template"
    user = {name: value for name, value in entry.items() if name != "state"}
    try:
        parse_wanted({**user, "domain": key.domain}, 0, "on_mismatch")
    except InputError as problem:
        return str(problem)
    other = taken.get(key.username) if entry.get("authentication_method") == IP else None
    return f"the address is one of {other} as well, and a description gives it to one domain only" if other else ""


def use_lines(uses: Iterable[tuple[str, Any]]) -> list[str]:
    """Comments that say who uses a login; without their mark they are options of the sender."""
    by_option: dict[str, list[Any]] = {}
    for option, detail in uses:
        by_option.setdefault(option, []).append(detail)
    words = by_option.pop("", [])
    return [f"{option}: {_scalar(details)}" for option, details in sorted(by_option.items())] + words


def differences(there: Description, found: FoundDomain) -> list[str]:
    """How a description that is there differs from what was found, one sentence each."""
    lines = [
        f"{part} is {found.parts[part] or 'empty'}, and described is {there.options[part]}"
        for part in _DOMAIN_PARTS
        if part in found.parts and part in there.options and found.parts[part] != there.options[part]
    ]
    said = {sender.wanted.key: sender.wanted.user for sender in there.senders if sender.wanted.present}
    present = {Key(found.name, user["username"]): user for user in found.users}
    lines += [f"{login_of(key)} is there, and not described" for key in sorted(present.keys() - said.keys())]
    if found.listed:
        lines += [f"{login_of(key)} is described, and not there" for key in sorted(said.keys() - present.keys())]
    for key in sorted(said.keys() & present.keys()):
        state = _flat(present[key])
        lines += [
            f"{login_of(key)}: {name} is {state[name]}, and described is {value}"
            for name, value in sorted(said[key].state.items())
            if name in state and state[name] != value
        ]
    return lines


def _flat(user: Mapping[str, Any]) -> dict[str, Any]:
    """What a list shows of a user, by the names of the attributes."""
    limits = user.get("limits") or {}
    shown = {f"limits.{name}": value for name, value in limits.items() if name != "inherit"}
    shown.update({f"limits.{name}": INHERIT for name in limits.get("inherit", ())})
    shown.update({name: user[name] for name in ("locked", *LOCK_SETTINGS) if name in user})
    return {**shown, **{f"settings.{name}": value for name, value in (user.get("settings") or {}).items()}}


def _has_template(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_template, value))
    return isinstance(value, str) and any(mark in value for mark in _TEMPLATE)


def _scalar(value: object) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False)
    return text.removesuffix("...\n").strip()


def _plain(text: str) -> str:
    """Words for a comment: on one line, without anything that ends it."""
    return "".join(character if character.isprintable() else "?" for character in text)
