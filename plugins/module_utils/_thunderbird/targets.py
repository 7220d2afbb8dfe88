# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose profiles are meant, and the same edit in each of them, with that person's rights."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from . import files, overrides, policies, profile, profiles
from .child import Owner, person_named, run_as
from .errors import ThunderbirdError, code_of, sentence
from .installation import FLATPAKS, NEWEST_TESTED, Installation, installations, libraries, untested_version
from .nss import Keys

# People, not system accounts; as login.defs of every distribution has it.
FIRST_PERSON, NOBODY = 1000, 65534

# What happened in one profile: user, path, action, and before and after or reason; see the module's RETURN.
Result = dict[str, Any]


class Edit(NamedTuple):
    """The edit that every profile gets."""

    wanted: profile.Wanted
    nss_library: str
    program_directory: str
    primary_password: str
    wait_for_close: int
    check: bool

    def keys(self, path: Path, installed: list[Installation]) -> Keys:
        """What opens the saved logins of the profile `path`."""
        return Keys(libraries(path, self.nss_library, installed), self.primary_password)


def people() -> list[str]:
    """The login names of everybody on this host who has a home directory."""
    return [
        person.pw_name
        for person in pwd.getpwall()
        if FIRST_PERSON <= person.pw_uid != NOBODY and os.access(person.pw_dir, os.F_OK)
    ]


def edit_path(path: Path, edit: Edit) -> list[Result]:
    """Edit the profile in this directory, with the rights of its owner; raises ThunderbirdError where it is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise ThunderbirdError(f"there is no profile directory {path} ({error.strerror})", "not_found") from None
    owner = Owner(status.st_uid, status.st_gid)

    def work() -> list[Result]:
        profile.require(path)
        installed = installations(edit.program_directory, owner.home)
        return [_attempt(owner.name, path, partial(_edit, path.resolve(), installed, edit))]

    return list(run_as(owner, work))


def edit_person(name: str, edit: Edit, *, every: bool, create: bool) -> list[Result]:
    """Edit the profiles of this person: those in use, or `every` one; with `create` also a new one where there is none.

    Raises ThunderbirdError where there is no such person, or their profiles cannot be told apart.
    """
    person = person_named(name)
    home = Path(person.pw_dir)

    def work() -> list[Result]:
        if not home.is_dir():
            raise ThunderbirdError(f"the home directory {home} is not there", "not_found")
        if not edit.check:
            profiles.clean_up(home)
        installed = installations(edit.program_directory, home)
        paths = profiles.find(home, every=every)
        if not paths and create and edit.wanted.server:
            return [_attempt(name, None, partial(_create, home, installed, edit))]
        return [_attempt(name, path, partial(_edit, path, installed, edit)) for path in paths]

    return list(run_as(Owner(person.pw_uid, person.pw_gid), work))


def _edit(path: Path, installed: list[Installation], edit: Edit) -> Result:
    # A flatpak does not see the policies of the host.
    in_flatpak = any(f"/{kind.root}/" in str(path) for kind in FLATPAKS)
    managed = overrides.of_policies(None if in_flatpak else policies.policies_file(edit.program_directory))
    keys = edit.keys(path, installed)
    outcome = profile.edit(path, edit.wanted, keys, managed, wait_for_close=edit.wait_for_close, check=edit.check)
    version = untested_version(path, installed)
    if version and edit.wanted.server and edit.wanted.server.login:
        outcome.warnings.append(
            f"{path} is used by Thunderbird {version}, and tested is up to {NEWEST_TESTED}; see whether it sends "
            "without asking for the password, as a newer one may keep passwords elsewhere"
        )
    return outcome._asdict()


def _create(home: Path, installed: list[Installation], edit: Edit) -> Result:
    new = profiles.new(home, installed)
    result: Result = {"new_profile": True}
    if edit.check:
        return {**_edit(new.directory, installed, edit), **result, "path": None}
    root = new.directory.parent
    made = [path for path in (root, *root.parents) if not path.exists()]
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # The stage is called after the profile, so that after a kill `clean_up` knows what nothing has named yet.
        with files.stage(root, new.directory.name) as stage:
            whole = stage / new.directory.name
            whole.mkdir(mode=0o700)
            result.update(_edit(whole, installed, edit))
            files.write(stage / new.registry.name, new.registry_content, like=new.registry)
            whole.rename(new.directory)
            try:
                files.move([new.registry.name], stage, root)
            except BaseException:
                shutil.rmtree(new.directory)
                raise
    except BaseException:
        for path in made:
            path.rmdir()
        raise
    warnings = [text.replace(str(whole), str(new.directory)) for text in result["warnings"]]
    return {**result, "warnings": warnings, "path": str(new.directory)}


def _attempt(name: str, path: Path | None, work: Callable[[], Result]) -> Result:
    """One profile that cannot be changed does not keep the others from it."""
    result: Result = {"user": name, "path": str(path) if path else None, "new_profile": False}
    try:
        return {**result, **work()}
    except Exception as error:
        return {**result, **failed(error)}


def failed(error: Exception) -> Result:
    """What is said of a profile, or of a person, that could not be changed."""
    return {"action": "failed", "reason": sentence(error), "code": code_of(error)}
