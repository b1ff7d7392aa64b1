#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up gcov's reports of all objects (both flavours of each) and prints coverage per source file.

Usage: gcov_table.py BUILD DIRECTORY...      run in the repository root

A line counts as covered if any object ran it; a branch if any object took it.
"""
import collections
import json
import os
import subprocess
import sys


def reports(build):
    data = [os.path.join(where, name) for where, _dirs, names in os.walk(build) for name in names
            if name.endswith(".gcda")]
    for first in range(0, len(data), 50):
        files = [os.path.abspath(name) for name in data[first:first + 50]]
        done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities"] + files, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=build, text=True)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def percent(taken, all_):
    return f"{100 * taken / all_:6.1f}" if all_ else "     -"


def main():
    root, build, wanted = os.getcwd(), sys.argv[1], tuple(name + "/" for name in sys.argv[2:])
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    branches = collections.defaultdict(lambda: collections.defaultdict(int))
    for report in reports(build):
        for file in report["files"]:
            path = os.path.relpath(os.path.join(report["current_working_directory"], file["file"]), root)
            if not path.startswith(wanted):
                continue
            for line in file["lines"]:
                lines[path][line["line_number"]] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    if not branch["throw"]:
                        branches[path][line["line_number"], number] += branch["count"]
    total = [0, 0, 0, 0]
    print(f"{'file':40} {'lines':>6} {'%':>6} {'branches':>9} {'%':>6}")
    for path in sorted(lines):
        row = [len(lines[path]), sum(c > 0 for c in lines[path].values()),
               len(branches[path]), sum(c > 0 for c in branches[path].values())]
        total = [a + b for a, b in zip(total, row)]
        print(f"{path:40} {row[0]:6} {percent(row[1], row[0])} {row[2]:9} {percent(row[3], row[2])}")
    print(f"{'all':40} {total[0]:6} {percent(total[1], total[0])} {total[2]:9} {percent(total[3], total[2])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
