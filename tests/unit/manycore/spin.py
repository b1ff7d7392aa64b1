#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rounds of a spin that vmmap-manycore does not play change nothing: the same point with all of them, and without, has
the same throughput, transfers, accesses and time spent spinning, within 1 %; and without them, twice the same.

Usage: spin.py PROGRAM         exit 1 and one line per difference

Cores run ahead of each other by nothing (--quantum 0), since it makes a difference beside whom one does; and the
window is so long that it makes none who comes first to a lock now and then: with 600 operations a core they are up
to 1.01 % apart, with 2,400 up to 0.43.
"""
import json
import subprocess
import sys

POLICIES = ("range-tree", "fine-lock")
LOAD = ["--profile", "mprotect", "--cores", "16", "--ops", "1600", "--warm", "4", "--quantum", "0", "--json", "-"]
SAME = ("ops_per_s", "transfers_per_op", "accesses_per_op", "spinning")
PART = 0.01


def run(program, policy, *more):
    command = [program, "run", "--policy", policy, *LOAD, *more]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    found = []
    for policy in POLICIES:
        without, again = run(sys.argv[1], policy), run(sys.argv[1], policy)
        played = run(sys.argv[1], policy, "--rounds")
        print(policy, without["rounds_not_played"], *(f"{key} {without[key]:.6g} {played[key]:.6g}" for key in SAME))
        if without["digest"] != again["digest"]:
            found.append(f"{policy}: twice the same, and digests {without['digest']}, {again['digest']}")
        if without["rounds_not_played"] == 0:
            found.append(f"{policy}: all rounds were played")
        if played["rounds_not_played"] != 0:
            found.append(f"{policy}: --rounds, and some were not played")
        for key in SAME:
            if abs(without[key] - played[key]) > PART * played[key]:
                found.append(f"{policy}: {key} is {without[key]}, with all rounds {played[key]}")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
