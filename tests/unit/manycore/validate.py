#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The published shapes come out of the model with its default costs; with lines that are too cheap one does not, so
that they can be missed. The rank correlation is Spearman's.

Usage: validate.py PROGRAM         exit 1 and a line if not
"""
import json
import math
import subprocess
import sys

POLICIES = ["vma", "rwsem", "pervma", "spf"]


def validate(program, *more):
    done = subprocess.run([program, "validate", "--profiles", "fault", "--ops", "500", "--json", "-", *more],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got}, not {wanted}")


def ranks(values):
    return [sum(other < value for other in values) for value in values]


def spearman(first, second):
    n, pairs = len(first), zip(ranks(first), ranks(second))
    return 1 - 6 * sum((a - b) ** 2 for a, b in pairs) / (n * (n * n - 1))


def main():
    program = sys.argv[1]
    code, what = validate(program, "--policies", ",".join(POLICIES))
    claims = [verdict["claim"] for shape in what["shapes"] for verdict in shape["verdicts"]]
    expect("exit code", code, 0)
    expect("shapes", (len(what["shapes"]), what["shapes_held"], what["shapes_missed"]), (3, len(claims), 0))
    rates = {row["cores"]: row["rate"] for row in what["shapes"][0]["millions_per_s"]}
    expect("the counter's peak", max(rates, key=rates.get), 10)
    expect("one core's counter is the published one", round(rates[1], 2), 1.08)
    expect("policies", [row["policy"] for row in what["real"]], POLICIES)
    expect("rank correlation", math.isclose(what["rank_correlation"], spearman(
        [row["real_2"] for row in what["real"]], [row["model_2"] for row in what["real"]]), abs_tol=1e-6), True)
    code, what = validate(program, "--policies", "vma", "--costs", "50")
    expect("cheap lines: exit code", code, 1)
    expect("cheap lines", [v["claim"] for s in what["shapes"] for v in s["verdicts"] if not v["holds"]],
           ["the peak is at one socket, 10 cores", "80 cores have less than 0.7 of it"])
    expect("one policy has no rank", what["rank_correlation"], None)


if __name__ == "__main__":
    main()
