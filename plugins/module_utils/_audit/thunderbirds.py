# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with people's Thunderbirds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._users.user import Key
from .finding import Finding, Unseen, found
from .rule import THUNDERBIRDS
from .seen import Seen


def findings(seen: Seen) -> Iterator[Finding]:
    """Logins in profiles against those that the descriptions give to these people."""
    described = {seen.key_in_use(sender) for _one, sender in seen.senders()}
    for host, computer in seen.computers.items():
        people = seen.people.get(host, ())
        for profile in computer.profiles or ():
            wanted = {_key(seen, one) for one in people if _is_of(one, profile)}
            for server in profile["servers"]:
                key = Key.of_login(server["login"])
                # Where no description names the computer, its inventory may say as what its people send.
                if key not in wanted and (people or key not in described):
                    yield found("undescribed_thunderbird", host, user=profile["user"], login=server["login"])
        if computer.profiles is not None:
            yield from _missing(seen, host, people, computer.profiles)


def unseen(seen: Seen) -> Iterator[Unseen]:
    """What could not be looked at."""
    for host, computer in seen.computers.items():
        if computer.profiles is None:
            yield Unseen(THUNDERBIRDS, f"{host}, as what its people send", computer.reason or "it could not be reached")
        for profile in computer.profiles or ():
            if profile["reason"]:
                yield Unseen(THUNDERBIRDS, f"{host}, as what {profile['user']} sends", profile["reason"])


def _missing(
    seen: Seen, host: str, people: Sequence[Mapping[str, Any]], profiles: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    for one in people:
        theirs = [profile for profile in profiles if _is_of(one, profile)]
        has = {Key.of_login(server["login"]) for profile in theirs for server in profile["servers"]}
        if _key(seen, one) not in has and not any(profile["reason"] for profile in theirs):
            yield found("thunderbird_login_missing", host, user=one.get("user") or one["profile"], login=one["login"])


def _is_of(one: Mapping[str, Any], profile: Mapping[str, Any]) -> bool:
    """Whether it is the profile of this person of a description."""
    if one.get("profile") and profile["path"]:
        return bool(one["profile"] == profile["path"])
    return bool(one.get("user") == profile["user"])


def _key(seen: Seen, one: Mapping[str, Any]) -> object:
    return Key.of_login(seen.passwords.in_use.get(one["login"], one["login"]))
