#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--help of a program, and of each of its commands, has examples that call it, and says what its exit codes mean.

Usage: check_help.py PROGRAM
"""
import os
import re
import subprocess
import sys


def help_of(program, *command):
    done = subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    return done.returncode, done.stdout


def check(program, *command):
    name = " ".join([os.path.basename(program), *command])
    code, text = help_of(program, *command)
    found = [] if code == 0 else [f"{name} --help: exit {code}"]
    examples = re.search(r"^Examples:\n( .*?)(?=^\n|^Exit |\Z)", text, flags=re.M | re.S)
    if not examples:
        found.append(f"{name} --help: no line 'Examples:', with indented ones below it")
    elif name not in examples[1]:
        found.append(f"{name} --help: none of the examples calls it")
    if not re.search(r"^Exit (code|status): ", text, flags=re.M):
        found.append(f"{name} --help: no line 'Exit status: ...'")
    return found


def main():
    program = sys.argv[1]
    text = help_of(program)[1]
    found = check(program)
    if " COMMAND [OPTION...]\n" in text:
        before = text.split("\nExamples:")[0]
        commands = re.findall(r"^  ([a-z]+)  +\S", before, flags=re.M)
        if len(commands) < 2:
            found.append(f"--help lists the commands {commands}")
        for command in commands:
            found += check(program, command)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
