# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to a page in somebody's hand: a store, a password, a page, and what a browser prints of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._handout_page import LANGUAGES, Page, render

from tests import ROOT
from tests.support.documentation import guide_blocks
from tests.support.playbook import PlaybookRun, ansible_environment

COLLECTION = "smarthost.spamexperts"
DESCRIPTION = "domain: example.com\nsenders:\n  - username: alice\n  - username: server1\n    relay: true\n"


class Site:
    """A folder with a description, from which commands are run, and a home."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "site", folder / "home"
        (self.folder / "domains").mkdir(parents=True)
        self.home.mkdir()
        (self.folder / "domains" / "example.com.yml").write_text(DESCRIPTION)
        self.environment = {**ansible_environment(folder), "HOME": str(self.home)}

    def run(self, command: str) -> PlaybookRun:
        """Run a command as a person would."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return PlaybookRun(done.returncode, done.stdout)


def documented(guide: str, words: str) -> str:
    """The block of commands in a guide that has these words."""
    return next(
        block.text for block in guide_blocks("console") if block.source.startswith(guide) and words in block.text
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_store_a_password_and_a_page(site: Site) -> None:
    """With the commands of the guides, as they stand there."""
    made = site.run(documented("docs/passwords.md", "new_store"))
    assert made.returncode == 0, made.output
    assert "Back up both" in made.output
    again = site.run(documented("docs/passwords.md", "new_store"))
    assert (again.returncode, again.changed()) == (0, 0), again.output
    key = "~/.spamexperts-vault-password"
    stored = site.run(
        f"ansible localhost --vault-password-file {key} -m {COLLECTION}.credential_store "
        "-a 'path=./credentials.yml names=alice@example.com,other@example.com'"
    )
    assert stored.returncode == 0, stored.output
    shown = site.run(documented("docs/passwords.md", "ansible-vault view"))
    assert "other@example.com" not in shown.output
    password = re.search(r'"current": "([^"]+)"', shown.output)
    assert password is not None, shown.output
    variables = "-e spamexperts_credential_store=./credentials.yml"
    plain, with_password = documented("docs/thunderbird.md", "handout").replace("\\\n", " ").splitlines()[:2]
    check = site.run(f"{plain} --check {variables}".replace("-i inventory", "-i localhost,"))
    assert check.returncode == 0, check.output
    assert not (site.folder / "handout").exists()
    page = site.folder / "handout" / "alice@example.com.html"
    for command, known in ((plain, False), (with_password.replace("FILE", key), True)):
        done = site.run(f"{command} {variables}".replace("-i inventory", "-i localhost,"))
        assert done.returncode == 0, done.output
        assert done.changed() == 1
        assert "1 pages, of which 1 are new or changed" in done.output
        assert (password[1] in page.read_text(encoding="utf-8")) is known
        assert password[1] not in done.output
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    last = site.run(f"{with_password.replace('FILE', key)} {variables}".replace("-i inventory", "-i localhost,"))
    assert last.changed() == 0


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("password", ["pR4-kT_9.xWq7mZ2vB8nLs3dFgH5jC6y", "W" * 128, None])
@pytest.mark.parametrize("login", ["alice@example.com", f"{'x' * 64}@{'.'.join(['a' * 60] * 3)}.example"])
def test_it_prints_on_one_sheet(tmp_path: Path, language: str, password: str | None, login: str) -> None:
    """In Chromium, also with the longest login that there can be."""
    if not shutil.which("chromium"):
        subprocess.run([str(ROOT / "tests/install_packages"), "chromium"], cwd=ROOT, check=True)
    page, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(render(Page(login, "4489.smtp.antispamcloud.com", 587, password), language), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command = ["chromium", *options, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={printed}", str(page)]
    subprocess.run(command, check=True, timeout=180, capture_output=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1
