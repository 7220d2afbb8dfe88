# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers to a rotation's requests mean, and what becomes of each login. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
_DONE = ("created", "updated", "unchanged")


class Answer:
    """What outgoing_users has said of the logins of these entries, for which the vendor was asked to do something."""

    def __init__(self, entries: Sequence[Mapping[str, Any]], result: Mapping[str, Any], which: str = NEXT) -> None:
        """result: of outgoing_users. which: next_login, or login where it was about the present logins."""
        self._which = which
        self._entries = [(entry, key_of(entry, which)) for entry in entries]
        self._users = [(Key.of_result(user), user) for user in result.get("users", ())]

    def _acted(self, *actions: str) -> set[Key]:
        """Those with whom it has done one of these things."""
        return {key for key, user in self._users if user["action"] in actions}

    def _password(self, *words: str) -> set[Key]:
        """Those of whose password it says one of these words."""
        return {key for key, user in self._users if user.get("password") in words}

    def to_try(self) -> list[Mapping[str, Any]]:
        """The entries whose logins have to be tried.

        That are those of which outgoing_users did not say that the password is set or right, and every second login,
        since the mail servers must not move before it works.
        """
        sure = self._acted(*_DONE) & self._password(*_WORKING)
        # Set, as the API says, but nobody could log in from the controller: the mail servers will.
        said = self._acted("created", "updated", "unknown") & self._password("unknown")
        return [
            entry
            for entry, key in self._entries
            if entry["moves"] or not (key in sure or (key in said and not tried_first(entry, self._which)))
        ]

    def accepted(self, proofs: Sequence[Mapping[str, Any]]) -> list[str]:
        """The names of those whose password the vendor takes.

        proofs: of smtp_login_info, for what `to_try` gives. A second login that works is not enough: where a call has
        failed, it may be without the limits of the first.
        """
        works = {proof["login"] for proof in proofs if proof["accepted"] and proof.get("may_send", True)}
        doubtful = {entry["name"] for entry in self.to_try()}
        bad = {key for key, _user in self._users} - self._acted(*_DONE)
        return [
            entry["name"]
            for entry, key in self._entries
            if not (entry["moves"] and key in bad) and (entry["name"] not in doubtful or entry[self._which] in works)
        ]

    def proven(self, proofs: Sequence[Mapping[str, Any]]) -> list[str]:
        """The names of those whose password has let somebody in: outgoing_users itself, or the proofs."""
        works = {proof["login"] for proof in proofs if proof["accepted"]}
        right = self._password(*_WORKING)
        return [entry["name"] for entry, key in self._entries if entry[self._which] in works or key in right]

    def refused(self, proofs: Sequence[Mapping[str, Any]]) -> list[str]:
        """The names of those whose password the API did not set, and the smarthost does not take."""
        refused = {proof["login"] for proof in proofs if proof["accepted"] is False}
        failed = self._acted("failed")
        return [entry["name"] for entry, key in self._entries if entry[self._which] in refused and key in failed]

    def made(self) -> list[str]:
        """The names of those whose only login the vendor did not have, so outgoing_users has made it."""
        created = self._acted("created")
        return [entry["name"] for entry, key in self._entries if not entry["moves"] and key in created]

    def not_done(self) -> list[str]:
        """The names of those whose login is not as it was wanted, such as locked."""
        done = self._acted("updated", "unchanged")
        return [entry["name"] for entry, key in self._entries if key not in done]


def removals(entries: Sequence[Mapping[str, Any]], ends: Mapping[str, str]) -> list[dict[str, Any]]:
    """The option `users` of outgoing_users that removes the login of each pair that nobody uses any more.

    ends: what becomes of each, by name. None is removed of an entry that is not done, or whose login stays.
    """
    return [{**options_of(key_of(entry, which)), "state": "absent"} for entry, which in _unused(entries, ends)]


def after_removal(
    entries: Sequence[Mapping[str, Any]], ends: Mapping[str, str], result: Mapping[str, Any]
) -> dict[str, str]:
    """What becomes of each entry when the logins that nobody uses are removed; one that is still there is not done.

    result: of outgoing_users with what `removals` gives.
    """
    gone = {Key.of_result(user) for user in result.get("users", ()) if user["action"] in ("removed", "unchanged")}
    open_ = {COMMITTED: PENDING, ROLLED_BACK: ROLLING_BACK}
    still = [entry["name"] for entry, which in _unused(entries, ends) if key_of(entry, which) not in gone]
    return {**ends, **{name: open_[ends[name]] for name in still}}


def _unused(entries: Sequence[Mapping[str, Any]], ends: Mapping[str, str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each entry with a login that nobody uses any more, and which of the two that is."""
    for entry in entries:
        which = {COMMITTED: "login", ROLLED_BACK: NEXT}.get(ends.get(entry["name"], ""), "")
        if which and entry["moves"]:
            yield entry, which


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
    accepted: Sequence[str],
    hosts: Mapping[str, Mapping[str, Any]],
    roll_back: bool = False,
) -> list[dict[str, Any]]:
    """The credentials, each with `outcome`, what is to become of it.

    accepted: the names of those whose next password the vendor takes.
    hosts: host -> state, which is active, failed or anything else for a host that was not reached.
    roll_back: all of them. An old password that strangers know is never set again.
    """
    names = set(accepted)

    def decided(entry: Mapping[str, Any]) -> str:
        states = {str(hosts.get(host, {}).get("state")) for host in entry["hosts"]}
        if roll_back:
            return ROLLED_BACK
        if entry["name"] not in names:
            return NOT_CHANGED
        if states <= {"active"}:
            return COMMITTED
        return ROLLED_BACK if "failed" in states and not entry["leaked"] else PENDING

    return [{**entry, "outcome": decided(entry)} for entry in entries]


def conclusion(
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
