#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A sweep runs what it has not, and what another program measured; it tells how far it is. With a budget, a point's row
says what it ran, and the same again gives the same.

Usage: sweep.py PROGRAM         exit 1 and a line if not
"""
import json
import os
import re
import subprocess
import sys
import tempfile

COMMAND = ["sweep", "--policies", "vma", "--profiles", "fault", "--most", "2", "--ops", "64", "--jobs", "1", "--out"]


def sweep(program, where):
    """The points that were told, in order."""
    done = subprocess.run([program, *COMMAND, where], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    return re.findall(r"^(\d+ of \d+)  vma, fault, (\d+) cores; .* to go$", done.stderr, re.M)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got}, not {wanted}")


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as where:
        table = os.path.join(where, "points.tsv")
        expect("an empty directory", sweep(program, where), [("1 of 2", "1"), ("2 of 2", "2")])
        expect("the same again", sweep(program, where), [])
        with open(table, encoding="utf-8") as file:
            lines = file.read().splitlines()
        with open(table, "w", encoding="utf-8") as file:         # of another program; and without a digest
            file.write("\n".join([re.sub(r"\t[0-9a-f]{16}\t", "\t" + 16 * "0" + "\t", lines[0]), lines[1]]) + "\n")
        expect("another program's point", sweep(program, where), [("1 of 1", "1")])
        with open(table, "w", encoding="utf-8") as file:
            file.write("\n".join([lines[0], re.sub(r"\t[0-9a-f]{16}\t.*$", "", lines[1])]) + "\n")
        expect("a point without a digest", sweep(program, where), [("1 of 1", "2")])
        with open(os.path.join(where, "points.json"), encoding="utf-8") as file:
            points = json.load(file)["points"]
        expect("points.json", [p["cores"] for p in points], [1, 2])
        expect("their program", len({p["build"] for p in points}), 1)
    with tempfile.TemporaryDirectory() as where:
        budgeted(program, where)


def budgeted(program, where):
    command = [program, "sweep", "--policies", "rwsem", "--profiles", "local", "--counts", "16", "--seconds", "1"]
    subprocess.run([*command, "--jobs", "1", "--out", where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    with open(os.path.join(where, "points.json"), encoding="utf-8") as file:
        point = json.load(file)["points"][0]
    again = subprocess.run([program, "run", "--policy", "rwsem", "--profile", "local", "--cores", "16", "--ops",
                            str(point["ops_per_core"]), "--warm", str(point["warm_blocks"]), "--json", "-"],
                           stdout=subprocess.PIPE, text=True, check=True)
    expect("the same operations again", f'{json.loads(again.stdout)["ops_per_s"]:.6g}', f'{point["ops_per_s"]:.6g}')


if __name__ == "__main__":
    main()
