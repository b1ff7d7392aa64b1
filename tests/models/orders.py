#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory-order mutants: each use of an atomic in the modelled kernels, weakened, must be noticed by a model.

Usage: orders.py ROOT MODELS [--survivors] [--jobs N] [TEXT]
       --survivors   runs those that the list says survive, too: each must
       TEXT          only sites whose name has it

tests/models/orders.list names every use that is more than relaxed, in the files that it lists: which suites of the
program MODELS notice when its order is weakened, and which weaker orders nobody can notice, and why. A use that is not
in the list, an entry without a use, and a weakened order that nobody notices although the list does not say so, are
failures. Relacy is deterministic: what is noticed once is noticed always.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

LIST = "tests/models/orders.list"
# What "weaker" means for an operation: one step at a time.
WEAKER = {"load_seqcst": ["acquire", "relaxed"], "load_acquire": ["relaxed"],
          "store_seqcst": ["release", "relaxed"], "store_release": ["relaxed"]}
WEAKER_RMW = {"seqcst": ["acqrel", "acquire", "release"], "acqrel": ["acquire", "release"],
              "acquire": ["relaxed"], "release": ["relaxed"], "relaxed": []}
USE = re.compile(r"\batomic_((?:load|store|swap|cas|add|sub|or|and)_(?:relaxed|acquire|release|acqrel|seqcst))\(")
HEAD = re.compile(r"(\w+)\((?:[^()]|\([^()]*\))*\)\s*$")
SECONDS = 120


def weaker(operation):
    return WEAKER.get(operation) or WEAKER_RMW.get(operation.split("_")[1], [])


def uses(root, path):
    """Sites of a file: "file function operation n" -> line. Kernel style: a body is from '{' to '}' in column one."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    lines, found, count, function = text.split("\n"), {}, {}, None
    for number, line in enumerate(lines, 1):
        one = re.match(r"\w.*?(\w+)\([^{]*\)\s*\{.*\}\s*$", line)
        if line.rstrip() == "{":
            head = HEAD.search(" ".join(lines[max(0, number - 5):number - 1]).rstrip())
            function = head.group(1) if head else None
        elif one:
            function = one.group(1)
        for match in USE.finditer(line):
            if function and not line.startswith("#"):
                key = function, match.group(1)
                count[key] = count.get(key, 0) + 1
                found[f"{path} {function} {match.group(1)} {count[key]}"] = number
        if line.startswith("}") or one:
            function = None
    return found


class Entry:
    def __init__(self, name, suites, survivors, why):
        self.name, self.suites, self.survivors, self.why = name, suites, survivors, why


def read_list(root):
    """The files and the entries, by name. An entry may stand for all operations of a function: '*'."""
    files, entries, text = [], {}, []
    with open(os.path.join(root, LIST), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("\t"):
                text[-1] += " " + line.strip()
            elif line and not line.startswith("#"):
                text.append(line)
    for line in text:
        if line.startswith("@ "):
            files.append(line[2:].strip())
            continue
        name, suites, survivors, why = ([part.strip() for part in line.split(":", 3)] + ["", ""])[:4]
        name = f"{files[-1]} {name}"
        if name in entries:
            sys.exit(f"{LIST}: {name} stands there twice")
        if (suites == "-" or survivors) and not why:
            sys.exit(f"{LIST}: {name} gives no reason")
        entries[name] = Entry(name, [] if suites == "-" else suites.split(), survivors.split(), why)
    return files, entries


def noticed(models, entry, order):
    """The suite that fails when this use has this order; None: none does."""
    for suite in entry.suites:
        done = subprocess.run([models, "--suite", suite, "--weaken", entry.name, order], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS)
        if done.returncode == 1:
            return done.stdout.decode(errors="replace").strip()
        if done.returncode < 0:                        # a word that was not there yet was followed
            return f"{suite}: signal {-done.returncode}"
        if done.returncode != 0:
            raise RuntimeError(f"{entry.name}: {suite}: exit {done.returncode}")
    return None


def main():
    args = sys.argv[1:]
    survivors = "--survivors" in args
    jobs = int(args[args.index("--jobs") + 1]) if "--jobs" in args else 2
    plain = [a for i, a in enumerate(args) if not a.startswith("--") and (i == 0 or args[i - 1] != "--jobs")]
    root, models, only = plain[0], plain[1], plain[2] if len(plain) > 2 else ""
    files, entries = read_list(root)
    wrong, work, known, exempt = [], [], set(), 0

    for path in files:
        for name, line in uses(root, path).items():
            every = " ".join(name.split()[:2]) + " *"
            entry = entries.get(name) or entries.get(every)
            if not weaker(name.split()[2]):
                continue
            if not entry:
                wrong.append(f"{path}:{line}: not in the list: {name}")
                continue
            known.add(entry.name)
            if not entry.suites:
                exempt += 1
                continue
            one = Entry(name, entry.suites, entry.survivors, entry.why)
            work += [(one, order) for order in weaker(name.split()[2])
                     if only in name and (survivors or order not in entry.survivors)]
    wrong += [f"{LIST}: no such use: {name}" for name in entries if name not in known]

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for (entry, order), how in zip(work, pool.map(lambda w: noticed(models, *w), work)):
            lives = order in entry.survivors
            if bool(how) == lives:
                wrong.append(f"{entry.name} -> {order}: " + (f"is noticed: {how}" if lives else "SURVIVED"))
            else:
                print(f"{entry.name} -> {order}: {how or 'survives, as the list says'}")
    print("\n".join(wrong))
    print(f"{len(known)} uses ({exempt} not modelled), {len(work)} weaker orders tried in "
          f"{time.monotonic() - start:.0f} s, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
