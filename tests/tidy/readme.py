#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The program in README.md is examples/quick.c, letter by letter (its SPDX line aside).

Usage: readme.py ROOT      exit 77 (skipped) while there is no README.md
"""
import os
import re
import sys


def main():
    root = sys.argv[1]
    path = os.path.join(root, "README.md")
    if not os.path.exists(path):
        print("no README.md")
        return 77
    with open(path, encoding="utf-8") as file:
        blocks = re.findall(r"^```c\n(.*?)^```$", file.read(), flags=re.S | re.M)
    with open(os.path.join(root, "examples", "quick.c"), encoding="utf-8") as file:
        program = re.sub(r"\A/\* SPDX.*\*/\n", "", file.read())
    if program in blocks:
        return 0
    print("README.md: no ```c block equals examples/quick.c (without its SPDX line):")
    print(program)
    return 1


if __name__ == "__main__":
    sys.exit(main())
