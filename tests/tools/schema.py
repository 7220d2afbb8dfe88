# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schema of a description, for editors: docs/domain.schema.json, which `make schema` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml
from ansible_collections.smarthost.spamexperts.plugins.doc_fragments._outgoing_user import ModuleDocFragment
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import DESCRIPTION_OPTIONS
from ansible_collections.smarthost.spamexperts.plugins.module_utils._passwords import MINIMUM_PASSWORD_LENGTH
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import HIGHEST_LIMIT, LIMIT_NAMES

from tests import ROOT

FILE = ROOT / "docs" / "domain.schema.json"
_TYPES = {"str": "string", "path": "string", "int": "integer", "bool": "boolean", "list": "array", "dict": "object"}


def _option(name: str, option: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    text = about.get("description", [])
    described = {"description": _plain(text[0] if isinstance(text, list) and text else text)} if text else {}
    if name == "relay":
        return {
            **described,
            "oneOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}}],
        }
    schema: dict[str, Any] = {**described, "type": _TYPES[option.get("type", "str")]}
    if name in LIMIT_NAMES:
        schema.update(minimum=0, maximum=HIGHEST_LIMIT)
    if name == "password":
        schema["minLength"] = MINIMUM_PASSWORD_LENGTH
    inner = {key: option[key] for key in ("options", "choices") if key in option}
    if option.get("type") == "list":
        element = {"type": option["elements"], **inner}
        schema["items"] = _option("", element, {"suboptions": about.get("suboptions", {})})
    elif "options" in inner:
        schema.update(_object(inner["options"], about.get("suboptions", {})))
    elif "choices" in inner:
        schema["enum"] = inner["choices"]
    return schema


def _object(options: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name, option in options.items() if option.get("required")]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _option(name, option, about.get(name, {})) for name, option in options.items()},
        **({"required": required} if required else {}),
    }


def _plain(text: str) -> str:
    """A sentence of the modules' documentation without its marks."""
    return re.sub(r"\b[A-Z]+\(([^()]*)\)", r"\1", text)


def schema() -> str:
    """Return the text of the file."""
    user = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A domain that sends through the smarthost",
        **_object(DESCRIPTION_OPTIONS, {"senders": {"suboptions": user}, "shared_limits": user["limits"]}),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema(), encoding="utf-8")
