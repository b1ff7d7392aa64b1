#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a test program with a mutant switched on and passes if the program notices.

Usage: kill_mutant.py MUTANT PROGRAM [ARG...]

The program reads VMMAP_MUTANT and selects it with point_mutant_select(). Noticing = any failure: a test that cmocka
reports as failed (the rest is not waited for), an exit code other than 0, a signal, or no end within 30 seconds. Exit
code 99 means "no such mutant": that is a failure of ours, since a misspelt mutant would otherwise count as killed. The
program must pass without the mutant; its own ctest shows that. Some mutants show only where threads meet by chance: who
survives runs again, three times in all.
"""
import os
import selectors
import signal
import subprocess
import sys
import time

SECONDS, TIMES = 30, 3
UNKNOWN = 99
FAILED = b"[  FAILED  ]"


def end(process):
    """Ends the program and what it has forked: its exit code."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return process.wait()


def watch(process):
    """Reads what it prints until a test fails, the output ends or time is up: (output, why it was cut short)."""
    out, late = b"", time.monotonic() + SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < late:
            if not selector.select(0.2):
                if process.poll() is not None:           # a child of its may have the pipe still
                    return out, None
                continue
            some = os.read(process.stdout.fileno(), 65536)
            out += some
            if FAILED in out:
                return out, "a test failed"
            if not some:
                return out, None
    return out, f"the program hung for {SECONDS} s"


def run(mutant, command):
    """(exit code, why it was cut short)."""
    process = subprocess.Popen(command, env=dict(os.environ, VMMAP_MUTANT=mutant), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    out, why = watch(process)
    if not why:
        process.wait()
    code = end(process)
    sys.stdout.write(out.decode(errors="replace"))
    return code, why


def main():
    mutant, command = sys.argv[1], sys.argv[2:]
    for _ in range(TIMES):
        code, why = run(mutant, command)
        if why or code != 0:
            break
    if why:
        print(f"{mutant}: killed ({why})")
        return 0
    if code == UNKNOWN:
        print(f"{mutant}: the program does not know this mutant")
        return 1
    if code == 0:
        print(f"{mutant}: SURVIVED")
        return 1
    print(f"{mutant}: killed (exit {code})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
