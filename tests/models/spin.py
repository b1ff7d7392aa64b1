#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Model-checks range.pml with spin: every run exhaustive, states compressed losslessly (COLLAPSE).

Usage: spin.py MODEL.pml SCRATCH-DIRECTORY [NAME ...]

A run says what it switches on, which property it proves, and whether spin must accept it. Exit code 1 if one does not
come out as it must, or if a search was cut short.
"""
import os
import re
import shutil
import subprocess
import sys
import time

SAFETY, SECONDS = "safety", 600
# name: (macros, property, accepted)
RUNS = {
    "staircase":            ([], SAFETY, True),
    "wide":                 (["WIDE"], SAFETY, True),
    "cancel":               (["CANCEL"], SAFETY, True),
    "cancel_narrow":        (["CANCEL", "NARROW"], SAFETY, True),
    "answered":             (["SERVED"], "answered", True),
    "served":               (["SERVED"], "served", True),
    "served_narrow":        (["SERVED", "NARROW"], "served", True),
    "queue_left_open":      (["QUEUE_LEFT_OPEN"], SAFETY, False),
    "handover_with_holes":  (["HANDOVER_WITH_HOLES", "WIDE"], SAFETY, False),
    "descending_acquire":   (["DESCENDING_ACQUIRE"], SAFETY, False),
    "never_insists":        (["NEVER_INSISTS"], SAFETY, False),
    "wake_lost":            (["SERVED", "WAKE_LOST"], "answered", False),
    "unheard":              (["UNHEARD"], SAFETY, False),
}


def run(model, scratch, macros, proves):
    """spin's verdict: (errors, states, why); errors None: no verdict."""
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    shutil.copy(model, os.path.join(scratch, "range.pml"))
    safety = proves == SAFETY
    compile_flags = ["-DCOLLAPSE", "-DMEMLIM=3000"] + (["-DSAFETY", "-DNOCLAIM"] if safety else [])
    for command in (["spin"] + [f"-D{m}" for m in macros] + ["-a", "range.pml"],
                    ["gcc", "-O2", "-w"] + compile_flags + ["-o", "pan", "pan.c"],
                    ["./pan", "-m2000000", "-n"] + ([] if safety else ["-a", "-f", "-N", proves])):
        done = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS)
        out = done.stdout.decode(errors="replace")
    errors, states = re.search(r"errors: (\d+)", out), re.search(r"(\d[\d.e+]*) states, stored", out)
    why = re.search(r"^pan:1: (.*?) \(at", out, re.M)
    if not errors or re.search(r"max search depth too small|out of memory|memory limit", out):
        return None, 0, out[-1000:]
    return int(errors.group(1)), int(float(states.group(1))) if states else 0, why.group(1) if why else ""


def main():
    model, scratch, names = sys.argv[1], sys.argv[2], sys.argv[3:] or list(RUNS)
    wrong = 0
    for name in names:
        macros, proves, accepted = RUNS[name]
        start = time.monotonic()
        errors, states, why = run(model, scratch, macros, proves)
        good = errors is not None and (errors == 0) == accepted
        wrong += not good
        print(f"{name:22} {proves:9} {'accepted' if errors == 0 else 'rejected: ' + why:32.32} {states:9} states "
              f"{time.monotonic() - start:5.1f} s{'' if good else '   WRONG'}", flush=True)
    print(f"{len(names)} runs, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
