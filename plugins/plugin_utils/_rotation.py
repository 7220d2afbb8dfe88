# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a rotation: what is asked of the vendor in which order, and what the store knows meanwhile.

What is decided is decided in module_utils/_rotation; here stands only when. Each phase begins with what the one before
has returned, and with the store; a run that was killed is finished by one that begins anew, from the store alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from ..module_utils._rotation import description, objections, outcome, plan, report
from ..module_utils._rotation.entry import NEXT
from ..module_utils._smarthost.login import MOST_REFUSALS
from ._container import in_container
from ._credentials import Credentials
from ._rotation_means import LOGIN, Entry, Means, StopError

PHASES = ("begin", "plan", "prepare", "switch", "decide", "finish")


class Rotation(Means):
    """The phases. Each raises StopError, InputError and StoreError; afterwards the store is to be released."""

    def begin(self) -> None:
        """Check what was described, keep the store for this run, and see what the API offers."""
        wanted = self._options["rotation"]
        self._stop_for(description.problems(wanted, self._options["accounts"]))
        target = wanted.get("report")
        if target and not Path(os.path.realpath(Path(target).expanduser())).parent.is_dir():
            raise StopError(
                f"The folder of the report {target} is not there; make it, or correct spamexperts_rotation.report."
            )
        if in_container() and not wanted.get("store_is_kept") and not self._check_mode:
            raise StopError(
                "This run is in a container, whose disk may be thrown away after it, and with it the only copy of the "
                f"new passwords. Mount the folder of {self._options['path']} from outside, and say so with "
                "store_is_kept: true."
            )
        self.data["started"] = _now().isoformat()
        run = self._store.this_run()
        if self._check_mode:
            self._store.check_lock(run)
            self._read()
        else:
            with self._store.locked(run):
                self._read()
                self._store.hold(run)
                self.holds = True
        answer = self._ask("api_info", "see what the API offers", self._account)
        self.data["works"] = self._succeeded(answer)["works"]

    def plan(self) -> None:
        """Work out what is rotated, and where."""
        known = [entry.to_result() for _name, entry in sorted(self._read().entries.items())]
        made = plan.plan(
            self._wanted,
            known,
            self._options["uses"],
            self.data["works"],
            self._options["senders"],
            self._options["clients"],
        )
        self._stop_for(made["problems"])
        self.data["plan"] = made

    def prepare(self) -> None:
        """See that nothing speaks against it, and have the next passwords in the store before anybody uses them."""
        others: Mapping[str, Any] = self._options["others"]
        self._stop_for(objections.strays(self.data["plan"], others), "No password was changed.")
        self.data["not_looked_at"] = (
            [] if self._goes_back else [host for host, relay in others.items() if "installed" not in relay]
        )
        self._stop_unless_well()
        self._look_at_list()
        if self._goes_back:
            return
        self._stop_for(objections.locked(self._entries, self.data["present"]), "Nothing was changed.")
        renewed = self._renewable()
        for entry in self._entries:
            entry["renewed"] = entry["name"] in renewed
        self._remember("staged", {entry["name"]: self._staging(entry) for entry in self._entries})

    def _look_at_list(self) -> None:
        """See who is there, and with which limits, where the server shows it."""
        self.data["present"] = []
        if not self.data["works"].get("read_users"):
            return
        arguments = {**self._account, "domains": sorted({entry["domain"] for entry in self._entries})}
        answer = self._ask("outgoing_user_info", "see who is at the vendor, and with which limits", arguments)
        if answer.get("failed") and not any(entry["moves"] for entry in self._entries):
            return  # a list that is of no use is not used, as outgoing_users does
        self.data["present"] = self._succeeded(answer)["users"]
        self._stop_for(objections.absent(self._entries, self.data["present"]), "Nothing was changed.")

    def _renewable(self) -> list[str]:
        """The credentials whose next password an earlier run saw refused, while the old one is in force."""
        known = self._read().entries
        refused = [
            entry for entry in self._entries if known[entry["name"]].refused and not known[entry["name"]].switched
        ]
        proofs = self._try(refused, LOGIN, "see whether the old passwords are in force, as the next ones were refused")
        accepted = {proof["login"] for proof in proofs if proof["accepted"]}
        return [entry["name"] for entry in refused if entry["login"] in accepted]

    def switch(self) -> None:
        """Have the vendor take the next passwords, and remember which of them it takes."""
        self._stop_unless_well()
        self.data["accepted"] = []
        if self._goes_back:
            return
        now = _now()
        self.data.update(changed=now.isoformat(), window_opened=now.timestamp())
        to_lock = [entry for entry in self._entries if entry["locks"]]
        # The next password shuts a stranger out as well, so a lock that fails stops nothing.
        locking = self._lock(to_lock, True, "lock the logins first")
        sent = self._set(self._entries, NEXT, "set the next passwords")
        # A second login is tried with the senders that it has to send for, before any mail server moves.
        doubtful = outcome.unproven(self._entries, sent)
        tried = self._tried(doubtful, NEXT, "try the logins that are new or in doubt")
        accepted = outcome.taken(self._entries, sent, tried)
        if self._check_mode:
            return
        self._remember("switched", {name: _change("switch", name) for name in accepted})
        refused = outcome.known_refused(self._entries, sent, tried)
        self._remember("refused", {name: _change("refuse", name) for name in refused})
        # The first login of two has its old password until it is removed.
        to_unlock = [
            entry for entry in self._entries if entry["locked"] and not entry["moves"] and entry["name"] in accepted
        ]
        unlocking = self._lock(to_unlock, False, "unlock the logins whose passwords are new")
        self.data.update(
            accepted=accepted,
            sent=[user for user in sent.get("users", ()) if user.get("reason")],
            tried=tried,
            proven=outcome.proven(self._entries, sent, tried),
            made=outcome.made(self._entries, sent),
            lock_failed=outcome.undone(to_lock, locking),
            unlock_failed=outcome.undone(to_unlock, unlocking),
        )

    def decide(self) -> None:
        """Decide about each login by what became of its mail servers, and have the vendor take old passwords again."""
        hosts = self._options["hosts"]
        decided = outcome.outcome(self._entries, self.data["accepted"], hosts, roll_back=self._goes_back)
        decided, refused = self._prove(decided, hosts)
        back = [entry for entry in decided if entry["outcome"] == outcome.ROLLED_BACK and not self._check_mode]
        # Where the vendor does not take it, the next password stays in force, and in the store.
        # The first of two logins may have been removed already.
        sent = self._set(back, LOGIN, "set the old passwords again")
        doubtful = outcome.unproven(back, sent, LOGIN)
        tried = self._tried(doubtful, LOGIN, "try the old logins that are in doubt")
        returned = outcome.taken(back, sent, tried, LOGIN)
        to_unlock = [entry for entry in back if entry["locked"] and entry["name"] in returned]
        unlocking = self._lock(to_unlock, False, "unlock the logins that have their old passwords")
        # The next passwords stay in the store until no mail server uses one.
        again = [*returned, *refused]
        self._remember("reverted", {name: _change("revert", name) for name in again})
        self.data.update(
            decided=decided,
            returned=returned,
            in_use_again=again,
            unlock_back_failed=outcome.undone(to_unlock, unlocking),
        )

    def _prove(
        self, decided: Sequence[Entry], hosts: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """See that every new password works before an old one is forgotten; whose were refused and are not in use then.

        Mail servers have logged in with theirs. Where the controller cannot reach the smarthost, one of them is asked.
        """
        self.data.update(prover="", to_prove=[])
        if self._check_mode:
            return [dict(entry) for entry in decided], []
        open_ = outcome.to_prove(decided, self.data.get("proven", ()), hosts)
        proofs = self._within_budget(open_, NEXT, "prove the new passwords that no mail server has logged in with")
        found = outcome.judged(decided, [entry["name"] for entry in open_], proofs)
        self.data["tried"] = [*self.data.get("tried", ()), *proofs]
        if open_ and all(proof["accepted"] is None for proof in proofs) and self._refusals < MOST_REFUSALS:
            self.data["prover"] = next((host for host, state in hosts.items() if state.get("state") == "active"), "")
            self.data["to_prove"] = [{"name": entry["name"], "login": entry[NEXT]} for entry in open_]
        return found, self._to_revert(found, open_)

    @staticmethod
    def _to_revert(found: Sequence[Entry], asked: Sequence[Entry]) -> list[str]:
        names = {entry["name"] for entry in asked if not entry["leaked"]}
        return [entry["name"] for entry in found if entry["name"] in names and entry["outcome"] == outcome.NOT_CHANGED]

    def finish(self) -> None:
        """Remove the logins that nobody uses any more, let the store forget what is over, and report."""
        hosts, clients = self._options["hosts"], self._options["clients"]
        not_handed_over = self._options["not_handed_over"]
        unlock_failed = self.data.get("unlock_failed", [])
        self._hear_proofs()
        settled: Mapping[str, str] = {}
        if not self._check_mode:
            # What is still locked, or unknown to another store, is not done.
            unfinished = [*unlock_failed, *not_handed_over, *self.data["unlock_back_failed"]]
            settled = outcome.settled(self.data["decided"], self.data["returned"], unfinished, hosts, clients)
        unused = outcome.old_users(self._entries, settled)
        removal: Mapping[str, Any] = {}
        if unused:
            removal = self._manage(unused, "remove the logins that nobody uses any more")
        ends = outcome.left(self._entries, settled, removal)
        ends, old_works, shut = self._ask_leaked(ends)
        for end, change in ((outcome.COMMITTED, "commit"), (outcome.ROLLED_BACK, "roll_back")):
            names = [name for name, what in ends.items() if what == end]
            self._remember(end, {name: _change(change, name) for name in names})
        self._remember("without the former password", {name: _change("forget_former", name) for name in shut})
        accepted = self.data["accepted"]
        made = report.report(
            self.data["plan"],
            {
                "started": self.data["started"],
                "changed": self.data.get("changed"),
                "finished": _now().isoformat(),
                "sent": self.data.get("sent"),
                "tried": self.data.get("tried"),
                "not_handed_over": not_handed_over,
                "old_works": old_works,
                "made": self.data.get("made"),
                "lock_failed": self.data.get("lock_failed"),
                "unlocked": [name for name in accepted if name not in unlock_failed],
                "outcome": ends,
                "hosts": hosts,
                "clients": clients,
                "emergency": bool(self._wanted.get("emergency")),
                "not_looked_at": self.data["not_looked_at"],
            },
        )
        self.data = {
            "report": made,
            "summary": report.summary(made),
            "open": report.unfinished(made, roll_back=self._goes_back),
        }

    def _hear_proofs(self) -> None:
        """Take in what a mail server has found out about the new passwords that nobody could prove before."""
        proofs = self._options["proofs"]
        if not proofs or self._check_mode:
            return
        asked = [entry for entry in self.data["decided"] if entry["outcome"] == outcome.UNPROVEN]
        decided = outcome.judged(self.data["decided"], [entry["name"] for entry in asked], proofs)
        self._remember("reverted", {name: _change("revert", name) for name in self._to_revert(decided, asked)})
        self.data.update(decided=decided, tried=[*self.data["tried"], *proofs])

    def _ask_leaked(self, ends: Mapping[str, str]) -> tuple[dict[str, str], list[str], list[str]]:
        """Ask a few logins whether their leaked password is refused now; the ends, and who is open, and shut."""
        asked = [entry for entry in self._entries if entry["leaked"] and ends.get(entry["name"]) == outcome.COMMITTED]
        asked = [] if self._check_mode else asked[: max(0, MOST_REFUSALS - self._refusals)]
        still, refused, why = asked, set(), "see whether the passwords that are out are refused"
        for pause in self._pauses():
            self._sleep(pause if still else 0)
            proofs = self._try(still, LOGIN, why)
            accepted = {proof["login"] for proof in proofs if proof["accepted"]}
            refused |= {proof["login"] for proof in proofs if proof["accepted"] is False}
            still = [entry for entry in still if entry["login"] in accepted]
        open_ = [entry["name"] for entry in still]
        shut = [entry["name"] for entry in asked if entry["login"] in refused]
        return {**ends, **dict.fromkeys(open_, outcome.PENDING)}, open_, shut


def _change(change: str, name: str) -> Callable[[Credentials], str]:
    return lambda credentials: str(getattr(credentials, change)(name))


def _now() -> datetime:
    return datetime.now(timezone.utc)
