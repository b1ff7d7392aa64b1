#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a test program with a mutant switched on and passes if the program notices.

Usage: kill_mutant.py MUTANT PROGRAM [ARG...]

The program reads VMMAP_MUTANT and selects it with point_mutant_select(). Noticing = any failure: an exit code other
than 0, a signal, or no end within 30 seconds. Exit code 99 means "no such mutant": that is a failure of ours, since a
misspelt mutant would otherwise count as killed. The program must pass without the mutant; its own ctest shows that.
"""
import os
import subprocess
import sys

SECONDS = 30
UNKNOWN = 99


def main():
    mutant, command = sys.argv[1], sys.argv[2:]
    env = dict(os.environ, VMMAP_MUTANT=mutant)
    try:
        done = subprocess.run(command, env=env, timeout=SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        print(f"{mutant}: killed (the program hung for {SECONDS} s)")
        return 0
    sys.stdout.write(done.stdout.decode(errors="replace"))
    if done.returncode == UNKNOWN:
        print(f"{mutant}: the program does not know this mutant")
        return 1
    if done.returncode == 0:
        print(f"{mutant}: SURVIVED")
        return 1
    print(f"{mutant}: killed (exit {done.returncode})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
