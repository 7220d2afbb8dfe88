# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spelling of all texts: English by codespell, German by hunspell where it is installed. Ends with 1 for a slip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._handout_page import TEXTS

from tests import ROOT
from tests.support.documentation import FENCE
from tests.tools.committed import committed_files

GERMAN_PAGE = "docs/schnellstart.md"
#: Files with German in them, or in which nothing is ours.
NOT_ENGLISH = {GERMAN_PAGE, "plugins/plugin_utils/_handout_page.py", "LICENSE", "tests/support/quick_start.py"}
NOT_ENGLISH |= {"tests/unit/test_handout_page.py", "tests/unit/test_spelling.py"}
#: Wrong on purpose, as somebody would type it, and names that codespell takes for something else.
ON_PURPOSE = "caf,defineas,domian,exampel,exmaple,includ,otherways,pasword,te"
#: Names and terms that are no German, or that this dictionary does not have.
TERMS = {"Applying", "Assure", "N-able", "Panel", "Postfix", "Recovery", "STARTTLS", "SSH-Zugang", "Smarthost"}
TERMS |= {
    "SpamExperts",
    "Thunderbird",
    "Troubleshooting",
    "Web-Panel",
    "api-methods",
    "macOS",
    "root",
    "rotation",
    "sudo",
}
NO_PROSE = re.compile(r"`[^`]*`|\]\([^)]*\)|\*[A-Z][^*]*\*|-{2,}|\{\}")


def english(files: list[str]) -> str:
    """What codespell says of these files."""
    command = ["codespell", "--quiet-level=2", f"--ignore-words-list={ON_PURPOSE}", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def german_texts() -> str:
    """All German that people read, without code."""
    page = FENCE.sub("", (ROOT / GERMAN_PAGE).read_text(encoding="utf-8"))
    return NO_PROSE.sub(" ", "\n".join([page, *(german for _english, german in TEXTS.values())]))


def german(text: str) -> str:
    """The words that hunspell does not know."""
    command = ["hunspell", "-i", "utf-8", "-d", "de_DE", "-l"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr
    wrong = sorted({word for word in done.stdout.split() if word not in TERMS and word.strip("-")})
    return "".join(f"{GERMAN_PAGE} or the pages of handout: {word}\n" for word in wrong)


def main() -> int:
    found = english([name for name in committed_files() if name not in NOT_ENGLISH])
    if shutil.which("hunspell"):
        found += german(german_texts())
    else:
        print("German was not looked at: tests/install_packages hunspell hunspell-de-de")
    print(found, end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
