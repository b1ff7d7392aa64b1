#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up gcov's reports of all objects (both flavours of each) and prints coverage per source file.

Usage: gcov_table.py [--least PERCENT] BUILD DIRECTORY...      run in the repository root

A line counts as covered if any object ran it; a branch if any object took it. Exit code 1 if the lines of one of the
directories are covered by less than PERCENT.
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
    args, least = sys.argv[1:], 0.0
    if args[0] == "--least":
        least, args = float(args[1]), args[2:]
    root, build, wanted = os.getcwd(), args[0], tuple(name + "/" for name in args[1:])
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
    totals = {name: [0, 0, 0, 0] for name in wanted + ("all",)}
    print(f"{'file':40} {'lines':>6} {'%':>6} {'branches':>9} {'%':>6}")
    for path in sorted(lines):
        row = [len(lines[path]), sum(c > 0 for c in lines[path].values()),
               len(branches[path]), sum(c > 0 for c in branches[path].values())]
        for name in totals:
            if name == "all" or path.startswith(name):
                totals[name] = [a + b for a, b in zip(totals[name], row)]
        print(f"{path:40} {row[0]:6} {percent(row[1], row[0])} {row[2]:9} {percent(row[3], row[2])}")
    bad = False
    for name, row in totals.items():
        low = 100 * row[1] < least * row[0] or (least > 0 and row[0] == 0)
        bad = bad or low
        print(f"{name:40} {row[0]:6} {percent(row[1], row[0])} {row[2]:9} {percent(row[3], row[2])}"
              f"{f'   below {least:g} % of the lines' if low else ''}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
