# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the documentation site: the guides and READMEs as they are, and the reference out of the collection.

Run with the Python that has Sphinx. Ends with 1 when a page warns, or a link leads nowhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests import ROOT

SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"
REPOSITORY = "https://github.com/smarthost/spamexperts/blob/main"
ANSIBLE = "https://docs.ansible.com/ansible/latest"
#: Labels of Ansible's own documentation, by which the reference names it; Sphinx would have to ask that site.
LABELS = {
    "action_plugins": f"{ANSIBLE}/plugins/action.html",
    "ansible_configuration_settings": f"{ANSIBLE}/reference_appendices/config.html",
    "common_return_values": f"{ANSIBLE}/reference_appendices/common_return_values.html",
}
CONTENTS = re.compile(r"^\.\. contents::\n   :local:\n   :depth: \d\n", re.MULTILINE)
LABEL = re.compile(r":ref:`(?:(?P<text>[^`<]+) <(?P<label>\w+)>|(?P<only>\w+))`")
LINK = re.compile(rf"\]\((?:(?P<whole>{re.escape(REPOSITORY)}/)|(?!https?://|#))(?P<target>[^)#\s]+)")


def pages() -> dict[Path, str]:
    """Return the files that become pages -> the page's name in the site."""
    found = {ROOT / "README.md": "overview.md", ROOT / "roles" / "outgoing_mail" / "README.md": "postfix.md"}
    found |= {path: path.name for path in sorted(ROOT.glob("docs/*.md"))}
    found |= {path: path.name for path in sorted(ROOT.glob("docs/docsite/*.md"))}
    return found


def place(target: Path) -> str:
    """Return where a link to this file of the project leads in the site: to a page, or to the file on the web."""
    known = pages()
    if target in known:
        return known[target]
    if target.parent == ROOT / "plugins" / "modules":
        return f"collection/{target.stem}_module.rst"
    return f"{REPOSITORY}/{target.relative_to(ROOT)}"


def _linked(folder: Path, match: re.Match[str]) -> str:
    return f"]({place(((ROOT if match['whole'] else folder) / match['target']).resolve())}"


def fill() -> None:
    """Copy the pages with their links turned to where things are in the site, and let antsibull-docs write the rest."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "docsite", SOURCE)
    for path, name in pages().items():
        folder = path.parent
        text = LINK.sub(partial(_linked, folder), path.read_text())
        (SOURCE / name).write_text(text)
    (SOURCE / "collection").mkdir(mode=0o755)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    command += ["--no-add-antsibull-docs-version", "--dest-dir", str(SOURCE / "collection"), "smarthost.spamexperts"]
    run(command, ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"))
    for path in (SOURCE / "collection").glob("*.rst"):
        # The theme has a table of contents of its own; and the list beside each page needs short titles.
        text = CONTENTS.sub("", path.read_text())
        text = re.sub(r"^smarthost\.spamexperts\.(?=\w+ (?:module|lookup|filter|role) )", "", text, flags=re.MULTILINE)
        path.write_text(LABEL.sub(ansible_link, text))


def ansible_link(match: re.Match[str]) -> str:
    """Return a link in place of a label of Ansible's own documentation; any other label stays."""
    label = match["label"] or match["only"]
    return f"`{match['text'] or label.replace('_', ' ')} <{LABELS[label]}>`__" if label in LABELS else match[0]


def run(command: list[str], **environment: str) -> None:
    """Run a program that lies beside this Python; its failure ends this one."""
    programs = Path(sys.executable).parent
    completed = subprocess.run(
        [str(programs / command[0]), *command[1:]], cwd=ROOT, env={**os.environ, **environment}, check=False
    )
    if completed.returncode:
        sys.exit(f"{command[0]} ended with {completed.returncode}.")


class _Page(HTMLParser):
    """The links of a page, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of a tag."""
        values = dict(attrs)
        self.anchors.update(value for value in (values.get("id"), values.get("name")) if value)
        self.links += [value for value in (values.get("href"), values.get("src")) if value]


def dead_links() -> Iterator[str]:
    """Yield every link of the site that leads to a file or a place in a file that is not there."""
    read = {path: _Page(path.read_text()) for path in SITE.rglob("*.html")}
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (target in read and unquote(parts.fragment) not in read[target].anchors):
                yield f"{path.relative_to(SITE)}: {link}"


def main() -> None:
    """Make the site, and look at its links."""
    fill()
    shutil.rmtree(SITE, ignore_errors=True)
    run(["sphinx-build", "-W", "--keep-going", "-q", "-b", "html", str(SOURCE), str(SITE)])
    dead = sorted(set(dead_links()))
    if dead:
        sys.exit("These links lead nowhere:\n" + "\n".join(dead))
    print(f"{len(list(SITE.rglob('*.html')))} pages: {SITE}/index.html")


if __name__ == "__main__":
    main()
