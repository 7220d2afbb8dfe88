# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a folder such as domains/, each with the description of one domain. They are data, never templates."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Optional

import yaml

from ..module_utils._declaration.description import Given
from ..module_utils._declaration.form import Path as Place

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = (".yml", ".yaml")
#: What belongs into the variable, which Ansible templates and decrypts.
_ELSEWHERE = "; put this domain into the variable spamexperts_domains instead, or take the password from the store"


class _NotData(yaml.YAMLError):
    """Valid YAML that no description may have. mark: where."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problem_mark = mark


class _Loader(_Base):  # type: ignore[misc]  # its base is chosen at run time
    """YAML as data: no key twice, no tag of Ansible, no template."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _NotData(f"the key {key.value} is there twice; keep one of them", key.start_mark)
                seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_scalar(self, node: Any) -> Any:
        if "{{" in node.value or "{%" in node.value:
            raise _NotData(f"a description is data, so nothing replaces a template{_ELSEWHERE}", node.start_mark)
        return super().construct_scalar(node)

    def refuse_tag(self, node: Any) -> None:
        """Refuse what only Ansible, or only Python, understands."""
        raise _NotData(f"a description is data, so it cannot hold {node.tag}{_ELSEWHERE}", node.start_mark)


_Loader.add_constructor(None, _Loader.refuse_tag)
# A date is text to a person, and no option is one.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_scalar)


def read_folder(folder: Path, *, needed: bool) -> tuple[list[Given], list[str], list[str]]:
    """The descriptions in this folder, what is wrong with the files (sentences), and warnings.

    Files and links to files that end in .yml or .yaml and do not begin with a dot. needed: whether a folder that is not
    there, or has no such file, is a problem.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix in _ENDINGS and entry.name[0] != ".")
    except FileNotFoundError:
        names = None
    except OSError as problem:
        return [], [f"{folder} cannot be read as a folder: {problem.strerror}; correct spamexperts_domains_path."], []
    if not names:
        what = "is not there" if names is None else "has no file that ends in .yml"
        missing = f"{folder} {what}; describe a domain in {folder}/example.com.yml, or name another folder in "
        return [], [f"{missing}spamexperts_domains_path."] if needed else [], []
    given, problems, warnings = [], [], []
    for name in names:
        path = folder / name
        try:
            one = read_file(path)
        except _NotData as problem:
            problems.append(f"{path}{_line(problem)}: {problem.problem}.")
            continue
        given.append(one)
        domain = one.content.get("domain") if isinstance(one.content, dict) else None
        if isinstance(domain, str) and path.stem.lower() != domain.strip().lower().rstrip("."):
            warnings.append(f"{path} describes {domain}; name it {domain}.yml, so that people find it.")
    return given, problems, warnings


def read_file(path: Path) -> Given:
    """The description in this file. Raises _NotData with what is wrong with the file as a whole."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows put a byte-order mark in front
    except OSError as problem:
        raise _NotData(f"it cannot be read: {problem.strerror}", None) from None
    except UnicodeDecodeError:
        raise _NotData("it is not UTF-8; save it as UTF-8", None) from None
    return read_text(text, str(path))


def read_text(text: str, place: str) -> Given:
    """The description that a file with this text holds. Raises _NotData."""
    if text.startswith("$ANSIBLE_VAULT;"):
        raise _NotData(f"it is encrypted, and a description is data{_ELSEWHERE}", None)
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except _NotData:
        raise
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        tab = mark is not None and text.splitlines()[mark.line : mark.line + 1] and "\t" in text.splitlines()[mark.line]
        hint = "there is a tab, and YAML indents with blanks" if tab else "correct it there, or just above"
        raise _NotData(f"it is not valid YAML; {hint}", mark) from None
    if len(documents) > 1:
        raise _NotData("it holds more than one document; give each domain a file of its own", None)
    return Given(place, documents[0] if documents else None, lambda path: _line_of(text, path))


def _line(problem: _NotData) -> str:
    return f", line {problem.problem_mark.line + 1}" if problem.problem_mark else ""


def _line_of(text: str, place: Place) -> Optional[int]:
    """The line of a place in this text; of the nearest place around it where it is not there itself."""
    node = yaml.compose(text, Loader=_Base)
    line = None
    for step in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        else:
            break
    return line
