#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables of a sweep on logical cores, in Markdown: million operations a second / transfers an operation.

Usage: curves_table.py POINTS.JSON [--policies NAME,...] [--profiles NAME,...] [--cores N,...] [--costs 50|100|250]
Default: all of it, with costs 100.

After a cell: what it has less than 10,000 operations a core up to 128 cores and 1,000 beyond: * 1,000 or more, + 100 or
more, - fewer; ~ its warm-up was not steady.
"""
import argparse
import json

POLICIES = ["vma", "vma-count", "rwsem", "pervma", "spf", "pt-lock", "range-tree", "range-list", "fine-lock", "checked"]


def number(mops):
    return f"{mops:.0f}" if mops >= 100 else f"{mops:.3g}"


def cell(point):
    few = point["ops_per_core"]
    mark = ""
    if few < (9900 if point["cores"] <= 128 else 990):         # a unit may be several calls: a little is lost
        mark = "*" if few >= 990 else "+" if few >= 99 else "-"
    if not point["steady"]:
        mark += "~"
    return f"{number(point['ops_per_s'] / 1e6)} / {point['transfers_per_op']:.2f}" + (f" {mark}" if mark else "")


def model(point):
    return point["costs"], point["quantum_ns"], point["socket"], point["seed"]


def order(names, known):
    return sorted(names, key=lambda n: (known.index(n) if n in known else len(known), n))


def rows(points, policies, profiles, cores):
    found = {(p["profile"], p["policy"], p["cores"]): p for p in points}
    yield "| profile, policy | " + " | ".join(str(n) for n in cores) + " |"
    yield "|---" * (len(cores) + 1) + "|"
    for profile in profiles:
        for policy in policies:
            cells = [found.get((profile, policy, n)) for n in cores]
            if any(cells):
                yield f"| `{profile}`, {policy} | " + " | ".join(cell(c) if c else "" for c in cells) + " |"


def listed(text):
    return text.split(",")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("points")
    parser.add_argument("--policies", type=listed)
    parser.add_argument("--profiles", type=listed)
    parser.add_argument("--cores", type=listed)
    parser.add_argument("--costs", default="100")
    given = parser.parse_args()
    with open(given.points, encoding="utf-8") as file:
        points = [p for p in json.load(file)["points"] if model(p) == (given.costs, 200, 32, "1")]
    policies = given.policies or order({p["policy"] for p in points}, POLICIES)
    profiles = given.profiles or sorted({p["profile"] for p in points})
    cores = [int(n) for n in given.cores] if given.cores else sorted({p["cores"] for p in points})
    print("\n".join(rows(points, policies, profiles, cores)))


if __name__ == "__main__":
    main()
