# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `import_site` without a playbook, in the world of `apply`, which then has to agree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional

from ansible_collections.smarthost.spamexperts.plugins.module_utils._files import create_file
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils import _import_files, _import_site
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._import_found import Found

from tests.support.apply_vendor import ApplyWorld, _ApplyRun
from tests.support.killed import PlainVault

MAIL_SERVER, PERSON = "hosts", "clients"


class ImportWorld(ApplyWorld):
    """What the accounts have, and what hosts have shown. The descriptions are files."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.folder = folder / "domains"
        self.options["domains_path"] = str(self.folder)
        #: Kind -> host -> what the phase on it has returned.
        self.looks: dict[str, dict[str, dict[str, Any]]] = {MAIL_SERVER: {}, PERSON: {}}
        #: What hosts have proven that the controller could not reach.
        self.proofs: dict[str, dict[str, Any]] = {}
        #: Calls that the administrator may not make.
        self.forbidden: set[str] = set()
        #: The logins that were tried.
        self.tried: list[str] = []

    def show(self, host: str, found: Iterable[Found], *unread: str, kind: str = MAIL_SERVER) -> None:
        """Have a host that has shown these logins."""
        self.looks[kind][host] = {"found": json.dumps(list(found)), "unread": list(unread), "problem": ""}

    def take_in(self, kill_at: Optional[int] = None, **options: Any) -> dict[str, Any]:
        """Run it; the data of its last phase, and `changed` and `diffs`. Raises RuntimeError where it stops."""
        self.writes = self.refusals = 0
        self.tried = []
        given = {"describe": True, "csv": None, "proofs": self.proofs, **self.looks, **self.options, **options}
        result: dict[str, Any] = self.run(_ImportRun, given, kill_at=kill_at)
        if "stopped" in result:
            raise RuntimeError(result["stopped"])
        return result

    def descriptions(self) -> dict[str, str]:
        """The text of each file, by its name without the ending."""
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.yml"))}

    def copy(self, number: int) -> ImportWorld:
        """The same in a folder of its own."""
        other = super().copy(number)
        assert isinstance(other, ImportWorld)
        other.folder = other.path.with_name("domains")
        other.options = {**self.options, "domains_path": str(other.folder)}
        return other

    def check(self, what: str) -> None:
        """Nobody is declared by a run, and no password is made."""

    def _do_api(self, name: str, path: str) -> tuple[str, str]:
        if "/".join(path.split("/")[2:4]) in self.forbidden:
            refusal = {"error": ["You have no permission to call this method"]}
            return "answered", json.dumps({"messages": refusal, "result": None})
        return super()._do_api(name, path)

    def _do_login(self, login: str, password: str) -> Optional[bool]:
        self.tried.append(login)
        return super()._do_login(login, password)


class _ImportRun(_ApplyRun):
    """The child."""

    def whole(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Both phases on the controller."""
        self._replace()
        setattr(_import_site, "today", lambda: self._world.day)  # noqa: B010 - it is imported there
        setattr(_import_files, "create_file", self._create_file)  # noqa: B010 - it is imported there
        self._check_mode = bool(options.get("check"))
        data: dict[str, Any] = {}
        elsewhere: dict[str, Any] = {}
        changed = False
        for phase in _import_site.PHASES:
            given = {**self._options(), **options, "run": data}
            work = _import_site.ImportSite(
                given, self.store(), self._call, check_mode=self._check_mode, vault=PlainVault(None)
            )
            try:
                getattr(work, phase)()
            except ValueError as problem:
                work.release()
                return {"stopped": str(problem)}
            data = json.loads(json.dumps(work.data))
            elsewhere = data.get("elsewhere", elsewhere)
            changed = changed or work.changed
            self.transition()
        work.release()
        return {**data["report"], "changed": changed, "diffs": work.diffs, "elsewhere": elsewhere}

    def _create_file(self, path: Path, text: str) -> bool:
        self.transition()
        is_new = create_file(path, text)
        self.ask("written")
        self.transition()
        return is_new
