# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""thunderbird_certificate_authority: files and refusals; that Thunderbird trusts it is an integration test."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird import policies
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.installation import (
    PACKAGE,
    Installation,
)

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_profile import snapshot


@pytest.fixture
def host() -> Iterator[Path]:
    """A directory that everybody may enter, with an authority and the policies of a host."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        trustme.CA().cert_pem.write_to_path(f"{name}/ca.pem")
        (Path(name) / "ca.pem").chmod(0o644)
        yield Path(name)


def run(host: Path, *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {"path": str(host / "ca.pem"), "policies_path": str(host / "etc/policies/policies.json"), **options}
    return run_module("thunderbird_certificate_authority", arguments, check=check, diff=True)


def refuse(host: Path, says: str, code: str = "invalid_options", **options: Any) -> None:
    before = snapshot(host)
    done = run(host, **options)
    assert done.code == code
    assert says in done.message
    assert snapshot(host) == before


def test_a_new_file_for_everybody_and_the_way_back(host: Path) -> None:
    before = snapshot(host)
    assert run(host, check=True).changed
    assert snapshot(host) == before
    done = run(host)
    file = host / "etc/policies/policies.json"
    assert (done.changed, done.result["policies_path"]) == (True, str(file))
    assert json.loads(file.read_bytes()) == {"policies": {"Certificates": {"Install": [str(host / "ca.pem")]}}}
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent, file.parent.parent)] == [0o644, 0o755, 0o755]
    assert done.result["diff"]["after"] == file.read_text()
    before = snapshot(host)
    assert not run(host).changed
    assert snapshot(host) == before
    assert run(host, state="absent").changed
    assert not list(file.parent.iterdir())
    assert not run(host, state="absent").changed


def test_an_existing_file_keeps_its_content_and_mode(host: Path) -> None:
    file = host / "etc/policies/policies.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"policies": {"DisableTelemetry": true}}')
    file.chmod(0o640)
    run(host)
    assert json.loads(file.read_bytes())["policies"]["DisableTelemetry"] is True
    assert file.stat().st_mode & 0o777 == 0o640
    run(host, state="absent")
    assert json.loads(file.read_bytes()) == {"policies": {"DisableTelemetry": True}}


def test_links_are_followed_and_stay(host: Path) -> None:
    """What update-ca-certificates keeps are links."""
    file, real = host / "etc/policies/policies.json", host / "elsewhere.json"
    file.parent.mkdir(parents=True)
    real.write_text('{"policies": {}}')
    file.symlink_to(real)
    (host / "link.pem").symlink_to(host / "ca.pem")
    assert run(host, path=str(host / "link.pem")).changed
    assert file.is_symlink()
    assert json.loads(real.read_bytes()) == {"policies": {"Certificates": {"Install": [str(host / "link.pem")]}}}
    (host / "ca.pem").chmod(0o600)
    refuse(host, "because of", path=str(host / "link.pem"))


def test_the_file_that_thunderbird_reads(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file of the system would put the program's own out of action."""
    system, own = host / "etc/policies.json", host / "program/distribution/policies.json"
    monkeypatch.setattr(policies, "SYSTEM_FILE", system)
    monkeypatch.setattr(policies, "installations", lambda *_paths: [Installation(PACKAGE, host / "program")])
    assert policies.policies_file("") == system
    own.parent.mkdir(parents=True)
    own.touch()
    assert policies.policies_file("") == own
    system.parent.mkdir()
    system.touch()
    assert policies.policies_file("") == system


def test_bad_policies(host: Path) -> None:
    file = host / "etc/policies/policies.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"policies": ')
    refuse(host, "policies", code="conflict")


def test_bad_authorities(host: Path) -> None:
    ca = (host / "ca.pem").read_text()
    issuer = trustme.CA()
    leaf = issuer.issue_cert("localhost").cert_chain_pems[0].bytes().decode()
    for name, content, says in (
        ("empty", "", "there is no certificate in"),
        ("text", "text", "is not a certificate in PEM form"),
        ("two", ca + issuer.cert_pem.bytes().decode(), "has 2 certificates, 2 of them authorities"),
        ("leaf", leaf, "has 1 certificates, 0 of them authorities"),
    ):
        (host / name).write_text(content)
        refuse(host, says, path=str(host / name))
    refuse(host, "path: ", path=str(host / "missing"))
    refuse(host, "path: ", path="ca.pem")


def test_an_authority_that_people_may_not_read(host: Path) -> None:
    (host / "ca.pem").chmod(0o600)
    refuse(host, f"may not read {host}/ca.pem because of {host}/ca.pem")
    (host / "ca.pem").chmod(0o644)
    host.chmod(0o700)
    refuse(host, f"may not read {host}/ca.pem because of {host}")


def test_an_authority_that_is_gone_can_be_taken_out(host: Path) -> None:
    run(host)
    (host / "ca.pem").unlink()
    assert run(host, state="absent").changed
