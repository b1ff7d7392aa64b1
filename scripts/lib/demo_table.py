#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What scripts/demo prints: one line per run while it goes, one table at the end.

Usage: demo_table.py line FILE.json              one run in a few words
       demo_table.py table DIRECTORY SECONDS     all of them
"""
import glob
import json
import os
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def ns(value):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} ns"


def line(what):
    if "final_maps_equal" in what:
        equal = {True: "final map equal", False: "FINAL MAP DIFFERS", None: "no snapshot"}[what["final_maps_equal"]]
        return (f"{what['calls']:,} calls, {what['threads']} threads, {what['mismatches']} mismatches, {equal} "
                f"({100 * what['compared_share']:.0f} % of the bytes compared)")
    if "violations" in what:
        return (f"{what['ops'] / what['seconds'] / 1e6:8.2f} M ops/s, {what['violations']} violations, "
                f"{what['max_overtakes']} overtakes at most")
    if "stopped" in what:
        text = f"{what['blocked']:,} of {what['ops']:,} disjoint operations blocked, p99 {ns(what['p99_ns'])}"
        if what["stopped"]:
            rows = what["stopped"]
            text += (f"; writer stopped inside an edit ({len(rows)} places): "
                     f"{sum(row['blocked'] for row in rows):,} of {sum(row['ops'] for row in rows):,}")
        return text
    if "a_ops" in what:
        return (f"{what['a']} / {what['b']} = {what['median']:.2f}  [{what['lo']:.2f}, {what['hi']:.2f}], "
                f"{what['pairs']} pairs, {what['dropped']} more dropped as disturbed")
    return f"{len(what.get('rows', []))} rows"


TITLES = [("replay-", "replay of the recorded program"), ("race-", "every call at random, verified, 4 threads"),
          ("faults-", "faults only, 4 threads"), ("isolation-", "isolation, 10 ms hold"),
          ("ratio-", "two threads, rate of vma over a global lock")]


def table(directory, seconds):
    print("\n" + "=" * 110)
    for prefix, title in TITLES:
        files = sorted(glob.glob(os.path.join(directory, prefix + "*.json")))
        if files:
            print(title)
        for path in files:
            name = os.path.basename(path)[len(prefix):-len(".json")]
            print(f"  {name:22} {line(load(path))}")
    print("=" * 110)
    print(f"{seconds} s after the build. Files:")
    for path in sorted(glob.glob(os.path.join(directory, "*.[ps][nv]g"))):
        print(f"  {path}")
    print(f"  {directory}/record/    strace.log, maps: what the program did\n"
          f"  {directory}/*.json     each run, {directory}/*.log what it printed")


def main():
    if sys.argv[1] == "line":
        print(line(load(sys.argv[2])))
    else:
        table(sys.argv[2], int(sys.argv[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
