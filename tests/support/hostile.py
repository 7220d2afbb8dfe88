# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of somebody's ansible.cfg that our playbooks have to survive, all of them ansible-core's own."""

from __future__ import annotations

from pathlib import Path


def hostile_settings(folder: Path) -> dict[str, str]:
    """Environment variables that set them, all at once. Reports and caches lie in the folder."""
    return {
        "ANSIBLE_ANY_ERRORS_FATAL": "true",
        "ANSIBLE_STRATEGY": "free",
        "ANSIBLE_FORKS": "1",
        "ANSIBLE_HASH_BEHAVIOUR": "merge",
        "ANSIBLE_FORCE_HANDLERS": "true",
        "ANSIBLE_DUPLICATE_YAML_DICT_KEY": "error",
        "ANSIBLE_GATHERING": "smart",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        # Become by default, where the controller has nobody to become; the mail servers of the tests say it themselves.
        "ANSIBLE_BECOME": "true",
        "ANSIBLE_BECOME_EXE": "/nowhere/sudo",
        "ANSIBLE_BECOME_ALLOW_SAME_USER": "true",
        # The order and the look of what is printed.
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(folder / "junit"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        # What another run has gathered is believed.
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
    }
