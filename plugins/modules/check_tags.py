#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action check_tags, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_tags
short_description: Refuse a run whose tags leave everything out
version_added: 1.0.0
description:
  - With C(--tags) that no task has, Ansible runs nothing and ends well. The playbooks of this collection begin with
    this action, so that such a run fails instead, before anything else.
  - It says so only where the command line names the playbook itself. One that another playbook imports is chosen, or
    left out on purpose, by the tags of the C(import_playbook).
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
options: {}
notes:
  - The task needs the tag C(always).
"""

EXAMPLES = r"""
- name: Check that the tags of this run leave something to do
  smarthost.spamexperts.check_tags:
  tags: always
"""

RETURN = r"""
tags:
  description: To which tags this run is limited. Without C(--tags) it is V(all).
  returned: success
  type: list
  elements: str
  sample:
    - all
"""
