# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a rotation: what is asked of the vendor in which order, and what the store knows meanwhile.

What is decided is decided in module_utils/_rotation; here stands only when. Each phase begins with what the one before
has returned, and with the store; a run that was killed is finished by one that begins anew, from the store alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..module_utils._rotation import description, objections, outcome, plan, report
from ..module_utils._rotation.entry import NEXT
from ..module_utils._smarthost.login import MOST_REFUSALS
from ._container import in_container
from ._owner import StopError, write_report
from ._rotation_means import LOGIN, Entry, Means, Proof, Run

PHASES = ("begin", "plan", "prepare", "switch", "decide", "finish")


class Rotation(Means):
    """The phases. Each raises StopError, InputError and StoreError; afterwards the store is to be released."""

    # Begin

    def begin(self) -> None:
        """Check what was described, keep the store for this run, and see what the API offers."""
        self._stop_for(description.problems(self._wanted, self._options["accounts"]))
        self._check_controller()
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

    def _check_controller(self) -> None:
        """See that the report can be written, and that the store outlives the run."""
        target = self._wanted.get("report")
        if target and not Path(os.path.realpath(Path(target).expanduser())).parent.is_dir():
            raise StopError(
                f"The folder of the report {target} is not there; make it, or correct spamexperts_rotation.report."
            )
        if in_container() and not self._wanted.get("store_is_kept") and not self._check_mode:
            raise StopError(
                "This run is in a container, whose disk may be thrown away after it, and with it the only copy of the "
                f"new passwords. Mount the folder of {self._options['path']} from outside, and say so with "
                "store_is_kept: true."
            )

    # Plan

    def plan(self) -> None:
        """Work out what is rotated, and where."""
        known = [entry.to_result() for _name, entry in sorted(self._read().entries.items())]
        uses, *others = (self._options[name] for name in ("uses", "senders", "clients", "described_passwords"))
        made = plan.plan(self._wanted, known, uses, self.data["works"], *others)
        self._stop_for(made["problems"])
        self.data["plan"] = made

    # Prepare

    def prepare(self) -> None:
        """See that nothing speaks against it, and have the next passwords in the store before anybody uses them."""
        others: Mapping[str, Any] = self._options["others"]
        self._stop_for(objections.undeclared(self.data["plan"], others), "No password was changed.")
        self.data["not_looked_at"] = (
            [] if self._goes_back else [host for host, relay in others.items() if "installed" not in relay]
        )
        self._stop_unless_ready()
        self._look_at_list()
        if self._goes_back:
            return
        self._stop_for(objections.locked(self._entries, self.data["present"]), "Nothing was changed.")
        renewed = self._renewable()
        for entry in self._entries:
            entry["renewed"] = entry["name"] in renewed
        self._stage()

    def _stop_unless_ready(self) -> None:
        if self._wanted.get("emergency") or self._wanted.get("leave_out_broken_hosts"):
            return
        states = {host: self._options["hosts"].get(host) or {} for host in self.data["plan"]["hosts"]}
        reason = objections.not_ready(states)
        if reason:
            raise StopError(reason)

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
        self._stop_for(objections.missing_users(self._entries, self.data["present"]), "Nothing was changed.")

    def _renewable(self) -> list[str]:
        """The credentials whose next password an earlier run saw refused, while the old one is in force."""
        known = self._read().entries
        refused = [
            entry for entry in self._entries if known[entry["name"]].refused and not known[entry["name"]].switched
        ]
        why = "see whether the old passwords are in force, as the next ones were refused"
        accepted = {proof["login"] for proof in self._log_in(refused, LOGIN, why) if proof["accepted"]}
        return [entry["name"] for entry in refused if entry["login"] in accepted]

    # Switch

    def switch(self) -> None:
        """Have the vendor take the next passwords, and remember which of them it takes."""
        self._stop_unless_ready()
        self.data["accepted"] = []
        if self._goes_back:
            return
        now = _now()
        self.data.update(Run(changed=now.isoformat(), window_opened=now.timestamp()))
        to_lock = [entry for entry in self._entries if entry["locks"]]
        # The next password shuts a stranger out as well, so a lock that fails stops nothing.
        locking = self._lock(to_lock, True, "lock the logins first")
        sent = self._set(self._entries, NEXT, "set the next passwords")
        answer = outcome.Answer(self._entries, sent)
        # A second login is tried with the senders that it has to send for, before any mail server moves.
        tried = self._log_in_where_in_doubt(answer.to_try(), NEXT, "try the logins that are new or in doubt")
        if self._check_mode:
            return
        accepted = answer.accepted(tried)
        self._note("switch", accepted, "switched")
        self._note("refuse", answer.refused(tried), "refused")
        # The first login of two has its old password until it is removed.
        staying = [entry for entry in self._entries if not entry["moves"]]
        still_locked = self._unlock(staying, accepted, "unlock the logins whose passwords are new")
        self.data.update(
            Run(
                accepted=accepted,
                sent=[user for user in sent.get("users", ()) if user.get("reason")],
                tried=tried,
                proven=answer.proven(tried),
                made=answer.made(),
                lock_failed=outcome.Answer(to_lock, locking, LOGIN).not_done(),
                unlock_failed=still_locked,
            )
        )

    def _unlock(self, entries: Sequence[Entry], names: Sequence[str], why: str) -> list[str]:
        """Unlock those of these entries that are locked and named; the names of those that are locked still."""
        to_unlock = [entry for entry in entries if entry["locked"] and entry["name"] in names]
        return outcome.Answer(to_unlock, self._lock(to_unlock, False, why), LOGIN).not_done()

    # Decide

    def decide(self) -> None:
        """Decide about each login by what became of its mail servers, and have the vendor take old passwords again."""
        hosts = self._options["hosts"]
        decided = outcome.outcome(self._entries, self.data["accepted"], hosts, roll_back=self._goes_back)
        decided, refused = self._prove(decided, hosts)
        back = [entry for entry in decided if entry["outcome"] == outcome.ROLLED_BACK and not self._check_mode]
        # Where the vendor does not take it, the next password stays in force, and in the store.
        # The first of two logins may have been removed already.
        answer = outcome.Answer(back, self._set(back, LOGIN, "set the old passwords again"), LOGIN)
        tried = self._log_in_where_in_doubt(answer.to_try(), LOGIN, "try the old logins that are in doubt")
        returned = answer.accepted(tried)
        still_locked = self._unlock(back, returned, "unlock the logins that have their old passwords")
        # The next passwords stay in the store until no mail server uses one.
        again = [*returned, *refused]
        self._note("revert", again, "reverted")
        self.data.update(Run(decided=decided, returned=returned, in_use_again=again, unlock_back_failed=still_locked))

    def _prove(
        self, decided: Sequence[Entry], hosts: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """See that every new password works before an old one is forgotten; whose were refused and are not in use then.

        Mail servers have logged in with theirs. Where the controller cannot reach the smarthost, one of them is asked.
        """
        self.data.update(Run(prover="", to_prove=[]))
        if self._check_mode:
            return [dict(entry) for entry in decided], []
        open_ = outcome.to_prove(decided, self.data.get("proven", ()), hosts)
        why = "prove the new passwords that no mail server has logged in with"
        proofs = self._log_in_within_budget(open_, NEXT, why)
        if open_ and all(proof["accepted"] is None for proof in proofs) and self._refusals < MOST_REFUSALS:
            self.data["prover"] = next((host for host, state in hosts.items() if state.get("state") == "active"), "")
            self.data["to_prove"] = [{"name": entry["name"], "login": entry[NEXT]} for entry in open_]
        return self._judged(decided, open_, proofs)

    def _judged(
        self, decided: Sequence[Entry], asked: Sequence[Entry], proofs: Sequence[Proof]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """The credentials, those that were asked by their proofs; and whose old passwords are in use then."""
        self.data["tried"] = [*self.data.get("tried", ()), *proofs]
        found = outcome.judged(decided, [entry["name"] for entry in asked], proofs)
        names = {entry["name"] for entry in asked if not entry["leaked"]}
        back = [entry["name"] for entry in found if entry["name"] in names and entry["outcome"] == outcome.NOT_CHANGED]
        return found, back

    # Finish

    def finish(self) -> None:
        """Remove the logins that nobody uses any more, let the store forget what is over, and report."""
        self._hear_proofs()
        ends = self._conclude()
        unused = outcome.removals(self._entries, ends)
        removal = self._manage(unused, "remove the logins that nobody uses any more")
        ends = outcome.after_removal(self._entries, ends, removal)
        still_works, refused = self._ask_leaked(ends)
        ends.update(dict.fromkeys(still_works, outcome.PENDING))
        for end, change in ((outcome.COMMITTED, "commit"), (outcome.ROLLED_BACK, "roll_back")):
            self._note(change, [name for name, what in ends.items() if what == end], end)
        self._note("forget_former", refused, "without the former password")
        made = report.report(self.data["plan"], self._seen(ends, still_works))
        self.data = Run(
            report=made,
            summary=report.summary(made),
            open=report.unfinished(made, roll_back=self._goes_back),
        )
        self._write_report()

    def _write_report(self) -> None:
        target = self._wanted.get("report")
        if target and not self._check_mode:
            text = json.dumps(self.data["report"], indent=4, sort_keys=True) + "\n"
            write_report("spamexperts_rotation.report", target, text, self.data["summary"])

    def _hear_proofs(self) -> None:
        """Take in what a mail server has found out about the new passwords that nobody could prove before."""
        asked = [entry for entry in self.data["decided"] if entry["outcome"] == outcome.UNPROVEN]
        self.data["decided"], back = self._judged(self.data["decided"], asked, self._options["proofs"])
        self._note("revert", back, "reverted")

    def _conclude(self) -> dict[str, str]:
        """What has become of each credential, by name; nothing in check mode."""
        if self._check_mode:
            return {}
        # What is still locked, or unknown to another store, is not done.
        unfinished = [
            *self.data.get("unlock_failed", ()),
            *self.data["unlock_back_failed"],
            *self._options["not_handed_over"],
        ]
        hosts, clients = self._options["hosts"], self._options["clients"]
        return outcome.conclusion(self.data["decided"], self.data["returned"], unfinished, hosts, clients)

    def _ask_leaked(self, ends: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Ask a few logins whether their leaked password is refused now; whose still works, and whose is refused."""
        asked = [entry for entry in self._entries if entry["leaked"] and ends.get(entry["name"]) == outcome.COMMITTED]
        asked = [] if self._check_mode else asked[: max(0, MOST_REFUSALS - self._refusals)]
        still, refused = asked, set()
        for pause in self._pauses():
            self._sleep(pause if still else 0)
            proofs = self._log_in(still, LOGIN, "see whether the passwords that have leaked are refused")
            accepted = {proof["login"] for proof in proofs if proof["accepted"]}
            refused |= {proof["login"] for proof in proofs if proof["accepted"] is False}
            still = [entry for entry in still if entry["login"] in accepted]
        return [entry["name"] for entry in still], [entry["name"] for entry in asked if entry["login"] in refused]

    def _seen(self, ends: Mapping[str, str], still_works: Sequence[str]) -> dict[str, Any]:
        """What the report is made of."""
        handed_on = ("started", "changed", "sent", "tried", "made", "lock_failed", "not_looked_at")
        unlock_failed = self.data.get("unlock_failed", ())
        return {
            **{name: value for name, value in self.data.items() if name in handed_on},
            **{name: self._options[name] for name in ("hosts", "clients", "not_handed_over")},
            "finished": _now().isoformat(),
            "old_works": still_works,
            "unlocked": [name for name in self.data["accepted"] if name not in unlock_failed],
            "outcome": ends,
            "emergency": bool(self._wanted.get("emergency")),
        }


def _now() -> datetime:
    return datetime.now(timezone.utc)
