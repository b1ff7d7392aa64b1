#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables of a sweep on logical cores, in Markdown: million operations a second / transfers an operation.

Usage: curves_table.py POINTS.JSON [--policies NAME,...] [--profiles NAME,...] [--cores N,...] [--costs 50|100|250]
Default: all of it, with costs 100.
       curves_table.py POINTS.JSON --docs FILE.md,... [--write]

In a document, a comment <!-- curves_table.py OPTIONS --> stands before each of these tables: --docs compares them with
the points (exit 1: they differ), --write writes them anew.

After a cell: what it has less than 10,000 operations a core up to 128 cores and 1,000 beyond: * 1,000 or more, + 100 or
more, - fewer; ~ its warm-up was not steady.
"""
import argparse
import json
import re
import sys

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


def parse(words):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("points")
    parser.add_argument("--policies", type=listed)
    parser.add_argument("--profiles", type=listed)
    parser.add_argument("--cores", type=listed)
    parser.add_argument("--costs", default="100")
    parser.add_argument("--docs", type=listed)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args(words)


def table(all_points, given):
    points = [p for p in all_points if model(p) == (given.costs, 200, 32, "1")]
    policies = given.policies or order({p["policy"] for p in points}, POLICIES)
    profiles = given.profiles or sorted({p["profile"] for p in points})
    cores = [int(n) for n in given.cores] if given.cores else sorted({p["cores"] for p in points})
    return "\n".join(rows(points, policies, profiles, cores)) + "\n"


def documents(points, given):
    """The exit code."""
    marked = re.compile(r"(<!-- curves_table\.py (.*?) -->\n)((?:\|.*\n)*)")
    code = 0
    for path in given.docs:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        anew = marked.sub(lambda found: found[1] + table(points, parse([given.points, *found[2].split()])), text)
        if anew == text:
            continue
        if given.write:
            with open(path, "w", encoding="utf-8") as file:
                file.write(anew)
            continue
        code = 1
        for old, new in zip(text.split("\n"), anew.split("\n")):
            if old != new:
                print(f"{path} says\n  {old}\nand the points\n  {new}\n--write mends it")
                break
    return code


def main():
    given = parse(sys.argv[1:])
    with open(given.points, encoding="utf-8") as file:
        points = json.load(file)["points"]
    if given.docs:
        return documents(points, given)
    print(table(points, given), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
