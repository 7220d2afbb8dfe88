# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers to a rotation's requests mean, and what becomes of each login. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._users.user import Key, identity, options_of
from .clients import people, updated
from .entry import NEXT, identities, key_of, tried_first

#: What becomes of a login. ROLLING_BACK and PENDING are not done yet, the one on its way back and the other forward;
#: nor is UNPROVEN, whose new password nobody has logged in with.
COMMITTED, ROLLED_BACK, PENDING, NOT_CHANGED = "committed", "rolled_back", "pending", "not_changed"
ROLLING_BACK, UNPROVEN = "rolling_back", "unproven"
#: The states of a password in a result of outgoing_users that a login has proven.
_WORKING = ("set", "kept")


def old_users(entries: Sequence[Mapping[str, Any]], outcome: Mapping[str, str]) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that removes the login of each pair that nobody uses any more.

    outcome: by name. None is removed of an entry that is not done, or whose login stays.
    """
    return [
        {**options_of(key_of(entry, unused)), "state": "absent"}
        for entry in entries
        if (unused := _unused(entry, outcome))
    ]


def _unused(entry: Mapping[str, Any], outcome: Mapping[str, str]) -> str:
    """Which login of an entry nobody uses any more; empty where there is none."""
    unused = {COMMITTED: "login", ROLLED_BACK: NEXT}.get(outcome.get(entry["name"], ""), "")
    return unused if entry["moves"] else ""


def _acted(result: Mapping[str, Any], *actions: str) -> set[Key]:
    """Those with whom outgoing_users has done one of these things."""
    return {Key.of_result(user) for user in result.get("users", ()) if user["action"] in actions}


def left(entries: Sequence[Mapping[str, Any]], outcome: Mapping[str, str], result: Mapping[str, Any]) -> dict[str, str]:
    """What becomes of each entry when the logins that nobody uses are removed; one that is still there is not done.

    outcome: by name, from before. result: of outgoing_users with what `old_users` gives.
    """
    gone = _acted(result, "removed", "unchanged")
    open_ = {COMMITTED: PENDING, ROLLED_BACK: ROLLING_BACK}
    still = [entry for entry in entries if (unused := _unused(entry, outcome)) and key_of(entry, unused) not in gone]
    return {**outcome, **{entry["name"]: open_[outcome[entry["name"]]] for entry in still}}


def undone(entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    """The names of the credentials whose present login outgoing_users has not brought to the wanted state."""
    done = _acted(result, "updated", "unchanged")
    return [entry["name"] for entry in entries if key_of(entry) not in done]


def taken(
    entries: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    proofs: Sequence[Mapping[str, Any]],
    which: str = NEXT,
) -> list[str]:
    """The names of the credentials whose next password, or with `login` whose old one, the vendor takes.

    result: of outgoing_users with all of them. proofs: of smtp_login_info, for those about which it was not sure.
    A second login that works is not enough: where a call has failed, it may be without the limits of the first.
    """
    accepted = {proof["login"] for proof in proofs if proof["accepted"] and proof.get("may_send", True)}
    doubtful = {entry["name"] for entry in unproven(entries, result, which)}
    failed = {
        Key.of_result(user)
        for user in result.get("users", ())
        if user["action"] not in ("created", "updated", "unchanged")
    }
    return [
        entry["name"]
        for entry in entries
        if not (entry["moves"] and key_of(entry, which) in failed)
        and (entry["name"] not in doubtful or entry[which] in accepted)
    ]


def unproven(
    entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], which: str = NEXT
) -> list[Mapping[str, Any]]:
    """The credentials whose next login, or with `login` whose old one, has to be tried.

    That are those of which outgoing_users did not say that the password is set or right, and every other login, since
    the mail servers must not move before it works.
    """
    good = {
        Key.of_result(user)
        for user in result.get("users", ())
        if user["action"] in ("created", "updated", "unchanged") and user.get("password") in _WORKING
    }
    # Set, as the API says, but nobody could log in from the controller: the mail servers will.
    said = {
        Key.of_result(user)
        for user in result.get("users", ())
        if user["action"] in ("created", "updated", "unknown") and user.get("password") == "unknown"
    }
    return [
        entry
        for entry in entries
        if entry["moves"]
        or not (key_of(entry, which) in good or (key_of(entry, which) in said and not tried_first(entry, which)))
    ]


def made(entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> list[str]:
    """The names of the credentials whose only login the vendor did not have, so that outgoing_users has made it."""
    created = _acted(result, "created")
    return [entry["name"] for entry in entries if not entry["moves"] and key_of(entry, NEXT) in created]


def proven(
    entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The names of the credentials whose next password has let somebody in: outgoing_users itself, or the proofs."""
    working = {Key.of_result(user) for user in result.get("users", ()) if user.get("password") in _WORKING}
    accepted = {proof["login"] for proof in proofs if proof["accepted"]}
    return [entry["name"] for entry in entries if entry[NEXT] in accepted or key_of(entry, NEXT) in working]


def known_refused(
    entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], proofs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The names of the credentials whose next password the API did not set, and the smarthost does not take."""
    failed = _acted(result, "failed")
    refused = {proof["login"] for proof in proofs if proof["accepted"] is False}
    return [entry["name"] for entry in entries if entry[NEXT] in refused and key_of(entry, NEXT) in failed]


def to_prove(
    entries: Sequence[Mapping[str, Any]], proven_names: Sequence[str], hosts: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The credentials that would be committed although no login has shown that their next password works.

    entries: as `outcome` gives them. hosts: host -> state, with `proven`, the logins that it has logged in with.
    """
    by_host = {host: set(map(identity, state.get("proven") or ())) for host, state in hosts.items()}
    return [
        entry
        for entry in entries
        if entry["outcome"] == COMMITTED
        and entry["name"] not in proven_names
        and not any(identity(entry[NEXT]) in by_host.get(host, ()) for host in entry["hosts"])
    ]


def judged(
    entries: Sequence[Mapping[str, Any]], asked: Sequence[str], proofs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The credentials, those whose names are `asked` with the outcome that the proofs of their next logins leave.

    A login that is refused goes back where mail servers have moved to it, unless strangers know its old password.
    """
    said = {proof["login"]: proof["accepted"] for proof in proofs}

    def now(entry: Mapping[str, Any]) -> str:
        accepted = said.get(entry[NEXT])
        if accepted is None:
            return UNPROVEN
        if accepted:
            return COMMITTED
        if not entry["hosts"]:
            return NOT_CHANGED
        return PENDING if entry["leaked"] else ROLLED_BACK

    return [{**entry, "outcome": now(entry)} if entry["name"] in asked else dict(entry) for entry in entries]


def outcome(
    entries: Sequence[Mapping[str, Any]],
    switched: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    roll_back: bool = False,
) -> list[dict[str, Any]]:
    """The credentials, each with `outcome`, what is to become of it.

    switched: the names of those whose next password the vendor takes.
    hosts: host -> state, which is active, failed or anything else for a host that was not reached.
    roll_back: all of them. An old password that strangers know is never set again.
    """
    taken_over = set(switched)

    def decided(entry: Mapping[str, Any]) -> str:
        states = {str(hosts.get(host, {}).get("state")) for host in entry["hosts"]}
        if roll_back:
            return ROLLED_BACK
        if entry["name"] not in taken_over:
            return NOT_CHANGED
        if states <= {"active"}:
            return COMMITTED
        return ROLLED_BACK if "failed" in states and not entry["leaked"] else PENDING

    return [{**entry, "outcome": decided(entry)} for entry in entries]


def settled(
    entries: Sequence[Mapping[str, Any]],
    back: Sequence[str],
    unfinished: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    clients: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """What has become of each of the credentials that `outcome` gives, by name.

    back: the names of those whose old password the vendor takes again. unfinished: of those that are still locked, or
    unknown to another store. hosts: host -> state. clients: hosts with Thunderbird, by name: state and logins.
    """
    returned, waits = set(back), set(unfinished)
    # Such a Thunderbird may use the old login or password; another run enters the same new ones.
    behind = {
        identity(person["login"]) for client in clients.values() for person in people(client) if not updated(person)
    }

    def waiting(entry: Mapping[str, Any]) -> bool:
        return entry["name"] in waits or not behind.isdisjoint(identities([entry]))

    def now(entry: Mapping[str, Any]) -> str:
        name, wanted = entry["name"], entry["outcome"]
        if wanted == ROLLED_BACK:
            if name not in returned:
                return PENDING
            done = all(hosts[host]["state"] == ROLLED_BACK for host in entry["hosts"])
            return ROLLED_BACK if done and not waiting(entry) else ROLLING_BACK
        if wanted == COMMITTED and waiting(entry):
            return PENDING
        return str(wanted)

    return {entry["name"]: now(entry) for entry in entries}
