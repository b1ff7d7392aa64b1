#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants one sin in vmmap-stress and checks that it is found, as what it is, and told as promised.

Usage: plant.py VMMAP_STRESS SIN PROFILE
"""
import json
import subprocess
import sys
import time

FOUND_WITHIN = 5.0                      # seconds of stress


def check(sin, run, took):
    """Yields one line per broken promise."""
    if run.returncode != 1:
        yield f"exit status {run.returncode}, must be 1"
        return
    result = json.loads(run.stdout)
    if result["first"] != sin or result["violations"] < 1:
        yield f"reported as {result['first']}, {result['violations']} violations"
    if result["seconds"] > FOUND_WITHIN:
        yield f"found after {result['seconds']:.1f} s of stress ({took:.1f} s in all)"
    for promised in (f"violation: {sin} ", "last calls", "thread 0, call", "thread 1, call", "seed 7",
                     "vmmap-stress --policy=rwlock", f"--plant={sin}"):
        if promised not in run.stderr:
            yield f"the report does not say '{promised}'"


def main():
    program, sin, profile = sys.argv[1:]
    began = time.monotonic()
    run = subprocess.run([program, "--policy=rwlock", f"--profile={profile}", "--threads=2", "--seconds=10", "--seed=7",
                          f"--plant={sin}", "--json=-"], capture_output=True, text=True, timeout=50)
    broken = list(check(sin, run, time.monotonic() - began))
    for line in broken:
        print(f"plant {sin} in {profile}: {line}")
    if broken:
        print(run.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
