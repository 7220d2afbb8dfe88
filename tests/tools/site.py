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
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests import ROOT

SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"
REPOSITORY = "https://github.com/smarthost/spamexperts/blob/main"
PICTURES = "https://raw.githubusercontent.com/smarthost/spamexperts/main"
ANSIBLE = "https://docs.ansible.com/ansible/latest"
#: Labels of Ansible's own documentation, by which the reference names it; Sphinx would have to ask that site.
LABELS = {
    "action_plugins": f"{ANSIBLE}/plugins/action.html",
    "ansible_configuration_settings": f"{ANSIBLE}/reference_appendices/config.html",
    "common_return_values": f"{ANSIBLE}/reference_appendices/common_return_values.html",
}
#: What only the collection's own playbooks use: `ansible-doc` shows it, and the list of modules does not.
PARTS = {"apply_module", "audit_module", "check_tags_module", "declared_logins_lookup", "import_site_module"}
PARTS |= {"rotation_module"}
#: What a page that is called as another one, or as nothing in particular, is called in the site.
TITLES = {"overview.md": "Overview and quick start", "changelog.md": "What has changed"}
ENVIRONMENT = re.compile(r"^\| `(SPAMEXPERTS_\w+)` \| `(\w+)` \|", re.MULTILINE)
#: How antsibull-changelog writes code in Markdown, with a backslash before each sign; MyST makes a dash of two hyphens.
HTML_CODE = re.compile(r"<code>(.*?)</code>")
CONTENTS = re.compile(r"^\.\. contents::\n   :local:\n   :depth: \d\n", re.MULTILINE)
LABEL = re.compile(r":ref:`(?:(?P<text>[^`<]+) <(?P<label>\w+)>|(?P<only>\w+))`")
WHOLE = "|".join(map(re.escape, (f"{REPOSITORY}/", f"{PICTURES}/")))
LINK = re.compile(rf"\]\((?:(?P<whole>{WHOLE})|(?!https?://|#))(?P<target>[^)#\s]+)")


def pages() -> dict[Path, str]:
    """Return the files that become pages -> the page's name in the site."""
    found = {ROOT / "README.md": "overview.md", ROOT / "CHANGELOG.md": "changelog.md"}
    found |= {ROOT / "roles" / "outgoing_mail" / "README.md": "postfix.md"}
    found |= {path: path.name for path in sorted(ROOT.glob("docs/*.md"))}
    found |= {path: path.name for path in sorted(ROOT.glob("docs/docsite/*.md"))}
    return found


def place(target: Path) -> str:
    """Return where a link to this file of the project leads in the site: to a page, or to the file on the web."""
    known = pages()
    if target in known:
        return known[target]
    if target.suffix == ".png":
        return target.name
    if target == ROOT / "plugins" / "modules":
        return "collection/index.rst"
    if target.parent == ROOT / "plugins" / "modules":
        return f"collection/{target.stem}_module.rst"
    return f"{REPOSITORY}/{target.relative_to(ROOT)}"


def _linked(folder: Path, match: re.Match[str]) -> str:
    return f"]({place(((ROOT if match['whole'] else folder) / match['target']).resolve())}"


def fill() -> None:
    """Copy the pages with their links turned to where things are in the site, and let antsibull-docs write the rest."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "docsite", SOURCE)
    for picture in ROOT.glob("docs/*.png"):
        shutil.copy(picture, SOURCE)
    for path, name in pages().items():
        folder = path.parent
        text = LINK.sub(partial(_linked, folder), path.read_text())
        if name in TITLES:
            text = re.sub(r"^# .*", f"# {TITLES[name]}", text, count=1)
        (SOURCE / name).write_text(HTML_CODE.sub(as_code, text))
    (SOURCE / "collection").mkdir(mode=0o755)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    command += ["--no-add-antsibull-docs-version", "--dest-dir", str(SOURCE / "collection"), "smarthost.spamexperts"]
    run(command, ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"))
    for path in (SOURCE / "collection").glob("*.rst"):
        # The theme has a table of contents of its own; and the list beside each page needs short titles.
        text = CONTENTS.sub("", path.read_text())
        text = re.sub(r"^smarthost\.spamexperts\.(?=\w+ (?:module|lookup|filter|role) )", "", text, flags=re.MULTILINE)
        path.write_text(LABEL.sub(ansible_link, text))
    index = SOURCE / "collection" / "index.rst"
    index.write_text(without_parts(index.read_text()))
    (SOURCE / "collection" / "environment_variables.rst").write_text(environment_variables())


def without_parts(index: str) -> str:
    """Return the list of modules and lookups with those only that people use."""
    for part in PARTS:
        name, _separator, kind = part.rpartition("_")
        index, lines = re.subn(rf"^(?:\* :ansplugin:`{name} {kind} .*| +{part})\n", "", index, flags=re.MULTILINE)
        if lines != 2:
            sys.exit(f"The list of modules and lookups has {part} in {lines} places, and not in two.")
    return re.sub(
        r"^Smarthost\.Spamexperts\n=+$", "Modules and lookups\n===================", index, flags=re.MULTILINE
    )


def environment_variables() -> str:
    """Return the page to which the reference links each variable; antsibull-docs knows only those of lookups."""
    entries = ENVIRONMENT.findall((ROOT / "docs" / "accounts.md").read_text())
    text = ":orphan:\n\nEnvironment variables\n=====================\n\nWith their defaults: :doc:`../accounts`.\n"
    return text + "".join(f"\n.. envvar:: {variable}\n\n    Option ``{option}``\n" for variable, option in entries)


def as_code(match: re.Match[str]) -> str:
    """Return the code in backticks."""
    code = re.sub(r"\\(.)", r"\1", match[1])
    return f"`{code}`"


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
        self.title = ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of a tag."""
        values = dict(attrs)
        self.anchors.update(value for value in (values.get("id"), values.get("name")) if value)
        self.links += [value for value in (values.get("href"), values.get("src")) if value]
        self._in_title = tag == "title" and not self.title  # the first, as pictures have titles too

    def handle_data(self, data: str) -> None:
        """Note the title, which comes in one piece."""
        if self._in_title:
            self.title, self._in_title = data, False


def problems() -> Iterator[str]:
    """Yield each title that two pages have, and every link to a file or a place in a file that is not there."""
    read = {path: _Page(path.read_text()) for path in SITE.rglob("*.html")}
    titles = Counter(page.title for page in read.values())
    yield from (f"{count} pages are called {title!r}" for title, count in titles.items() if count > 1)
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (target in read and unquote(parts.fragment) not in read[target].anchors):
                yield f"{path.relative_to(SITE)} links to {link}, which is not there"


def main() -> None:
    """Make the site, and look at its links."""
    fill()
    shutil.rmtree(SITE, ignore_errors=True)
    run(["sphinx-build", "-W", "--keep-going", "-q", "-b", "html", str(SOURCE), str(SITE)])
    wrong = sorted(set(problems()))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(list(SITE.rglob('*.html')))} pages: {SITE}/index.html")


if __name__ == "__main__":
    main()
