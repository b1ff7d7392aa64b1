#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The list of race windows (docs/races.md, part 2) against the scripts and the mutants.

Usage: windows.py ROOT              exit 1 and one line per finding
       windows.py --scripts ROOT    prints the scripts of the list, as a pattern for ctest -R
       windows.py --self-test       a small tree with planted errors; each must be found, nothing else

A row is    | numbers or - | window | `script.c`, `function`; `other.c`, ... | `mutant`, ... |
Rules: each number from 1 to LAST has a row, or is told below the table to have none ("- 4, 29, 30 ..."); a row's files
are files of tests/, and what else its third cell quotes stands in one of them; a row's mutants are in the code, and one
of its scripts selects each: a line " * mutant: name", which the build makes a ctest of, or the name as a string. Each
mutant in the code has a row, and so has each script of tests/windows (part 1 may name it instead).
"""
import fnmatch
import os
import re
import sys

import judging

PAGE = "docs/races.md"
LAST = 35
ROOTS = ("base", "locks", "vmmap", "stress")
QUOTED = re.compile(r"`([^`]+)`")
MUTANT = re.compile(r"BASE_MUTANT\((\w+)\)")

# Mutants without a row, and why.
NO_ROW = {
    "id": "the macro's own parameter",
    "rcu_no_membarrier": "a memory order: docs/races.md, part 3",
}


def table(text):
    """Of part 2: [(line, numbers, script cell, mutants)], and the numbers that are told to have no script."""
    rows, told, inside = [], set(), False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            inside = line.startswith("## 2.")
        elif inside and line.startswith("|") and not line.startswith(("| # ", "|---")):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 4:
                rows.append((number, [int(n) for n in re.findall(r"\d+", cells[0])], cells[2],
                             QUOTED.findall(cells[3])))
            else:
                rows.append((number, [], "", []))
        elif inside and (match := re.match(r"- ((?:\d+, )*\d+)\b", line)):
            told.update(int(n) for n in re.findall(r"\d+", match.group(1)))
    return rows, told


def selects(text, mutant):
    return re.search(rf"^ \* mutant: +{mutant}\b", text, re.M) or f'"{mutant}"' in text


def judge_row(row, tests, mutants):
    number, _numbers, script, names = row
    files, found = [], []
    for name in QUOTED.findall(script):
        hits = [path for path in tests if os.path.basename(path) == name]
        if not name.endswith(".c"):
            wanted = name.replace("*", "\0")
            pattern = re.escape(wanted).replace("\0", r"\w*")
            if not any(re.search(rf"\b{pattern}\b", tests[path]) for path in files):
                found.append(f"{PAGE}:{number}: no '{name}' in {', '.join(files) or 'no file'}")
        elif len(hits) != 1:
            found.append(f"{PAGE}:{number}: no one test '{name}'")
        else:
            files += hits
    if not files or not names:
        found.append(f"{PAGE}:{number}: a row has a script and a mutant")
    for name in names:
        if name not in mutants:
            found.append(f"{PAGE}:{number}: no mutant '{name}' in the code")
        elif not any(selects(tests[path], name) for path in files):
            found.append(f"{PAGE}:{number}: no script of this row selects '{name}'")
    return found


def judge(root):
    tests = judging.texts(root, ["tests"], ".c")
    mutants = {name for code in judging.texts(root, ROOTS, (".c", ".h")).values() for name in MUTANT.findall(code)}
    text = judging.text(root, PAGE)
    rows, told = table(text)
    found = [line for row in rows for line in judge_row(row, tests, mutants)]
    numbered = told.union(*(row[1] for row in rows))
    found += [f"{PAGE}: window {n} has neither a row nor a reason" for n in range(1, LAST + 1) if n not in numbered]
    named = {name for row in rows for name in row[3]}
    found += [f"{PAGE}: no row for the mutant '{name}'" for name in sorted(mutants - named - set(NO_ROW))]
    for path in sorted(fnmatch.filter(tests, "tests/windows/w[0-9]*.c")):
        if os.path.basename(path) not in text:
            found.append(f"{path}:1: is not in {PAGE}")
    return found


GOOD = {
    "base/a.c": "if (BASE_MUTANT(first)) x();\nif (BASE_MUTANT(second)) y();\n",
    "tests/windows/w01_a.c": "/*\n * mutant: first\n */\n",
    "tests/unit/test_b.c": 'void test_b_goes(void) { select("second"); }\n',
    PAGE: "## 2. Windows\n| # | window | script | mutant |\n|---|---|---|---|\n"
          f"| {', '.join(str(n) for n in range(2, LAST + 1))} | one | `w01_a.c` | `first` |\n"
          "| - | two | `test_b.c`, `test_b_*` | `second` |\n\n- 1: never.\n## 3. More\n",
}
SINS = {
    "number without a row": [(PAGE, "- 1: never", "- 3: never")],
    "no such script": [(PAGE, "`w01_a.c`", "`w02_a.c`")],
    "no such function": [(PAGE, "`test_b_*`", "`test_c_*`")],
    "no such mutant": [(PAGE, "`second`", "`second`, `third`")],
    "row without a mutant": [(PAGE, "| `second` |", "| |")],
    "not selected": [("tests/unit/test_b.c", '"second"', '"other"')],
    "mutant without a row": [("base/a.c", "x()", "BASE_MUTANT(fourth)")],
    "script without a row": [("tests/windows/w09_z.c", None, GOOD["tests/windows/w01_a.c"])],
}


def scripts(root):
    rows, _told = table(judging.text(root, PAGE))
    return sorted({name[:-2] for row in rows for name in QUOTED.findall(row[2]) if name.endswith(".c")})


if __name__ == "__main__":
    if sys.argv[1] == "--scripts":
        print(rf"^[a-z]+\.({'|'.join(scripts(sys.argv[2]))})$")
        sys.exit(0)
    sys.exit(judging.main(judge, GOOD, SINS, "each window has its script, each mutant its row"))
