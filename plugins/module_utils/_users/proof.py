# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written is seen at the far end: the server's "done" proves nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .._smarthost.connection import Smarthost
from .._smarthost.login import LoginProof, Refusals, Verdict, prove_login, prove_logins
from .plan import CREATED, FAILED, LOGIN_REFUSED, ON_CREATE, PASSWORD_SET, UNKNOWN, UPDATED, Change
from .user import DOMAIN, counted, first_three

#: When the first login is tried again after a refusal, as parts of the time that there is: the smarthost may lag.
_PAUSES = (0.2, 0.8)
#: How long the first login waits that may not be tried again, as the budget has one refusal left.
_ONLY_PAUSE = 0.1


def prove_written(
    changes: Sequence[Change], server: Smarthost, *, refusals: Refusals, patience: float, connections: int
) -> str:
    """Log in with each password that was set, and note in its change what that has shown.

    The first one goes alone, and is tried again for `patience` seconds, so that a smarthost that lags, or a server that
    only says that it has set passwords, costs few refused logins. With update_password: on_create nobody logs in,
    unless the caller has made the password for a new user.
    Gives the reason why some could not be tried, or "".
    """
    written = [change for change in changes if _is_to_prove(change)]
    if not written:
        return ""
    pairs = [(change.login, change.secret or "") for change in written]
    proofs = [_prove_first(server, pairs[0], refusals, patience)]
    proofs += prove_logins(server, pairs[1:], connections=connections, refusals=refusals)
    for change, proof in zip(written, proofs):
        _note(change, proof, refusals)
    return next((proof.reason for proof in proofs if proof.verdict is Verdict.UNKNOWN), "")


def prove_nothing(changes: Sequence[Change], reason: str) -> None:
    """Note in each change whose password was set, or would be in check mode, that no login can prove it."""
    for change in changes:
        if _is_to_prove(change):
            change.is_unproven(reason)


def _is_to_prove(change: Change) -> bool:
    return (
        change.password == PASSWORD_SET
        and change.action in (CREATED, UPDATED)
        and change.works is not True
        and change.wanted is not None
        and (change.wanted.update_password != ON_CREATE or change.wanted.is_for_a_new_user)
    )


def _prove_first(server: Smarthost, pair: tuple[str, str], refusals: Refusals, patience: float) -> LoginProof:
    if patience > 0 and refusals.spent(1) and not refusals.spent():
        time.sleep(_ONLY_PAUSE * patience)
    proof = prove_login(server, *pair, refusals=refusals)
    for part in _PAUSES if patience > 0 else ():
        if proof.verdict is not Verdict.REFUSED or refusals.spent():
            break
        time.sleep(part * patience)
        proof = prove_login(server, *pair, refusals=refusals)
    return proof


def _note(change: Change, proof: LoginProof, refusals: Refusals) -> None:
    if proof.verdict is Verdict.ACCEPTED:
        change.works = True
    elif proof.verdict is Verdict.REFUSED:
        form = "; see domain_login for other forms of its login" if change.authentication == DOMAIN else ""
        change.fail(
            f"the server says that the password of {change.key.name} is set, but {proof.reason} to the login "
            f"{change.login}{form}. The smarthost may lag, or the server has not set it; run again.",
            LOGIN_REFUSED,
        )
    else:
        change.is_unproven(proof.reason)
        if change.added and refusals.spent():
            # Others that the server has added cannot log in, so its word is nothing.
            change.action, change.unknown = UNKNOWN, ["existence"]


def note_invisible(changes: Sequence[Change], seconds: float) -> str:
    """Note in these changes that the list does not show them after so many seconds; gives a warning, or "".

    A user that is new and logs in is there, whatever a list shows.
    """
    for change in changes:
        proven = change.action == CREATED and change.works and change.after is not None and not change.after.state
        if change.action in (FAILED, UNKNOWN) or proven:
            continue
        change.action = UNKNOWN
        change.reason = (
            f"the server says that it is done, but its list does not show it after {seconds:.0f} seconds: the list "
            "lags, or the server has not done it"
        )
    if not changes:
        return ""
    return (
        f"{counted(len(changes), 'change')} not visible in the server's list after {seconds:.0f} seconds "
        f"({first_three(changes)}): the server's caches lag, or it has not taken them over."
    )
