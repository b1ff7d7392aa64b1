#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every rival's known weakness on logical cores, beside the default policy on the same load.

Usage: rivals.py VMMAP-MANYCORE [--cores N,N...] [--json FILE] [--markdown]

A row is a policy, what its literature says of it, and a load that shows it. Counted: operations per second of virtual
time, as a multiple of one core's; line transfers per operation; where the claim is about work, accesses per operation.
The same program gives the same numbers. Exit code 1 if a weakness does not show, or the default policy shows it, too.

It shows, where cores exclude each other: however many there are, the rival's throughput is below three times that of
one, with more transfers per operation than four times the default policy's, whose throughput is above half of linear;
and, if the row names one, the object with the most transfers is the lock; of a queued spin lock, whose waiters move no
line: the cores spin for most of their time, which no other lock lets them do. Where the claim is about work: the
rival's accesses per operation grow by 2 or more a core, the default policy's by none.
"""
import argparse
import json
import re
import subprocess
import sys

OPS, WARM = "100", "4"                                   # of who waits: steady soon, and slow to simulate
DEFAULT, DEFAULT_OPS = "vma", "1000"                     # of who does not
MOST = 3                                                 # times one core's throughput
RESIDUE = 0.25                                           # transfers per operation that are nobody's weakness

SPINS = "spins"                                          # on a line of its own, until it is handed the lock
SPINNING = 0.5                                           # of the time of all cores

# policy, weakness, load, what is counted (rate or work), the object that is fought for, or SPINS; source
ROWS = [
    ("range-tree", "one spin lock over the tree", "fault", "rate", SPINS,
     "Kogan, Dice, Issa, EuroSys 2020, on Kara's and Bueso's range locks"),
    ("fine-lock", "one short lock over its trees", "fault", "rate", SPINS,
     "its own design: Lespinasse, LSF/MM 2019"),
    ("range-list", "the list's lines are written by all", "fault", "rate", r"list_",
     "Kogan, Dice, Issa, EuroSys 2020: the list's head"),
    ("range-list", "work grows with the held ranges", "held", "work", None,
     "Kogan, Dice, Issa, EuroSys 2020: the traversal is linear"),
    ("pervma", "writers serialize", "local", "rate", None,
     "Linux, Documentation/mm/process_addrs.rst: a VMA write lock needs mmap_lock"),
    ("spf", "writers serialize", "local", "rate", None,
     "Dufour, speculative page faults v12, 2018: mmap_sem stays for all who write"),
    ("pervma", "counted readers: one VMA does not scale", "fault", "rate", r"\.pins",
     "Clements, Kaashoek, Zeldovich, EuroSys 2013, on shared counters"),
    ("vma-count", "counted readers: one VMA does not scale", "fault", "rate", r"\.pins",
     "the same"),
    ("pt-lock", "one table page serializes", "table", "rate", r"pt_table\.lock",
     "CortenMM, SOSP 2025: its high-contention limit"),
    ("rwsem", "readers share one word", "fault", "rate", r"rwsem_state\.sem",
     "Clements, Kaashoek, Zeldovich, ASPLOS 2012, on mmap_sem"),
    ("rwsem", "writers serialize", "local", "rate", None, "the same"),
    ("checked", "a global lock over range locks", "fault", "rate", r"checked_state\.sem",
     "range locking of mmap_sem, Linux Plumbers Conference 2019: a step of the way"),
]
LOADS = {
    "fault": "write faults, each core in its 1 MiB and more of one VMA",
    "local": "mmap FIXED one page, write it, munmap; cores 1 MiB apart",
    "held": "one core faults, above N - 1 ranges that others hold",
    "table": "write faults, each core in a VMA of its own, all in 2 MiB",
}


def command(program, policy, load, cores):
    if load in ("held", "table"):
        return [program, load, "--policy", policy, "--cores", str(cores), "--ops", OPS]
    amount = ["--ops", DEFAULT_OPS] if policy == DEFAULT else ["--ops", OPS, "--warm", WARM]
    return [program, "run", "--policy", policy, "--profile", load, "--cores", str(cores)] + amount


def measured(program, policy, load, cores, known):
    key = policy, load, cores
    if key not in known:
        done = subprocess.run(command(program, policy, load, cores) + ["--json", "-"], check=True,
                              stdout=subprocess.PIPE, text=True)
        known[key] = json.loads(done.stdout)
    return known[key]


def hottest(point):
    """The object with the most transfers, of those that are listed, and its part of them."""
    sums = {}
    for line in point["hottest"]:
        sums[line["object"]] = sums.get(line["object"], 0) + line["per_op"]
    name = max(sums, key=sums.get, default=None)
    return (name, sums[name]) if name else (None, 0)


def curve(points):
    one = points[0]
    return {
        "cores": [p["cores"] for p in points],
        "gain": [round(p["ops_per_s"] / one["ops_per_s"], 3) for p in points],
        "transfers_per_op": [round(p["transfers_per_op"], 2) for p in points],
        "accesses_per_op": [round(p["accesses_per_op"], 1) for p in points],
        "spinning": [round(p["spinning"], 3) for p in points],
        "hottest": hottest(points[-1])[0],
        "digests": [p["digest"] for p in points],
    }


def wrong(row, rival, default):
    """Why the row does not say what it should; empty if it does."""
    found = []
    for i, cores in enumerate(rival["cores"][1:], 1):
        if row["counts"] == "work":
            grows = (rival["accesses_per_op"][i] - rival["accesses_per_op"][0]) / (cores - 1)
            if grows < 2:
                found.append(f"{cores} cores: {grows:.1f} accesses more for each held range")
            if default["accesses_per_op"][i] > default["accesses_per_op"][0] + 1:
                found.append(f"{cores} cores: the default policy's accesses grow")
            continue
        if rival["gain"][i] > MOST:
            found.append(f"{cores} cores: {rival['gain'][i]} times one core's rate")
        if rival["transfers_per_op"][i] < 4 * max(default["transfers_per_op"][i], RESIDUE):
            found.append(f"{cores} cores: {rival['transfers_per_op'][i]} transfers per operation, the default policy "
                         f"{default['transfers_per_op'][i]}")
        if default["gain"][i] < cores / 2:
            found.append(f"{cores} cores: the default policy has {default['gain'][i]} times one core's rate")
    if row["object"] == SPINS:
        if rival["spinning"][-1] < SPINNING:
            found.append(f"the cores spin for {rival['spinning'][-1]} of their time")
    elif row["object"] and not re.search(row["object"], rival["hottest"] or ""):
        found.append(f"most transfers are of {rival['hottest']}")
    return found


def numbers(values):
    return " / ".join(f"{v:.3g}" if abs(v) < 1000 else f"{v:.0f}" for v in values)


def cells(row):
    key = "accesses_per_op" if row["counts"] == "work" else "gain"
    transfers = "" if row["counts"] == "work" else numbers(row["rival"]["transfers_per_op"])
    default = "" if row["counts"] == "work" else numbers(row["default"]["transfers_per_op"])
    return [row["policy"], row["weakness"], row["load"], numbers(row["rival"][key]), numbers(row["default"][key]),
            transfers, default, "" if row["counts"] == "work" else row["rival"]["hottest"] or "-"]


def show(rows, cores, markdown):
    heads = ["policy", "weakness", "load", "rate", DEFAULT, "transfers an operation", DEFAULT, "most of them"]
    body = [cells(row) for row in rows]
    if markdown:
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
        for line in body:
            print("| " + " | ".join(f"`{c}`" if i in (0, 2, 7) and c else c for i, c in enumerate(line)) + " |")
        return
    width = [max(len(line[i]) for line in [heads] + body) for i in range(len(heads))]
    print(f"{' / '.join(map(str, cores))} logical cores. rate: times that of one core; `held`: accesses an operation")
    for line in [heads] + body:
        print("  ".join(c.ljust(w) for c, w in zip(line, width)).rstrip())
    print()
    for load, what in LOADS.items():
        print(f"{load:6} {what}")
    print()
    for row in rows:
        print(f"{row['policy']:11} {row['weakness']}: {row['source']}\n{'':11} {row['command']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program")
    parser.add_argument("--cores", default="1,8,64")
    parser.add_argument("--json")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    cores = [int(n) for n in args.cores.split(",")]
    known, rows, failures = {}, [], 0

    for policy, weakness, load, counts, lock, source in ROWS:
        row = {"policy": policy, "weakness": weakness, "load": load, "counts": counts, "object": lock, "source": source,
               "command": " ".join(["vmmap-manycore"] + command("", policy, load, cores[-1])[1:])}
        row["rival"] = curve([measured(args.program, policy, load, n, known) for n in cores])
        row["default"] = curve([measured(args.program, DEFAULT, load, n, known) for n in cores])
        row["shows"] = not (why := wrong(row, row["rival"], row["default"]))
        for reason in why:
            print(f"{policy}, {weakness}: {reason}", file=sys.stderr)
        failures += bool(why)
        rows.append(row)
    show(rows, cores, args.markdown)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"cores": cores, "rows": rows}, file, indent=1)
            file.write("\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
