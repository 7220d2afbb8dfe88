# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one profile into the wanted state: read, plan, and write all of it or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import files, lock, nss, overrides
from .errors import ThunderbirdError
from .logins import EMPTY, LoginsFile, milliseconds
from .preferences import Preferences
from .saved_login import LoginChange, LoginPlan, plan_gone, plan_saved
from .server import SERVERS, OutgoingServer, SavedLogin, ServerEntry

PREFERENCES = "prefs.js"
LOGINS = "logins.json"
BACKUP = "logins-backup.json"
# From 153 on Thunderbird has a second store of logins, logins.db, which is to take the place of logins.json. It copies
# all of logins.json there at its next start where this is true (LoginManagerRustMirror.sys.mjs).
COPY_LOGINS = "signon.rustMirror.migrationNeeded"


class Wanted(NamedTuple):
    """What one profile should have; None: `server` be gone, the others stay as they are."""

    entry: str
    server: OutgoingServer | None
    password: str | None = None
    default_server: bool | None = None
    identities: list[str] | None = None


class Outcome(NamedTuple):
    """What was done, or would be: `action` is created, updated, removed or unchanged."""

    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    warnings: list[str]


def require(profile: Path) -> None:
    """ThunderbirdError where this is not the directory of a profile."""
    if not profile.is_dir():
        raise ThunderbirdError(f"there is no profile directory {profile}", "not_found")
    if not any((profile / name).exists() for name in (PREFERENCES, "times.json")):
        raise ThunderbirdError(f"{profile} is not a Thunderbird profile: it has neither prefs.js nor times.json")


def edit(
    profile: Path, wanted: Wanted, keys: nss.Keys, policies: overrides.Overrides, *, wait_for_close: int, check: bool
) -> Outcome:
    """Plan and, unless `check`, write; a profile that is already as wanted may be in use.

    Raises ThunderbirdError or OSError; nothing is written then.
    """
    plan = _Plan(profile, wanted, keys, policies)
    if not plan.changed:
        return plan.outcome(() if check else _clean_up(profile))
    if check:
        holder = lock.user_of(profile)
        in_use = [f"{profile} is in use by {holder}: a real run waits {wait_for_close} s for it to close"]
        return plan.outcome(in_use if holder else [])
    with lock.held(profile, wait_for_close):
        # A Thunderbird that closed meanwhile has written its files once more.
        plan = _Plan(profile, wanted, keys, policies)
        if plan.changed:
            plan.write()
    return plan.outcome()


def _clean_up(profile: Path) -> list[str]:
    """Remove what a run that was killed has left; a warning where that has to wait."""
    leftovers = files.left_behind(profile)
    if leftovers:
        try:
            # Whoever holds the lock may be another run, at work in there.
            with lock.held(profile, 0):
                files.clean_up(profile)
        except ThunderbirdError as error:
            return [
                f"{leftovers[0]} has copies of saved logins, left by an interrupted run, and stays for now: {error}"
            ]
    return []


class _Plan:
    """The wanted content of the profile's files, from their present content."""

    def __init__(self, profile: Path, wanted: Wanted, keys: nss.Keys, policies: overrides.Overrides) -> None:
        self._profile = profile
        self._keys = keys
        self._original = files.read(profile / PREFERENCES) or b""
        self._preferences = Preferences(self._original)
        self._logins = saved_logins(profile)
        self._warnings: list[str] = []
        at_start = overrides.of_profile(profile, policies)
        entry = ServerEntry(self._preferences, wanted.entry, str(at_start.defaults.get(SERVERS, "")))
        self._before = entry.describe()
        ours = entry.saved_login
        self._login = self._plan_login(ours, wanted)
        if wanted.server:
            entry.put(wanted.server)
            if wanted.default_server is not None:
                entry.set_default(wanted.default_server)
            if wanted.identities is not None:
                unknown = entry.set_identities(wanted.identities)
                self._warnings += [f"{profile} has no identity with the address {address}" for address in unknown]
            entry.saved_login = self._login.ours
        else:
            entry.remove()
        overrides.require_harmony(self._preferences, wanted.entry, at_start, wanted=wanted.server is not None)
        # Also where a run was killed after it had changed the logins, and before what it remembers of them.
        if self._login.changes or entry.saved_login != ours:
            self._preferences.set(COPY_LOGINS, value=True)
        self._after = entry.describe()
        self._before["saved_password"] = self._login.before
        self._after["saved_password"] = self._login.after

    def _plan_login(self, ours: SavedLogin | None, wanted: Wanted) -> LoginPlan:
        if wanted.server and wanted.server.login:
            return plan_saved(self._logins.logins, self._decrypt, wanted.server, wanted.password, ours=ours)
        return plan_gone(self._logins.logins, self._decrypt, ours)

    def _decrypt(self, encrypted: Sequence[str]) -> list[str]:
        key_database = self._profile / nss.KEY_DATABASE
        if self._logins.logins and not key_database.exists():
            # With a new one in its place, they would stay unreadable also when it is found again.
            raise ThunderbirdError(
                f"the saved logins have lost their key database key4.db; restore {key_database} from a backup, or "
                "remove logins.json and logins-backup.json, which nothing can read without it"
            )
        return nss.decrypt(self._profile, self._keys, encrypted)

    @property
    def changed(self) -> bool:
        """Is there anything to write?"""
        return bool(self._login.changes) or self._preferences.content != self._original

    def outcome(self, warnings: Sequence[str] = ()) -> Outcome:
        """What the plan does, in words."""
        if not self.changed:
            action = "unchanged"
        elif not self._after["server"]:
            action = "removed"
        else:
            action = "updated" if self._before["server"] else "created"
        return Outcome(action, self._before, self._after, [*self._warnings, *warnings])

    def write(self) -> None:
        """Write everything aside first, so that a full disk or a wrong key is met before anything is replaced."""
        with files.stage(self._profile) as stage:
            names = self._stage_logins(stage) if self._login.changes else []
            if self._preferences.content != self._original:
                files.write(stage / PREFERENCES, self._preferences.content, like=self._profile / PREFERENCES)
                # The preferences remember the login that is ours: before it comes, and until it is gone. So a run that
                # is killed between two files leaves nothing that the next one would take for the person's own. And of a
                # new password, the next run would not know that it is to be copied.
                first = all(change.is_new or change.is_new_password_only for change in self._login.changes)
                names.insert(0 if first else len(names), PREFERENCES)
            files.move(names, stage, self._profile)

    def _stage_logins(self, stage: Path) -> list[str]:
        """Write logins.json and what goes with it; returns the names in the order of their replacement."""
        names = []
        texts = [text for change in self._login.changes for text in (change.username, change.password)]
        plain = [text for text in texts if text is not None]
        encrypted: list[str] = []
        if plain:
            (stage / "keys").mkdir()
            for name in nss.DATABASES:
                content = files.read(self._profile / name)
                if content is not None:
                    files.write(stage / "keys" / name, content, like=self._profile / name)
            aes = any(nss.is_aes(login["encryptedPassword"]) for login in self._logins.logins)
            encrypted = nss.encrypt(stage / "keys", self._keys, plain, aes=aes)
            for name in nss.DATABASES:
                if (stage / "keys" / name).read_bytes() != files.read(self._profile / name):
                    shutil.move(str(stage / "keys" / name), str(stage / name))
                    names.append(name)
        self._apply(encrypted)
        backup = self._backup()
        if backup is not None:
            files.write(stage / BACKUP, backup, like=self._profile / BACKUP)
            names.append(BACKUP)
        # After the backup: the next run looks no further than here for what is still to be done.
        files.write(stage / LOGINS, self._logins.content, like=self._profile / LOGINS)
        names.append(LOGINS)
        return names

    def _apply(self, encrypted: list[str]) -> None:
        texts = iter(encrypted)
        for change in self._login.changes:
            username = next(texts) if change.username is not None else None
            password = next(texts) if change.password is not None else None
            if not change.origin:
                self._logins.remove(change.guid)
            elif change.is_new:
                self._logins.add(change.guid, change.origin, username or "", password or "")
            else:
                self._logins.replace(self._changed_login(change, username, password))

    def _changed_login(self, change: LoginChange, username: str | None, password: str | None) -> dict[str, Any]:
        login = next(login for login in self._logins.logins if login["guid"] == change.guid)
        login["hostname"] = login["httpRealm"] = change.origin
        if username is not None:
            login["encryptedUsername"] = username
        if password is not None:
            login["encryptedPassword"] = password
            login["timePasswordChanged"] = milliseconds()
        if "syncCounter" in login:
            login["syncCounter"] += 1
        return login

    def _backup(self) -> bytes | None:
        """logins-backup.json without what goes or moves away; None where it needs no change.

        Thunderbird keeps its last but one logins.json there and restores it when logins.json is damaged.
        """
        stays = {change.guid for change in self._login.changes if change.is_new_password_only}
        gone = {change.guid for change in self._login.changes} - stays
        try:
            content = files.read(self._profile / BACKUP)
            backup = LoginsFile(EMPTY if content is None else content)
        except ThunderbirdError:
            return None
        stale = [login["guid"] for login in backup.logins if login["guid"] in gone]
        for guid in stale:
            backup.remove(guid)
        return backup.content if stale else None


def saved_logins(profile: Path) -> LoginsFile:
    """The logins that Thunderbird would have after its next start.

    In every save it moves logins.json to logins-backup.json, and then the new one into its place. Where it was ended in
    between, it starts from the backup (JSONFile.sys.mjs), which a logins.json of ours alone would have it overwrite.
    """
    content = files.read(profile / LOGINS)
    if content is not None:
        return LoginsFile(content)
    backup = files.read(profile / BACKUP)
    return LoginsFile(EMPTY) if backup is None else LoginsFile(backup, backup=True)
