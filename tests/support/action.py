# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an action, a lookup or a filter of the collection in this process, with the objects that ansible-core gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.plugins import loader as plugin_loaders
from ansible.template import Templar
from ansible.utils.unsafe_proxy import wrap_var
from ansible.vars.manager import VariableManager

try:  # ansible-core 2.19 and later take a text for a template only where somebody says so
    from ansible.template import trust_as_template
except ImportError:  # 2.16 to 2.18 unless somebody says so
    trust_as_template = str

COLLECTION = "smarthost.spamexperts"


class Controller:
    """What a run of Ansible holds: its loader with the vault passwords (by vault id), and the variables of a host."""

    def __init__(self, directory: Path, vault_passwords: Sequence[tuple[str, str]] = ()) -> None:
        self.loader = DataLoader()
        self.loader.set_vault_secrets([(name, VaultSecret(password.encode())) for name, password in vault_passwords])
        self.variables: dict[str, Any] = {
            "inventory_hostname": "localhost",
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": True,
            "ansible_remote_tmp": str(directory),
        }

    def run_action(
        self, name: str, arguments: Mapping[str, Any], *, check: bool = False, diff: bool = False, no_log: bool = False
    ) -> dict[str, Any]:
        """Run the action as the task executor does; raises AnsibleActionFail when the action fails."""
        keywords = {"check_mode": check, "diff": diff, "no_log": no_log}
        given = dict(arguments)
        tasks = [{f"{COLLECTION}.{name}": wrap_var(given) if trust_as_template is str else given, **keywords}]
        data = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        play = Play.load(data, variable_manager=VariableManager(loader=self.loader), loader=self.loader)
        task = play.tasks[0].block[0]
        templar = Templar(loader=self.loader, variables=self.variables)
        play_context = PlayContext(play).set_task_and_variable_override(
            task=task, variables=self.variables, templar=templar
        )
        task.post_validate(templar=getattr(templar, "_engine", templar))  # since 2.19 a task takes what is inside
        connection = plugin_loaders.connection_loader.get("ansible.builtin.local", play_context)
        connection.set_options(var_options=self.variables)
        connection._shell.set_options(var_options=self.variables)
        action = plugin_loaders.action_loader.get(
            f"{COLLECTION}.{name}",
            task=task,
            connection=connection,
            play_context=play_context,
            loader=self.loader,
            templar=templar,
            shared_loader_obj=plugin_loaders,
        )
        try:
            result: dict[str, Any] = action.run(task_vars=self.variables)
        finally:
            action.cleanup()
        return result

    def lookup(
        self, name: str, terms: Sequence[str], variables: Optional[Mapping[str, Any]] = None, **options: Any
    ) -> Any:
        """Run the lookup as the templating does; raises AnsibleLookupError when it fails."""
        seen = {**self.variables, **(variables or {})}
        templar = Templar(loader=self.loader, variables=seen)
        lookup = plugin_loaders.lookup_loader.get(f"{COLLECTION}.{name}", loader=self.loader, templar=templar)
        return lookup.run(list(terms), variables=seen, **options)

    def template(self, text: str, variables: Mapping[str, Any]) -> Any:
        """What a task makes of this text."""
        templar = Templar(loader=self.loader, variables={**self.variables, **variables})
        return templar.template(trust_as_template(text))
