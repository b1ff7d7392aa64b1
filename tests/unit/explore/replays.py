#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A printed schedule is a whole account of its run: in a fresh process it fails in the same way.

Usage: replays.py VMMAP_EXPLORE SEEDS_LIST PART [OPTION...]

For every PART-th line of the list, and for each scenario in ALWAYS: explores until the mutant is found (the failing run
is shrunk, in a process that has learned from all runs before), and gives the string that it printed to --replay.
OPTIONs go to both.
"""
import json
import re
import subprocess
import sys

# Led by scene_stop, scene_await, scene_asleep; waits that poll; a library thread; deadlines.
ALWAYS = re.compile(r"^(beside_|queue_|window_|insist_|deadline_)")
LED_EVERY = 5
WEAK = "weak-"


def lines(path):
    with open(path, encoding="ascii") as file:
        rows = [line.split() for line in file if not line.startswith("#") and line.strip()]
    return [row if "/" not in row[0] else [" ".join(row[:5])] + row[5:] for row in rows]


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=100).stdout


def replayed(program, row, options):
    """None: as it should be. Else what is wrong."""
    fault, scenario, strategy, seed, runs = row
    if strategy.startswith(WEAK):
        strategy, options = strategy[len(WEAK):], [*options, "--weak"]
    how = [program, *options, f"--weaken={fault}" if "/" in fault else f"--mutant={fault}", f"--scenario={scenario}"]
    found = json.loads(run(*how, f"--strategy={strategy}", f"--seed={seed}", f"--schedules={int(runs) + 2000}",
                           "--jobs=1", "--json=-"))["scenarios"][0]
    if found["failure"] is None:
        return "not found again"
    last = run(*how, "--replay=" + found["replay"]).decode(errors="replace").strip().splitlines()[-1:]
    expected = f"{found['failure']}: {found['text']}"
    return None if last == [expected] else f"found '{expected}', replayed '{''.join(last)}', {found['replay'][:200]}"


def main():
    program, path, part, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    rows = lines(path)
    led = [row for row in rows if ALWAYS.match(row[1])][::max(1, part // LED_EVERY)]
    chosen = [row for i, row in enumerate(rows) if i % part == 0 or row in led]
    bad = 0
    for row in chosen:
        wrong = replayed(program, row, options)
        if wrong is not None:
            print(f"{row[0]} in {row[1]}: {wrong}", flush=True)
            bad += 1
    print(f"{len(chosen) - bad} of {len(chosen)} schedules fail again in a fresh process")
    return bad != 0 or not chosen


if __name__ == "__main__":
    sys.exit(main())
