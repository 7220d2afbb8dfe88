# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs with --tags: those that would do nothing fail, and the tags of an import_playbook work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.playbook import OUT_OF_REACH, PlaybookRun, ansible_environment, run_playbook

ANOTHER = {
    "hosts": "localhost",
    "gather_facts": False,
    "tags": ["other"],
    "tasks": [{"ansible.builtin.debug": {"msg": "other work"}}],
}


def run(folder: Path, *tags: str, imported: bool | None = False) -> PlaybookRun:
    """Run rotation_status, for which no store is named.

    imported: as the part `status` of a site; None as a part of it without tags.
    """
    site = folder / "site.yml"
    status: dict[str, object] = {"ansible.builtin.import_playbook": "smarthost.spamexperts.rotation_status"}
    if imported:
        status["tags"] = ["status"]
    site.write_text(yaml.safe_dump([status, ANOTHER]), encoding="utf-8")
    playbook = "smarthost.spamexperts.rotation_status" if imported is False else str(site)
    options = [f"--tags={','.join(tags)}"] if tags else []
    return run_playbook(playbook, ["-i", "localhost,", *options], ansible_environment(folder))


@pytest.mark.parametrize(
    ("tags", "imported", "expected"),
    [
        (("status",), False, "This run is limited to the tags status, which no task of this playbook has"),
        (("status",), True, "There is no credential store at"),
        (("other",), True, "other work"),
        (("other",), None, "other work"),
    ],
)
def test_tags(tmp_path: Path, tags: tuple[str, ...], imported: bool | None, expected: str) -> None:
    done = run(tmp_path, *tags, imported=imported)
    assert expected in done.output
    assert done.returncode == (0 if expected == "other work" else 2)


@pytest.mark.parametrize(
    ("playbook", "option", "expected"),
    [
        ("apply", "--tags=x", "This run is limited to the tags x, which no task of this playbook has"),
        ("onboard_domain", "--tags=x", "This run is limited to the tags x, which no task of this playbook has"),
        ("apply", "--limit=mail1", "This run is limited to mail1, and what is declared is read and asked of the"),
        ("offboard_user", "--limit=mail1", "This run is limited to mail1, and what is declared is read and asked of"),
    ],
)
def test_what_would_leave_out_the_vendor_is_refused(tmp_path: Path, playbook: str, option: str, expected: str) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"mail_relays": {"hosts": {"mail1": OUT_OF_REACH}}}), encoding="utf-8")
    arguments = ["-i", str(inventory), option]
    done = run_playbook(f"smarthost.spamexperts.{playbook}", arguments, ansible_environment(tmp_path), folder=tmp_path)
    assert expected in done.output
    assert done.returncode == 2
