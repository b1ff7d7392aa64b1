#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the model order the policies as real threads do? From what scripts/curves has measured.

Usage: curves_ranks.py CURVES.JSON [--threads N]      default: 2

For each workload Spearman's rank correlation of the rates, and of the pairs of policies whose real intervals do not
meet, how many the model has in the same order; and how fast one logical core is beside one thread (geometric mean).
"""
import argparse
import itertools
import json
import math


def ranks(values):
    return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]


def spearman(first, second):
    a, b, mean = ranks(first), ranks(second), (len(first) + 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    return product / math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))


def apart(x, y):
    return x["lo"] > y["hi"] or y["lo"] > x["hi"]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("curves")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    with open(given.curves, encoding="utf-8") as file:
        rows = [row for row in json.load(file)["rows"] if row["model"]]
    print("| workload | policies | rank correlation | pairs in order | one core / one thread |\n|" + "---|" * 5)
    for workload in dict.fromkeys(row["workload"] for row in rows):
        these = [r for r in rows if r["workload"] == workload and r["threads"] == given.threads]
        pairs = [(x, y) for x, y in itertools.combinations(these, 2) if apart(x, y)]
        same = sum((x["rate"] > y["rate"]) == (x["model"] > y["model"]) for x, y in pairs)
        logs = [math.log(r["model"] / r["rate"]) for r in rows if r["workload"] == workload and r["threads"] == 1]
        alone = f"{math.exp(sum(logs) / len(logs)):.2f}" if logs else ""
        if len(these) > 2:
            print(f"| `{workload}` | {len(these)} | "
                  f"{spearman([r['rate'] for r in these], [r['model'] for r in these]):.2f} | "
                  f"{same} of {len(pairs)} | {alone} |")


if __name__ == "__main__":
    main()
