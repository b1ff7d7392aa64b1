#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lays a sweep on real threads beside the same points on logical cores.

Usage: curves.py VMMAP-MANYCORE DIR      reads DIR/sweep.json, writes DIR/curves.json, prints a table

A gain is a policy's rate on N threads as a multiple of its own on one. Where the engine cannot run on logical cores
(rwlock, whose lock is in libc; none, which is for one thread) the model's column stays empty.
"""
import json
import os
import subprocess
import sys

OPS = "300"
TOPOLOGY = ["Socket(s)", "Core(s) per socket", "Thread(s) per core", "NUMA node(s)", "L1d cache", "L2 cache",
            "L3 cache", "Hypervisor vendor"]


def topology():
    """What lscpu knows and struct machine does not: what shares which cache decides what a transfer costs."""
    done = subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True, env=dict(os.environ, LC_ALL="C"), check=False)
    facts = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    return {key: facts[key].strip() for key in TOPOLOGY if key in facts}


def modelled(program, policy, workload, threads):
    """Operations per second of virtual time; None where the model has no such point."""
    command = [program, "run", "--policy", policy, "--profile", workload, "--cores", str(threads), "--ops", OPS]
    done = subprocess.run(command + ["--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    return json.loads(done.stdout)["ops_per_s"] if done.returncode == 0 else None


def gains(rows, key):
    """For each row its `key` over that of the same policy and workload on the fewest threads, per thread of those."""
    one = {}
    for row in sorted(rows, key=lambda r: r["threads"]):
        if row[key]:
            one.setdefault((row["policy"], row["workload"]), row[key] / row["threads"])
    return [row[key] / one[row["policy"], row["workload"]] if row[key] else None for row in rows]


def show(rows):
    counts = sorted({row["threads"] for row in rows})[1:]
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    known = {(r["workload"], r["policy"], r["threads"]): (r["gain"], r["gain_model"]) for r in rows}
    print("gain by threads: real / logical cores")
    print(f"{'workload':14} {'t':>3} " + " ".join(f"{p:>11}" for p in policies))
    for workload in dict.fromkeys(row["workload"] for row in rows):
        for n in counts:
            cells = []
            for policy in policies:
                real, model = known.get((workload, policy, n), (None, None))
                cells.append(f"{f'{real:.2f}' if real else '-'} / {f'{model:.2f}' if model else '-'}")
            print(f"{workload:14} {n:>3} " + " ".join(f"{c:>11}" for c in cells))


def main():
    program, where = sys.argv[1], sys.argv[2]
    with open(os.path.join(where, "sweep.json"), encoding="utf-8") as file:
        sweep = json.load(file)
    rows = [dict(row, model=modelled(program, row["policy"], row["workload"], row["threads"])) for row in sweep["rows"]]
    for row, real, model in zip(rows, gains(rows, "rate"), gains(rows, "model")):
        row["gain"], row["gain_model"] = real, model
    show(rows)
    out = {key: value for key, value in sweep.items() if key != "rows"}
    out.update(command="curves", topology=topology(), rows=rows)
    with open(os.path.join(where, "curves.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, indent=1)
        file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
