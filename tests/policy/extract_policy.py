#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the code of a document to a file: all blocks that open with ```c policy, in order.

Usage: extract_policy.py DOCUMENT OUTPUT
Fails if there is no such block, so that a renamed tag does not pass as an empty policy.
"""
import sys


def blocks(lines):
    inside = False
    for line in lines:
        if line.rstrip() == "```c policy":
            inside = True
        elif inside and line.rstrip() == "```":
            inside = False
            yield "\n"
        elif inside:
            yield line


def main():
    with open(sys.argv[1], encoding="utf-8") as document:
        code = "".join(blocks(document)).rstrip() + "\n"
    if not code.strip():
        sys.exit("no code in " + sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(code)


if __name__ == "__main__":
    main()
