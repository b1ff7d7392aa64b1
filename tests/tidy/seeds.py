#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mutants of the engine against what the explorer finds: each stands in bench/explore/seeds.list, or in the table
of docs/exploring.md with the test that finds it.

Usage: seeds.py ROOT          exit 1 and one line per finding
       seeds.py --self-test   a small tree with planted errors; each must be found, nothing else

A line of the list is    mutant scenario strategy seed runs    and its scenario one of bench/explore; a row of the table
is    | `mutant`, ... | why | `test.c`, ... |    and one of its tests selects each mutant (windows.py says how).
"""
import os
import re
import sys

import judging
import windows

LIST = "bench/explore/seeds.list"
PAGE = "docs/exploring.md"
ROOTS = ("base", "locks", "vmmap")
SCENARIO = re.compile(r"^SCENARIO\((\w+),", re.M)
SUITES = {"rcu_no_membarrier": "a memory order: its own suite selects it (tests/unit/base)"}


def rows(text):
    """Of the table: [(line, mutants, tests)]."""
    found, inside = [], False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("| mutants |"):
            inside = True
        elif inside and not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            cells = line.strip().strip("|").split("|")
            found.append((number, windows.QUOTED.findall(cells[0]), windows.QUOTED.findall(cells[-1])))
    return found


def judge_list(text, mutants, scenarios):
    found, listed = [], set()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 5 or words[0] not in mutants or words[1] not in scenarios or words[0] in listed:
            found.append(f"{LIST}:{number}: mutant, scenario, strategy, seed, runs; each mutant once: {line}")
        listed.add(words[0])
    return found, listed


def judge(root):
    code = judging.texts(root, ROOTS, (".c", ".h"))
    tests = {os.path.basename(path): text for path, text in judging.texts(root, ["tests"], ".c").items()}
    mutants = {name for text in code.values() for name in windows.MUTANT.findall(text)} - {"id"}
    scenarios = {name for text in judging.texts(root, ["bench/explore"], ".c").values()
                 for name in SCENARIO.findall(text)}
    found, listed = judge_list(judging.text(root, LIST), mutants, scenarios)
    told = {}
    for number, names, files in rows(judging.text(root, PAGE)):
        for name in names:
            told[name] = number
            if name not in mutants:
                found.append(f"{PAGE}:{number}: no mutant '{name}' in the code")
            elif name not in SUITES and not any(windows.selects(tests.get(file, ""), name) for file in files):
                found.append(f"{PAGE}:{number}: no test of this row selects '{name}'")
    found += [f"{PAGE}:{told[name]}: '{name}' stands in {LIST}" for name in sorted(listed & set(told))]
    found += [f"{LIST}: '{name}' is neither here nor in {PAGE}" for name in sorted(mutants - listed - set(told))]
    return found


GOOD = {
    "base/a.c": "if (BASE_MUTANT(first)) x();\nif (BASE_MUTANT(second)) y();\n",
    "bench/explore/scenario_a.c": 'SCENARIO(one, .what = "...");\n',
    "tests/unit/test_b.c": 'void test_b(void) { select("second"); }\n',
    LIST: "# mutants\nfirst one mixed 1 3\n",
    PAGE: "## Mutants\n| mutants | why | found by |\n|---|---|---|\n| `second` | no race | `test_b.c` |\n\n## Limits\n",
}
SINS = {
    "in neither": [("base/a.c", "x()", "BASE_MUTANT(third)")],
    "in both": [(LIST, "first", "second one mixed 1 1\nfirst")],
    "twice in the list": [(LIST, "# mutants\n", "first one mixed 1 1\n")],
    "no such scenario": [(LIST, "one", "two")],
    "no such mutant in the list": [(LIST, "# mutants\n", "fourth one mixed 1 1\n")],
    "no such mutant in the table": [(PAGE, "`second`", "`second`, `fourth`")],
    "no test selects it": [("tests/unit/test_b.c", '"second"', '"other"')],
    "no such test": [(PAGE, "`test_b.c`", "`test_c.c`")],
}


if __name__ == "__main__":
    sys.exit(judging.main(judge, GOOD, SINS, "each mutant is found by its seed, or it is told why not"))
