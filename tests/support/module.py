# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of the collection in this process, as ansible-core would run it."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import types
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings as core_warnings
from ansible.utils.display import Display

try:  # ansible-core 2.19 and later
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # 2.16 to 2.18
    patch_module_args = None


def _begin(*arguments: Any, preexec_fn: Any = None, **options: Any) -> subprocess.Popen[bytes]:
    """Begin a program, as ansible-core does, but without its function that sets a umask if one is given.

    With a function Python copies the whole process first, which is small for a module, and for pytest takes longer
    than the program.
    """
    return subprocess.Popen(*arguments, **options)


_SUBPROCESS = types.SimpleNamespace(**{**vars(subprocess), "Popen": _begin})


@dataclass
class ModuleRun:
    """What a module left behind: its decoded result, its exit code and the bytes that it printed."""

    result: dict[str, Any]
    exit_code: int
    raw: str
    errors: str = ""

    @property
    def warnings(self) -> str:
        """All warnings as one text: older cores put them into the result, 2.19 prints them when run in this process."""
        return "\n".join([*(str(text) for text in self.result.get("warnings", [])), self.errors])

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))

    @property
    def failed(self) -> bool:
        return self.exit_code != 0

    @property
    def message(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def code(self) -> str:
        """Why it failed, in the word for programs; empty where it has not failed."""
        return str(self.result.get("failure", {}).get("code", ""))


def run_module(name: str, arguments: dict[str, Any], *, check: bool = False, diff: bool = False) -> ModuleRun:
    """Run module `name` (without the collection's name) with these arguments; never raises for a failed module."""
    module = importlib.import_module(f"ansible_collections.smarthost.spamexperts.plugins.modules.{name}")
    options = {**arguments, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}  # noqa: S108 - what ansible-core sends
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err), mock.patch.object(basic, "subprocess", _SUBPROCESS):
        try:
            if patch_module_args:
                # These cores print each warning once in a process, which for them is one module.
                with patch_module_args(options), mock.patch.object(Display(), "_warns", set()):
                    module.main()
            else:
                with (
                    mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()),
                    # These cores gather the warnings of a process, which for them is one module.
                    mock.patch.object(core_warnings, "_global_warnings", []),
                ):
                    module.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    raw = out.getvalue()
    if not raw.strip():
        raise AssertionError(f"module {name} printed no result; it wrote to stderr: {err.getvalue()}")
    result = json.loads(raw.strip().splitlines()[-1])
    if code and not result.get("failure", {}).get("code"):
        raise AssertionError(f"module {name} fails without a word for programs: {result}")
    # With it ansible-core 2.22 tells the controller what to hide, which takes it out before it uses the result.
    if result.pop("_ansible_new_secrets", None):
        raw = json.dumps(result)
    return ModuleRun(result, code, raw + err.getvalue(), err.getvalue())
