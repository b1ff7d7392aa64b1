#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a program refuses it refuses with a cause and, in the line below, a remedy.

Usage: check_messages.py KIND PROGRAM        KIND: a key of REFUSED
"""
import subprocess
import sys
import tempfile

BEGIN = "machine memory=32M; "
NOWHERE = "/no/such/directory/file"
ONE = ["--policy=vma", "--only=munmap|munmap"]


def script(text):
    return ["script", "-e", BEGIN + text]


REFUSED = {                             # options, exit code, cause, remedy
    "physmem": [
        (script("plug 0 4K"), 1, "plug 0 4K: EEXIST", "`segments` shows"),
        (script("listen veto; plug 64M 4M"), 1, "plug 64M 4M: EPERM", "`listen off`"),
        (script("plug 2G 4K"), 1, "plug 2G 4K: EINVAL", "[base, limit)"),
        (script("poison 64M"), 1, "poison 64M: EINVAL", "`segments` shows"),
        (script("alloc a; poison a"), 1, "poison a: EBUSY", "`inspect` says who"),
        (script("map s/h 40M; fails ENOMEM touch s/h; poison s/h"), 1, "poison s/h: ENOMEM", "plug more"),
        (script("unpoison 0"), 1, "unpoison 0: EINVAL", "`inspect` says"),
        (script("balloon inflate 8M"), 1, "balloon inflate: ENXIO", "balloon on, first"),
        (script("balloon deflate"), 1, "balloon deflate: ENXIO", "balloon on, first"),
        (script("balloon on; balloon off; balloon inflate 8M"), 1, "balloon inflate: ENXIO", "balloon on, first"),
        (script("balloon on 4M"), 2, "balloon on: '4M'?", "usage: balloon"),
        (script("fails EPERM plug 64M 4M"), 1, "was to fail with EPERM", "leave out `fails`"),
        (script("map s/h 8K; touch s/h at=8K"), 2, "behind the end", "within it"),
        (script("map s/h 8K; touch s/h 12K"), 2, "has only 2 pages", "smaller size"),
        (["script", NOWHERE], 2, "No such file", "that can be read"),
        ([*script("show"), "--json", NOWHERE], 2, "--json: cannot write", "that can be written"),
        ([*script("show"), "--svg", "picture.gif"], 2, "picture.gif", ".svg or .png"),
    ],
    "conflicts": [
        ([*ONE, f"--json={NOWHERE}"], 2, "--json: cannot write", "that can be written"),
        ([*ONE, f"--svg={NOWHERE}"], 2, NOWHERE, "gnuplot"),
        (["--policy=vma", f"--budget={NOWHERE}"], 2, "--budget: cannot read", "--write-budget makes it"),
        (["--policy=vma", "--budget=DIRECTORY"], 2, "--budget: cannot read", "that can be read"),
        (["--policy=vma", f"--waivers={NOWHERE}"], 2, "--waivers: cannot read", "waivers.list"),
        (["--policy=vma", "--waivers=DIRECTORY"], 2, "--waivers: cannot read", "waivers.list"),
        (["--policy=vma", "--policy=vma"], 2, "is there twice", "name it once"),
    ],
}


def main():
    kind, program, found = sys.argv[1], sys.argv[2], []
    with tempfile.TemporaryDirectory() as directory:
        for options, code, cause, remedy in REFUSED[kind]:
            options = [option.replace("DIRECTORY", directory) for option in options]
            done = subprocess.run([program, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=120)
            lines = done.stderr.splitlines()
            told = any(cause in first and second.startswith("  ") and remedy in second
                       for first, second in zip(lines, lines[1:]))
            if done.returncode != code or not told:
                found.append(f"{' '.join(options)}: exit {done.returncode}, {done.stderr!r}")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
