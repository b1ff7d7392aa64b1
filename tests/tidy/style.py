#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The style of the house, as a test.

Usage: style.py ROOT              every file under ROOT; exit 1 and one line per finding
       style.py --self-test       each rule must find its planted sin, and nothing in a clean file

A rule is one function over the lines of one file; RULES says which files it judges. Limits are numbers at the top.
"""
import os
import re
import sys

FILE_LINES, FUNCTION_LINES, COLUMNS, PARAMETERS = 500, 70, 120, 6

# Files that may break a limit, each with its reason.
LONG_FILES = {}
# volatile where it is not about synchronisation.
VOLATILE_FILES = {
    "stress/oracle/kernel_child.c": "touches pages of the running kernel: each access must really happen",
}
# Linux's calls have the parameters that they have.
MANY_PARAMETERS = {"vmmap_mmap", "vmmap_mmap_within", "space_mmap", "space_mmap_within", "space_mremap",
                   "vmmap_mmap_until", "vmmap_mmap_within_until", "vmmap_mremap_until"}

SKIP_DIRS = {"build", "results", ".git", "__pycache__"}
NO_SPDX = {"LICENSE", "CMakePresets.json"}
DATA = (".png", ".svg", ".json", ".log", ".maps", ".txt", ".strace", ".gz")

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|\bfor n" r"ow\b|\bsimpli" r"fied\b|"
                        r"\bnot (yet )?imple" r"mented\b|\bunimple" r"mented\b|\bplace" r"holder\b", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.$}])/(work|root|home)/|deb\.debian" r"\.org|pypi\.org|registry\.npm")

HEAD_OF_FUNCTION = re.compile(r"(\w+)\s*\(((?:[^()]|\([^()]*(?:\([^()]*\)[^()]*)*\))*)\)\s*$")

# An asm statement, and a pointer that also takes the address of an atomic.
VOLATILE_BUT_HARMLESS = re.compile(r"\b(asm|__asm__)\s+(volatile|__volatile__)|\bconst volatile void \*")


def is_c(path):
    return path.endswith((".c", ".h", ".cc"))


def is_text(path):
    return not path.endswith(DATA) or path.endswith("CMakeLists.txt")


def code_only(lines):
    """The lines without comments and string literals, numbering kept."""
    text = "\n".join(lines)
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0)) if m.group(0)[0] == "/" else '""'
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)
    return text.split("\n")


def spdx(path, lines):
    if os.path.basename(path) in NO_SPDX:
        return
    if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
        yield 1, "no SPDX line"


def length(path, lines):
    if len(lines) > FILE_LINES and path not in LONG_FILES:
        yield len(lines), f"{len(lines)} lines, at most {FILE_LINES}"


def columns(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > COLUMNS:
            yield number, f"{len(line.expandtabs(8))} columns, at most {COLUMNS}"


def blanks(path, lines):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if is_c(path) and line.startswith("        "):
            yield number, "indented by spaces (tabs of 8)"
        if is_c(path) and re.match(r" +\t", line):
            yield number, "a tab after a space"
    if lines and not lines[-1]:
        yield len(lines), "empty line at the end of the file"


def unfinished(path, lines):
    for number, line in enumerate(lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, f"unfinished work: '{match.group(0)}'"


def machine(path, lines):
    for number, line in enumerate(lines, 1):
        match = MACHINE.search(line)
        if match:
            yield number, f"a path or host of one machine: '{match.group(0)}'"


def words(path, lines):
    for number, line in enumerate(code_only(lines), 1):
        if path != "base/atomic.h" and re.search(r"\bmemory_order_\w", line):
            yield number, "a memory order outside base/atomic.h"
        if re.search(r"\batomic_(thread|signal)_fence\b|\b__sync_synchronize\b|\b__atomic_thread_fence\b", line):
            yield number, "a stand-alone fence"
        if not path.startswith("base/thread.") and re.search(r"\b(__thread|_Thread_local|thread_local)\b", line):
            yield number, "thread-local storage outside base/thread"
        if path not in VOLATILE_FILES and re.search(r"\bvolatile\b", VOLATILE_BUT_HARMLESS.sub("", line)):
            yield number, "volatile"


def functions(path, lines):
    """Kernel style makes it simple: a body is from '{' to '}' in the first column."""
    code = code_only(lines)
    start = None
    for number, line in enumerate(code, 1):
        if line.rstrip() == "{":
            start = number
            head = " ".join(code[max(0, number - 8):number - 1])
            match = HEAD_OF_FUNCTION.search(head)
            if match and match.group(1) not in MANY_PARAMETERS:
                flat = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", match.group(2)))
                if flat.count(",") + 1 > PARAMETERS:
                    yield number, f"{match.group(1)}: {flat.count(',') + 1} parameters, at most {PARAMETERS}"
        elif line.startswith("}") and start:
            if number - start - 1 > FUNCTION_LINES:
                yield start, f"a function of {number - start - 1} lines, at most {FUNCTION_LINES}"
            start = None


def is_source(path):
    return is_text(path) and not path.endswith(".md")


RULES = [(spdx, is_text), (length, is_source), (columns, is_source), (blanks, is_text), (unfinished, is_text),
         (machine, is_text), (words, is_c), (functions, is_c)]


def judge(path, text):
    """The findings in one file, as 'path:line: text'."""
    found = []
    if "\r" in text:
        found.append(f"{path}:1: carriage return")
    if text and not text.endswith("\n"):
        found.append(f"{path}:1: no newline at the end")
    lines = text[:-1].split("\n") if text.endswith("\n") else text.split("\n")
    for rule, applies in RULES:
        if applies(path):
            found += [f"{path}:{number}: {what}" for number, what in rule(path, lines)]
    return found


def files(root):
    for where, dirs, names in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
        yield from (os.path.relpath(os.path.join(where, name), root) for name in sorted(names)
                    if name not in SKIP_DIRS)            # .git of a worktree is a file


HEAD = "/* SPDX-License-Identifier: MIT */\n"
CLEAN = (HEAD + '#include "x.h"\n\n/* volatile, memory_order_relaxed: only words of a comment */\n'
         "int f(int a, int (*g)(int, int))\n{\n\treturn a;\n}\n")
SINS = {
    "spdx": ("a.c", "int a;\n"),
    "length": ("a.c", HEAD + "int a;\n" * FILE_LINES),
    "columns": ("a.c", HEAD + "\t/* " + "x" * COLUMNS + " */\n"),
    "trailing": ("a.c", HEAD + "int a; \n"),
    "spaces": ("a.c", HEAD + "        int a;\n"),
    "tab after space": ("a.c", HEAD + "  \tint a;\n"),
    "unfinished": ("a.py", "# SPDX-License-Identifier: MIT\n# TO" "DO: more\n"),
    "unfinished phrase": ("a.c", HEAD + "/* enough for n" "ow */\n"),
    "machine": ("a.c", HEAD + '#define P "/ro' 'ot/x"\n'),
    "order": ("base/other.h", HEAD + "int a = memory_order_relaxed;\n"),
    "fence": ("base/atomic.h", HEAD + "void f(void) { atomic_thread_fence(1); }\n"),
    "thread": ("locks/a.c", HEAD + "static __thread int a;\n"),
    "volatile": ("a.c", HEAD + "static volatile int a;\n"),
    "function": ("a.c", HEAD + "int f(void)\n{\n" + "\ta();\n" * (FUNCTION_LINES + 1) + "}\n"),
    "parameters": ("a.c", HEAD + "int f(int a, int b, int c,\n      int d, int e, int g, int h)\n{\n}\n"),
    "newline": ("a.c", HEAD + "int a;"),
    "return": ("a.c", HEAD + "int a;\r\n"),
}
INNOCENT = {
    "clean": ("a.c", CLEAN),
    "order at home": ("base/atomic.h", HEAD + "int a = memory_order_relaxed;\n"),
    "thread at home": ("base/thread.c", HEAD + "static __thread int a;\n"),
    "asm": ("base/a.h", HEAD + '#define PAUSE() __asm__ volatile("pause")\n'),
}


def self_test():
    good = True
    for name, (path, text) in SINS.items():
        if not judge(path, text):
            print(f"planted sin not found: {name}")
            good = False
    for name, (path, text) in INNOCENT.items():
        for line in judge(path, text):
            print(f"blamed without reason: {name}: {line}")
            good = False
    return good


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 0 if self_test() else 1
    root, found = sys.argv[1], []
    for path in files(root):
        if is_text(path):
            try:
                with open(os.path.join(root, path), encoding="utf-8", newline="") as file:
                    found += judge(path, file.read())
            except UnicodeDecodeError:
                found.append(f"{path}:1: not UTF-8 text (add its ending to DATA)")
    print("\n".join(found) if found else "the house is tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
