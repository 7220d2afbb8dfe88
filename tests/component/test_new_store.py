# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action new_store: a store that its vault password opens, and nothing that was there before is touched."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from tests.support.action import Controller

STORE, KEY = "credentials.yml", "key"


def make(directory: Path, *, check: bool = False, store: str = STORE, key: str = KEY) -> dict[str, Any]:
    arguments = {"path": str(directory / store), "vault_password_file": str(directory / key)}
    return Controller(directory).run_action("new_store", arguments, check=check)


def refused(directory: Path, **options: Any) -> str:
    with pytest.raises(AnsibleActionFail) as caught:
        make(directory, **options)
    return str(caught.value)


def test_the_password_opens_the_store_and_it_takes_credentials(tmp_path: Path) -> None:
    predicted = make(tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
    done = make(tmp_path)
    assert done == predicted
    assert done["changed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [STORE, KEY]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    password = (tmp_path / KEY).read_text().strip()
    assert len(password) == 48
    assert password not in repr(done)
    run = Controller(tmp_path, [("default", password)])
    arguments = {"path": str(tmp_path / STORE), "names": ["alice@example.com"]}
    assert run.run_action("credential_store", {"path": str(tmp_path / STORE)})["credentials"] == []
    assert run.run_action("credential_store", arguments)["changed"]
    assert (tmp_path / STORE).read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")


def test_two_stores_have_two_passwords(tmp_path: Path) -> None:
    make(tmp_path)
    make(tmp_path, store="other.yml", key="other")
    assert (tmp_path / KEY).read_text() != (tmp_path / "other").read_text()


@pytest.mark.parametrize("name", [STORE, KEY])
@pytest.mark.parametrize("kind", ["file", "empty", "folder", "link", "loose"])
@pytest.mark.parametrize("check", [True, False])
def test_nothing_is_replaced(tmp_path: Path, name: str, kind: str, check: bool) -> None:
    path, target = tmp_path / name, tmp_path / "target"
    if kind == "folder":
        path.mkdir()
    elif kind in ("link", "loose"):
        path.symlink_to(target)
        if kind == "link":
            target.write_text("somebody's")
    else:
        path.write_text("somebody's" if kind == "file" else "")
    before = sorted(found.name for found in tmp_path.iterdir())
    assert f"already: {path}. It was not touched" in refused(tmp_path, check=check)
    assert sorted(found.name for found in tmp_path.iterdir()) == before
    if kind in ("file", "link"):
        assert path.read_text() == "somebody's"


@pytest.mark.parametrize("check", [True, False])
def test_a_second_run_touches_nothing(tmp_path: Path, check: bool) -> None:
    made = make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert make(tmp_path, check=check) == {**made, "changed": False}
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / KEY).write_text("another vault password")
    assert f"in {tmp_path / KEY} does not open the store {tmp_path / STORE}" in refused(tmp_path)
    for content in (b"", b"\xff\xfe", b"credentials: {}"):
        (tmp_path / STORE).write_bytes(content)
        assert "does not open the store" in refused(tmp_path)
        assert (tmp_path / STORE).read_bytes() == content
    (tmp_path / STORE).unlink()
    (tmp_path / STORE).mkdir()
    assert "cannot be read: Is a directory" in refused(tmp_path)


@pytest.mark.parametrize("check", [True, False])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, check: bool) -> None:
    for options in ({"store": f"none/{STORE}"}, {"key": f"none/{KEY}"}):
        assert f"{tmp_path}/none is no folder; make it first" in refused(tmp_path, check=check, **options)
    assert "name the same file" in refused(tmp_path, check=check, key=STORE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", [0, 1])
def test_a_full_disk_leaves_no_store_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    """The first file is the vault password, the second one the store."""
    link, calls = os.link, 0

    def full(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", full)
    assert "cannot be made: No space left on device" in refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [KEY][:fails]
