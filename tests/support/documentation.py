# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of itself: documentation as ansible-doc prints it, and the YAML in examples and guides."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import yaml

from tests import ROOT

COLLECTION = "smarthost.spamexperts"
# The folder with ansible_collections/ in it: above this one where ansible-test works, in it where make has put a link.
COLLECTIONS = ROOT.parents[2] if ROOT.parents[1].name == "ansible_collections" else ROOT / "collections"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE
)


class _Loader(yaml.SafeLoader):
    """YAML as Ansible reads it: tags such as !vault and !unsafe stand for their text."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


@dataclass(frozen=True)
class Block:
    """A fenced piece of a guide or a README, or a module's EXAMPLES."""

    source: str
    text: str
    #: The line before the fence, where a guide says what there is to say of the block.
    before: str = ""

    def data(self) -> Any:
        """Return what the YAML says; None for comments only."""
        return yaml.load(self.text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader


def module_names() -> list[str]:
    """Return the names of all modules, without the collection's name."""
    return sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))


def plugin_names(kind: str, collection: Path = ROOT) -> list[str]:
    """Return the names of all plugins of a kind ("modules", "lookup"), without the collection's name."""
    files = collection.glob(f"plugins/{kind}/*.py")
    return sorted(path.stem for path in files if "\nDOCUMENTATION = " in path.read_text())


def role_names() -> list[str]:
    """Return the names of the roles that have argument specs."""
    return sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.y*ml"))


@functools.cache
def documented(kind: str) -> dict[str, Any]:
    """Return name -> what ansible-doc prints as JSON, for all of a kind: "module", "lookup", "role"."""
    names = {"module": module_names, "role": role_names}.get(kind, lambda: plugin_names(kind))()
    if not names:
        return {}
    program = shutil.which("ansible-doc", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    command = [program or "ansible-doc", "--json", "--type", kind, *(f"{COLLECTION}.{name}" for name in names)]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}
    completed = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if completed.returncode:
        raise AssertionError(completed.stderr)
    printed: dict[str, Any] = json.loads(completed.stdout)
    return {name.removeprefix(f"{COLLECTION}."): value for name, value in printed.items()}


def module_options(name: str) -> dict[str, Any]:
    """Return a module's options as documented, those of its fragments included.

    An option that the documentation says may come from an environment variable is not required.
    """
    doc = documented("module")[name]["doc"]
    options: dict[str, Any] = doc.get("options", {})
    text = str(doc)
    return {
        name: {**option, "required": bool(option.get("required")) and f"E(SPAMEXPERTS_{name.upper()})" not in text}
        for name, option in options.items()
    }


def role_options(name: str, entry_point: str = "main") -> dict[str, Any]:
    """Return the options of one entry point of a role."""
    options: dict[str, Any] = documented("role")[name]["entry_points"][entry_point]["options"]
    return options


def guides() -> list[Path]:
    """Return every Markdown file that a user reads."""
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("roles/*/README.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("tests/**/*.md"),
    ]
    return sorted(path for path in found if path.name != "CHANGELOG.md")


def examples(kind: str, name: str) -> Block:
    """Return the EXAMPLES of a module or lookup."""
    return Block(f"EXAMPLES of {name}", documented(kind)[name]["examples"])


def guide_blocks(*languages: str) -> Iterator[Block]:
    """Yield each fenced block of every guide in one of the languages, of YAML unless given."""
    for path in guides():
        text = path.read_text()
        for match in FENCE.finditer(text):
            if match["language"] in (languages or ("yaml", "yml")):
                line = text.count("\n", 0, match.start()) + 1
                lines = [part.removeprefix(match["indent"]) for part in match["text"].splitlines()]
                before = text[: match.start()].rstrip().rpartition("\n")[2]
                yield Block(f"{path.relative_to(ROOT)}:{line}", "\n".join(lines), before)


def messages_of_the_code() -> list[str]:
    """Return every text in plugins, playbooks and roles, with `...` where a value is put in."""
    texts = []
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]:
        whole = path.read_text()
        text = re.sub(r"\{\{.*?\}\}", "...", whole, flags=re.DOTALL)
        texts.append(" ".join(text.replace("'", "").split()))
        # A sentence may also be chosen inside of a template.
        for template in re.findall(r"\{\{.*?\}\}", whole, flags=re.DOTALL):
            texts += re.findall(r"'([^']+)'", template)
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
                texts.append("".join(parts).replace("'", ""))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value.replace("'", ""))
    return texts


def mappings(data: Any) -> Iterator[dict[Any, Any]]:
    """Yield every mapping in the data, outermost first: plays, tasks, blocks, arguments."""
    if isinstance(data, dict):
        yield data
        for value in data.values():
            yield from mappings(value)
    elif isinstance(data, list):
        for value in data:
            yield from mappings(value)


def _templated(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def _type_problem(value: Any, kind: Optional[str]) -> Optional[str]:
    """Return what is wrong with a literal of this documented type, None for nothing."""
    if kind == "int" and not (isinstance(value, int) and not isinstance(value, bool)):
        return f"{value!r} is no integer"
    if kind == "bool" and not isinstance(value, bool):
        return f"{value!r} is not true or false"
    if kind == "dict" and not isinstance(value, dict):
        return f"{value!r} is no mapping"
    return None


def problems(given: dict[str, Any], options: dict[str, Any], where: str, *, complete: bool = True) -> list[str]:
    """Return what the options do not allow in the given arguments; `complete` also asks for the required ones."""
    found = []
    by_name = {alias: name for name, option in options.items() for alias in [name, *option.get("aliases", [])]}
    for key, value in given.items():
        if key not in by_name:
            found.append(f"{where}: there is no option {key}")
            continue
        option = options[by_name[key]]
        kind = option.get("type")
        inner = f"{where}.{key}"
        values = value if kind == "list" and isinstance(value, list) else [value]
        for one in values:
            if _templated(one) or one is None:
                continue
            problem = _type_problem(one, option.get("elements") if kind == "list" else kind)
            if problem:
                found.append(f"{inner}: {problem}")
            if option.get("choices") and one not in option["choices"]:
                found.append(f"{inner}: {one!r} is not one of {', '.join(map(str, option['choices']))}")
            suboptions = option.get("options") or option.get("suboptions")
            if suboptions and isinstance(one, dict):
                found += problems(one, suboptions, inner)
    if complete:
        present = {by_name.get(key) for key in given}
        needed = [name for name, option in options.items() if option.get("required")]
        found += [f"{where}: {name} is required" for name in needed if name not in present]
    return found
