# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in the documentation runs as it stands there: at the emulator, a real Postfix and real profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.support.documentation import (
    COLLECTION,
    Block,
    documented,
    examples,
    guide_blocks,
    module_names,
    plugin_names,
)
from tests.support.examples import (
    BEFORE,
    INVENTORY,
    PLAYBOOKS,
    RETURNED,
    WITHOUT_SENDERS,
    is_inventory,
    is_play,
    more_tasks,
    play_of,
    prepare,
    reason_not_run,
    thrice,
    twice,
    variables,
)
from tests.support.machine import Machine, TaskResult, machine
from tests.support.returned import problems, unseen
from tests.support.thunderbird_profile import PROGRAM_LIBRARY

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path(PROGRAM_LIBRARY).exists(), reason="Thunderbird is not installed"),
]

#: The guides whose blocks run by day. Of the others the unit tests see that all that they name exists, and what README
#: says is followed to the letter by test_quick_start.py.
BY_DAY = {"docs/accounts.md", "docs/passwords.md", "docs/security.md", "roles/outgoing_mail/README.md"}
VAULT = ("--vault-password-file", "vault-password")
#: Why a block may stay unrun, and how many blocks do.
KNOWN_REASONS = Counter({"AWX reads it": 5, "ansible-builder reads it": 1, "store_tasks run it": 1, "it needs SOPS": 1})
KNOWN_REASONS.update({"the descriptions name this host": 1, "import_site writes it": 1})
KNOWN_REASONS.update({"it needs a Windows computer": 1, "each of the ways below names it": 1})
KNOWN_REASONS.update({"GitHub reads it": 1, "GitLab reads it": 2, "the pipelines read it": 1})


@pytest.fixture(scope="module")
def host() -> Iterator[Machine]:
    with machine() as running:
        yield running


def succeed(run: Any, results: list[TaskResult]) -> None:
    """Nothing failed, and something ran."""
    assert run.returncode == 0, run.output
    assert [result for result in results if result.outcome == "ok"], run.output


def check_changes(results: list[TaskResult]) -> None:
    """Check mode has predicted each change, nothing is changed twice, and what only looks changes nothing."""
    assert [each.task for each in results if each.action.endswith("_info") and each.changed] == []
    phases: dict[str, list[bool]] = {}
    for result in results:
        phase, _separator, name = result.task.partition(": ")
        if phase in {"check", "run", "again"}:
            phases.setdefault(name, []).append(result.changed)
    assert {name: changed for name, changed in phases.items() if changed[0] != changed[1] or changed[2]} == {}


@pytest.mark.parametrize("name", module_names())
def test_examples_of_modules(host: Machine, name: str) -> None:
    """They run twice, and with what reaches its other results the module returns exactly what is documented."""
    prepare(host, senders=name not in WITHOUT_SENDERS)
    before = [{**task, "name": "before"} for task in BEFORE.get(name, [])]
    tasks = [*before, *thrice(examples("module", name).data()), *more_tasks(name, host)]
    run, results = host.play([play_of(tasks, host)], variables(host), *VAULT)
    succeed(run, results)
    check_changes(results)
    own = [each for each in results if each.action == f"{COLLECTION}.{name}" and each.task != "before"]
    for each in own:
        if each.outcome == "failed":
            del each.result["msg"]  # why it failed
    # Of a loop, the result holds those of its items.
    returned = [one for each in own for one in each.result.get("results", [each.result])]
    shown = [each.result["msg"] for each in results if each.task == RETURNED]
    returned = [result for result in returned if "censored" not in result] + shown
    described = documented("module")[name]["return"]
    assert [problem for result in returned for problem in problems(result, described)] == []
    assert unseen(returned, described) == []


@pytest.mark.parametrize("name", plugin_names("lookup"))
def test_examples_of_lookups(host: Machine, name: str) -> None:
    """They are variables: each has a value."""
    given = examples("lookup", name).data()
    prepare(host, senders=False)
    store = {"path": "./credentials.yml", "names": ["web1@example.com"]}
    show = {"ansible.builtin.debug": {"msg": {key: f"{{{{ {key} }}}}" for key in given}}}
    tasks: list[dict[str, Any]] = [{f"{COLLECTION}.credential_store": store}, show]
    variables_of_play = {**given, "spamexperts_credential_store": "./credentials.yml"}
    run, results = host.play([play_of(tasks, host, vars=variables_of_play)], {}, *VAULT)
    succeed(run, results)
    values = results[-1].result["msg"]
    assert set(values) == set(given)
    several = [value if isinstance(value, list) else [value] for value in values.values()]
    shown = [one["password"] if isinstance(one, dict) else one for value in several for one in value]
    # ansible-core 2.22 shows no password.
    assert all(isinstance(one, str) and (one == "$REDACTED$" or len(one) >= 12) for one in shown), set(values)


def blocks_by_guide() -> dict[str, list[Block]]:
    """Return the blocks of each guide that can run."""
    found: dict[str, list[Block]] = {}
    for block in guide_blocks():
        if not reason_not_run(block.before) and not reason_not_run(block.text):
            found.setdefault(block.source.partition(":")[0], []).append(block)
    return found


@pytest.mark.parametrize(
    "guide", [guide if guide in BY_DAY else pytest.param(guide, marks=pytest.mark.slow) for guide in blocks_by_guide()]
)
def test_blocks_of_guides(host: Machine, guide: str) -> None:
    """Tasks and plays run twice; descriptions are applied, all of a guide together; variables are given to what reads
    them, or to what comes after them.
    """
    prepare(host, senders=guide not in WITHOUT_SENDERS)
    given = variables(host)
    inventory: dict[str, Any] = {}
    plays: list[dict[str, Any]] = []
    waiting = False
    for block in blocks_by_guide()[guide]:
        data = block.data()
        if isinstance(data, list):
            plays += twice(data) if is_play(data[0]) else [play_of(thrice(data), host)]
        elif is_inventory(data):
            continue
        elif "senders" in data:
            describe(host, block, data)
            waiting = True
        elif all(name.startswith(INVENTORY) for name in data):
            inventory |= data
            waiting = waiting or "spamexperts_domains" in data
        else:
            run_plays(host, plays, {**given, **inventory})
            run_declared(host, {**given, **inventory}, waiting=waiting)
            plays, waiting = [], False
            run_variables(host, block, {**given, **inventory, **data})
    run_plays(host, plays, {**given, **inventory})
    run_declared(host, {**given, **inventory}, waiting=waiting)


def describe(host: Machine, block: Block, data: dict[str, Any]) -> None:
    """Write the description into the folder, as its text stands in the guide."""
    (host.work / "domains" / f"{data['domain']}.yml").write_text(block.text, encoding="utf-8")


def run_declared(host: Machine, given: dict[str, Any], *, waiting: bool) -> None:
    """Apply what is declared, if something waits for it, and see that nothing is changed twice."""
    if not waiting:
        return
    # The tests may run in a container; and the administrator trusts the help page.
    extra: dict[str, Any] = {"spamexperts_store_is_kept": True}
    extra["spamexperts_accounts"] = {"default": {"use_discovered_methods": True}}
    for _time in range(2):
        run, results = host.run(f"{COLLECTION}.apply", {**extra, **given}, *VAULT)
        succeed(run, results)
    assert run.changed() == 0, run.output


def run_plays(host: Machine, plays: list[dict[str, Any]], given: dict[str, Any]) -> None:
    """Run plays that were made for it, and see that nothing is changed twice."""
    if plays:
        run, results = host.play(plays, given, *VAULT)
        succeed(run, results)
        assert [each.task for each in results if each.play.startswith("again: ") and each.changed] == []
        if any(each.play == "examples" for each in results):
            check_changes(results)


def run_variables(host: Machine, block: Block, given: dict[str, Any]) -> None:
    """Run what reads these variables, and again where a second run has nothing to do."""
    readers = [name for name in PLAYBOOKS if name in block.data()]
    assert len(readers) == 1, f"{block.source} has variables that nobody reads"
    playbook, idempotent = PLAYBOOKS[readers[0]]
    if "spamexperts_rotation" in given:  # the tests may run in a container
        given["spamexperts_rotation"]["store_is_kept"] = True
    run, results = host.run(f"{COLLECTION}.{playbook}", given, *VAULT)
    succeed(run, results)
    if idempotent:
        run, results = host.run(f"{COLLECTION}.{playbook}", given, *VAULT)
        succeed(run, results)
        assert run.changed() == 0


def test_what_is_not_run_says_a_reason_that_is_known() -> None:
    blocks = [*guide_blocks(), *(examples("module", name) for name in module_names())]
    blocks += [examples("lookup", name) for name in plugin_names("lookup")]
    reasons = Counter(reason_not_run(block.before) or reason_not_run(block.text) for block in blocks)
    del reasons[""]
    assert reasons == KNOWN_REASONS


def test_every_example_is_yaml_with_names() -> None:
    """A task without a name could not be told from the others."""
    for name in module_names():
        assert all("name" in task for task in yaml.safe_load(examples("module", name).text)), ROOT / name
