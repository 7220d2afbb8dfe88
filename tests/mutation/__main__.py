# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the files that decide in hundreds of small ways, one at a time, and run their tests.

`python -m tests.mutation [NAME...]`, as in `_smarthost/login`; all of them unless named. Works on copies of the
project in build/, with the program cosmic-ray from the search path.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import ROOT
from tests.tools.committed import copy_project

FOLDER = ROOT / "build" / "mutation"
SURVIVORS = Path(__file__).with_name("survivors.yml")
LEAST_KILLED = 0.9
#: For one test, and for all of a file: far more than they take on a busy machine.
HUNG_SECONDS, MOST_SECONDS = 30, 300
#: What is changed: conditions, comparisons, signs, numbers, constants, loops, handlers of exceptions and decorators. No
#: texts, no annotations. Of the comparisons only the opposite and the neighbour, since the others say nothing more.
OPERATORS = (
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ZeroIterationForLoop",
    "ReplaceUnaryOperator_(Delete_Not|USub_UAdd)",
    "ReplaceBinaryOperator_(Add_Sub|Sub_Add)",
    "ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is)",
)

#: Not tried, as little as an annotation: mypy sees what would assign to such an object.
FROZEN = "- @dataclass(frozen=True)\n+ @dataclass(frozen=False)"


@dataclass(frozen=True)
class Target:
    """A file of module_utils, or of plugin_utils where its name says so, and the fastest tests that are for it."""

    name: str
    tests: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it is in the project."""
        return f"plugins/{'' if self.name.startswith('plugin_utils/') else 'module_utils/'}{self.name}.py"


def unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names)


#: Tests that spend seconds on waiting, for what others here notice as well.
WAITING = ("test_a_dead_server_is_not_asked_for_every_login", "test_connections_of_others_are_waited_for")
HOST_NAMES, CONNECTS = "tests/component/test_host_names.py", "test_the_port_for_tls_from_the_first_byte"
#: The slowest first, so that all processors are busy to the end.
TARGETS = (
    *(
        Target(
            f"_smarthost/{name}",
            (
                "tests/component/test_smtp.py",
                "tests/component/test_smtp_many.py",
                *(f"--deselect=tests/component/test_smtp_many.py::{test}" for test in WAITING),
            ),
        )
        for name in ("login", "connection")
    ),
    Target("plugin_utils/_rotation", unit("rotation_choices", "rotation_run")),
    Target("plugin_utils/_rotation_means", unit("rotation_choices", "rotation_run")),
    Target("_users/plan", unit("plan_shown", "plan_corners", "plan_reached")),
    Target("_names", (*unit("ports", "outgoing_user"), HOST_NAMES, f"--deselect={HOST_NAMES}::{CONNECTS}")),
    Target("_users/user", unit("outgoing_user")),
    Target("_users/methods", unit("methods", "plan_corners")),
    Target("_rotation/outcome", unit("rotation", "rotation_choices", "rotation_run")),
    Target("_rotation/objections", unit("rotation", "rotation_plan", "rotation_choices", "rotation_run")),
    Target("_rotation/plan", unit("rotation_plan")),
    Target("_rotation/selection", unit("rotation_plan")),
    Target("_declaration/identities", unit("identities", "declared_hosts")),
    Target("_declaration/only", unit("identities")),
    Target("_declaration/relays", unit("relays")),
    Target("_declaration/hosts", unit("declared_hosts")),
    Target("_declaration/form", unit("declaration")),
    Target("_declaration/description", unit("declaration")),
    *(
        Target(f"_audit/{name}", unit(f"audit_{name}", "audit_findings"))
        for name in ("senders", "servers", "dns", "account", "thunderbirds", "report")
    ),
    *(Target(f"_audit/{name}", unit("audit_report", "audit_findings")) for name in ("accepted", "finding", "seen")),
)


@dataclass(frozen=True)
class Mutant:
    """One changed file and what became of it. change: the lines that differ, as in a diff, without indentation."""

    change: str
    row: int
    outcome: str  # killed, survived or invalid


def make_copy(folder: Path) -> None:
    """Copy the project, and link the copy under the collection's name."""
    copy_project(folder)
    link = folder / "collections" / "ansible_collections" / "smarthost" / "spamexperts"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../..")


def configure(target: Target, folder: Path) -> Path:
    """Write what cosmic-ray wants to know."""
    # Each mutant meets the same examples. `-p no:randomly` is for people who have that plugin.
    options = [
        "-x",
        "-q",
        "-p",
        "no:randomly",
        "--hypothesis-seed=0",
        f"--timeout={HUNG_SECONDS}",
        "--timeout-method=thread",
    ]
    command = shlex.join([sys.executable, "-m", "pytest", *options, *target.tests])
    others = f"(?!core/({'|'.join(OPERATORS)})$)"
    path = folder / "mutation.toml"
    path.write_text(
        f"""[cosmic-ray]
module-path = "{target.path}"
timeout = {MOST_SECONDS}.0
excluded-modules = []
test-command = '''{command}'''
[cosmic-ray.distributor]
name = "local"
[cosmic-ray.filters.operators-filter]
exclude-operators = ['{others}']
""",
        encoding="utf-8",
    )
    return path


def run(target: Target) -> list[Mutant]:
    """Try every mutant of one file. Raises CalledProcessError where the tests fail without any change."""
    folder = FOLDER / "copies" / target.name.replace("/", "-")
    make_copy(folder)
    configuration = configure(target, folder)
    session = folder / "mutation.sqlite"
    for command in (
        ["cosmic-ray", "baseline", str(configuration)],
        ["cosmic-ray", "init", str(configuration), str(session)],
        ["cr-filter-operators", str(session), str(configuration)],
        ["cosmic-ray", "exec", str(configuration), str(session)],
    ):
        subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return results(session)


def results(session: Path) -> list[Mutant]:
    """Read what became of each mutant."""
    query = """
        SELECT start_pos_row, test_outcome, output, diff
        FROM mutation_specs NATURAL JOIN work_results WHERE worker_outcome = 'NORMAL' ORDER BY start_pos_row"""
    found = []
    connection = sqlite3.connect(session)
    for row, outcome, output, diff in connection.execute(query):
        lines = [line for line in diff.splitlines() if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"}]
        change = "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[1:].strip())
        if change == FROZEN or (outcome != "SURVIVED" and "SyntaxError" in output):
            kind = "invalid"
        elif outcome == "SURVIVED":
            kind = "survived"
        else:
            kind = "killed"
        found.append(Mutant(change, row, kind))
    connection.close()
    return found


def judge(target: Target, mutants: list[Mutant], listed: dict[str, str]) -> list[str]:
    """Print how it went, and return what is wrong with it. listed: change -> why nothing can notice it."""
    valid = [mutant for mutant in mutants if mutant.outcome != "invalid"]
    survived = [mutant for mutant in valid if mutant.outcome == "survived"]
    rate = 1 - len(survived) / len(valid) if valid else 0.0
    print(
        f"{target.name}: {len(valid)} mutants, {len(valid) - len(survived)} killed ({rate:.1%}), "
        f"{len(survived)} survived"
    )
    wrong = [f"{target.name}: only {rate:.1%} are killed"] if rate < LEAST_KILLED else []
    for mutant in survived:
        if mutant.change not in listed:
            wrong.append(f"{target.name}, line {mutant.row}: survived, and no reason is listed\n{mutant.change}")
    gone = listed.keys() - {mutant.change for mutant in mutants}
    wrong += [f"{target.name}: a reason is listed, but there is no such mutant\n{change}" for change in sorted(gone)]
    killed = listed.keys() - gone - {mutant.change for mutant in survived}
    return wrong + [f"{target.name}: a reason is listed, but it was killed\n{change}" for change in sorted(killed)]


def main() -> int:
    os.nice(15)
    unknown = set(sys.argv[1:]) - {target.name for target in TARGETS}
    if unknown:
        names = ", ".join(target.name for target in TARGETS)
        print(f"{', '.join(sorted(unknown))} is not changed here; there are {names}.")
        return 2
    chosen = [target for target in TARGETS if target.name in sys.argv[1:] or not sys.argv[1:]]
    listed = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8"))
    begin = time.monotonic()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        outcomes = list(pool.map(run, chosen))
    wrong = []
    for target, mutants in zip(chosen, outcomes):
        reasons = {entry["change"].strip(): entry["reason"] for entry in listed.get(target.name) or []}
        wrong += judge(target, mutants, reasons)
    print("\n".join(wrong))
    print(f"{len(wrong)} problems in {time.monotonic() - begin:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
