#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Line transfers per operation on logical cores: counts, so they are the same on every machine with this compiler.

Usage: budget.py PROGRAM BUDGET.json            exit 1 and one line per breach
       budget.py PROGRAM BUDGET.json --write    measures, and writes the budget anew

The budget has for each profile (policy vma), with the options that stand behind it, the most transfers per operation
that may be. What is less is not a breach, but is said, so that the budget can follow. What is 0.00 stays so: 0.005 and
a quarter are spare. More than 0.05 depends on who meets whom: there 0.05 is. `--shrink 0`: a window with sizes divided
hides what goes round in more memory than a slot keeps.

A window has as many operations as are asked for, or more.
"""
import json
import subprocess
import sys

SPARE, SPARE_SMALL, SMALL, SPARE_PART = 0.05, 0.005, 0.05, 0.25
OPS = "1000"


def run(program, what, seed="1"):
    profile, *options = what.split()
    command = [program, "--policy", "vma", "--profile", profile, "--ops", OPS, "--seed", seed, "--json", "-", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def transfers(program, what):
    """The lesser of two seeds: which leaves neighbours share at first is luck, and lasts for a while."""
    found = run(program, what)
    if found["ops"] < found["cores"] * int(OPS):
        sys.exit(f"{what}: {found['ops']} operations on {found['cores']} cores, fewer than {OPS} each")
    least = found["transfers_per_op"]
    return round(least if least == 0 else min(least, run(program, what, "2")["transfers_per_op"]), 4)


def measured(program, profiles):
    return {what: transfers(program, what) for what in profiles}


def spare(budget):
    return budget * SPARE_PART + (SPARE_SMALL if budget < SMALL else SPARE)


def breaches(program, budget):
    found = []
    first, again = run(program, "global --cores 4"), run(program, "global --cores 4")
    if first["digest"] != again["digest"] or first["transfers_per_op"] != again["transfers_per_op"]:
        found.append(f"the same seed gave {first['digest']} and {again['digest']}")
    if first["digest"] == run(program, "global --cores 4", "2")["digest"]:
        found.append("another seed gave the same digest")
    alone = run(program, "fault --cores 1")
    if alone["transfers_per_op"] > 0.005:
        found.append(f"one core alone: {alone['transfers_per_op']} transfers per operation")
    for profile, now in measured(program, budget).items():
        print(f"{profile:40} {now:9.4f}   budget {budget[profile]:9.4f}")
        if now > budget[profile] + spare(budget[profile]):
            found.append(f"{profile}: {now} transfers per operation, the budget has {budget[profile]}")
        elif now < budget[profile] - spare(budget[profile]):
            print(f"{profile}: less than the budget: write it anew (--write)")
    return found


def main():
    program, path = sys.argv[1], sys.argv[2]
    with open(path, encoding="utf-8") as file:
        budget = json.load(file)
    if sys.argv[3:] == ["--write"]:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(measured(program, budget), file, indent=1)
            file.write("\n")
        return 0
    found = breaches(program, budget)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
