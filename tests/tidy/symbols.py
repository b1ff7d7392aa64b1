#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the libraries export, and whether the public headers stand on their own.

Usage: symbols.py exports libvmmap.a libvmmap.so HEADER...   only vmmap_*, physmem_*, physseg_*; all that is declared
       symbols.py failures TABLE HEADER...   every public call has its row in the table of test_nomem.c
       symbols.py headers ROOT CC CXX HEADER...              strict C11 and C++11, each header alone and all together
"""
import os
import re
import subprocess
import sys
import tempfile

PUBLIC = re.compile(r"^(vmmap|physmem|physseg)_\w+$")
DECLARED = re.compile(r"\b((?:vmmap|physmem|physseg)_\w+)\s*\(")
STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
USE = """
struct vmmap_config config_of_map = VMMAP_CONFIG;
struct physmem_config config_of_frames = PHYSMEM_CONFIG;
struct physseg_config config_of_segments = PHYSSEG_CONFIG;
"""


def globals_of(library):
    command = ["nm", "--defined-only", "--extern-only"] + (["-D"] if library.endswith(".so") else []) + [library]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[2].split("@")[0] for line in lines if len(line.split()) == 3}


def declared_in(headers):
    names = set()
    for header in headers:
        with open(header, encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
        names |= set(DECLARED.findall(re.sub(r"^\s*#.*$", "", text, flags=re.M)))
    return names


def exports(archive, shared, headers):
    good, declared = True, declared_in(headers)
    for library in (archive, shared):
        names = globals_of(library)
        for name in sorted(n for n in names if not PUBLIC.match(n)):
            print(f"{library}: exports {name}")
            good = False
        for name in sorted(declared - names):
            print(f"{library}: {name} is declared, not defined")
            good = False
        for name in sorted(names - declared):
            print(f"{library}: {name} is exported, not declared in a public header")
            good = False
        print(f"{library}: {len(names)} symbols")
    return good


def failures(table, headers):
    """A call with a deadline is its plain form with another word in the thread's slot: one row for both."""
    with open(table, encoding="utf-8") as file:
        text = "\n".join(line for line in file if '.c", "' not in line)         # sites, by file and function
    named = set(re.findall(r"\b(?:vmmap|physmem|physseg)_\w+", " ".join(re.findall(r'"([^"\n]*)"', text))))
    declared = {re.sub(r"_until$", "", name) for name in declared_in(headers)}
    for name in sorted(declared - named):
        print(f"{table}: no row for {name}: want for memory in it, or say that it needs none")
    for name in sorted(named - declared):
        print(f"{table}: {name} is no public call")
    print(f"{len(declared)} calls")
    return declared == named


def compiles(command, text, suffix):
    with tempfile.NamedTemporaryFile("w", suffix=suffix) as file:
        file.write(text)
        file.flush()
        done = subprocess.run(command + [file.name], capture_output=True, text=True)
    if done.returncode:
        print(" ".join(command), "\n" + text + done.stderr)
    return done.returncode == 0


def headers_alone(root, cc, cxx, headers):
    includes = [f"#include <vmmap/{os.path.basename(header)}>\n" for header in headers]
    texts = includes + ["".join(includes) + "".join(reversed(includes)) + USE]
    good = True
    for text in texts:
        good &= compiles([cc, "-std=c11", "-I", root] + STRICT, text + "int main(void) { return 0; }\n", ".c")
        good &= compiles([cxx, "-std=c++11", "-I", root] + STRICT, text + "int main() { return 0; }\n", ".cc")
    print(f"{len(texts)} ways to include, 2 languages: {'good' if good else 'bad'}")
    return good


def main():
    if sys.argv[1] == "exports":
        good = exports(sys.argv[2], sys.argv[3], sys.argv[4:])
    elif sys.argv[1] == "failures":
        good = failures(sys.argv[2], sys.argv[3:])
    else:
        good = headers_alone(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
