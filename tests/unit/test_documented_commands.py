# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the guides and of the workflows name what is there: targets, playbooks, modules, options, variables.

What they do is tested where the playbook, the module or the target is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.cli.vault import VaultCLI

from tests import ROOT
from tests.support.documentation import COLLECTION, Block, guide_blocks, module_names

BLOCKS = list(guide_blocks("bash", "console", "sh"))
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
#: Programs of which only the name is known here.
OTHER_PROGRAMS = {".", "ansible-builder", "apt-get", "brew", "cd", "dnf", "git", "grep", "install", "mv", "openssl"}
OTHER_PROGRAMS |= {"pip", "podman", "python3", "python3.12", "python3.13", "read", "sed", "systemctl"}


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command, without comments and without what is set or asked before it by env and sudo.

    Where lines begin with a prompt, the others are what was printed.
    """
    prompted = re.findall(r"^\$ (.*)", text, re.MULTILINE)
    text = "\n".join(prompted) or text
    for line in text.replace("\\\n", " ").replace("|\n", "| ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not set(word) <= set("|&;"):
                words.append(word)
            elif words:
                while words[0] in {"sudo", "env"} or re.match(r"\w+=", words[0]):
                    del words[0]
                yield words
                words = []


def _parsed(cli: Any, words: list[str]) -> Any:
    """Return the options as Ansible's own parser takes them; it raises SystemExit where it does not."""
    instance = cli(words)
    instance.init_parser()
    return instance.parser.parse_args(words[1:])


def check(words: list[str]) -> None:
    """See whether a command names only what is there."""
    program, *arguments = words
    name = Path(program).name
    if name == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        variables = set(re.findall(r"^(\w+) \?=", makefile, re.MULTILINE))
        assert {word for word in arguments if "=" not in word} <= targets
        assert {word.partition("=")[0] for word in arguments if "=" in word} <= variables
    elif name == "ansible-playbook":
        for playbook in _parsed(PlaybookCLI, words).args:
            assert playbook.startswith(f"{COLLECTION}.")
            assert (ROOT / "playbooks" / f"{playbook.removeprefix(f'{COLLECTION}.')}.yml").exists()
    elif name == "ansible":
        module = _parsed(AdHocCLI, words).module_name
        assert module == "ansible.builtin.command" or module.removeprefix(f"{COLLECTION}.") in module_names()
    elif name == "ansible-galaxy":
        assert COLLECTION in _parsed(GalaxyCLI, words).args
    elif name == "ansible-vault":
        assert _parsed(VaultCLI, words).args == ["credentials.yml"]
    elif name == "export":
        documented = (ROOT / "plugins/doc_fragments/_api.py").read_text()
        for variable in arguments:
            assert re.search(rf"\b{variable.partition('=')[0]}\b", documented)
    elif name == "python":
        module = arguments[1].replace(".", "/")
        assert arguments[0] == "-m"
        assert module == "pytest" or (ROOT / module / "__main__.py").exists()
    else:
        assert name in OTHER_PROGRAMS or (ROOT / program).exists()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.source)
def test_commands_of_the_guides(block: Block) -> None:
    for words in commands(block.text):
        check(words)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_commands_of_the_workflows(path: Path) -> None:
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]
    runs = [re.sub(r"\$\{\{.*?\}\}", "VALUE", step["run"]) for step in steps if "run" in step]
    assert [words for run in runs for words in commands(run) if words[0] == "make"]
    for run in runs:
        for words in commands(run):
            check(words)


@pytest.mark.parametrize(
    "wrong",
    [
        "make tset",
        "make test CORE=2.16",
        "ansible-playbook smarthost.spamexperts.onboard -i inventory",
        "ansible localhost -m smarthost.spamexperts.users_info",
        "export SPAMEXPERTS_API_USERNAME=you SPAMEXPERTS_URL=https://api.example.com",
        "sudo tests/install_package test",
        "read -r x | frobnicate",
    ],
)
def test_a_command_that_names_something_else_is_found(wrong: str) -> None:
    *_right, last = commands(wrong)
    with pytest.raises(AssertionError):
        check(last)


def test_an_option_that_ansible_does_not_have_is_found() -> None:
    with pytest.raises(SystemExit):
        check(["ansible-playbook", "smarthost.spamexperts.onboard_domain", "--checks-only"])
