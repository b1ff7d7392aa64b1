#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The include rule of the house, as data, and its judge.

Usage: layers.py ROOT              every C file under ROOT; exit 1 and one line per breach
       layers.py --self-test       plants breaches in a made-up tree; each must be found, nothing else

Includes point downward only; the repository root is the only include path; siblings do not know each other.
"""
import os
import re
import sys
import tempfile

PUBLIC = "vmmap/*.h"                    # the installed headers

# zone: (what a file there may include). An entry is a zone (all headers of that directory, not below), PUBLIC, or one
# header. A file belongs to the zone of its directory; the longest match wins.
BASE_FACTS = ["base/atomic.h", "base/assert.h", "base/compiler.h", "base/clock.h", "base/prng.h", "base/point.h"]
OUTSIDE = [PUBLIC, "base/tool"] + BASE_FACTS
ENGINE = ["base", "locks", "locks/policy", "vmmap/phys", "vmmap/pt", "vmmap/vma", "vmmap/space"]
RULE = {
    "base":             ["base"],
    "base/tool":        ["base", "base/tool"],
    "locks":            ["base", "locks"],
    "locks/policy":     ["base", "locks", "locks/policy"],
    "vmmap/phys":       ["base", "vmmap/phys", "vmmap/physmem.h", "vmmap/physmem_host.h", "vmmap/physmem_hotplug.h",
                         "vmmap/physseg.h"],
    "vmmap/pt":         ["base", "vmmap/pt", "locks/range.h", "locks/table_lock.h"],
    "vmmap/vma":        ["base", "vmmap/vma", "locks/vma_word.h", "locks/range.h"],
    "vmmap/space":      ENGINE + [PUBLIC],
    "vmmap":            ENGINE + [PUBLIC],          # the .c files of the public face
    "stress":           OUTSIDE + ["stress", "stress/profile"],
    "stress/profile":   OUTSIDE + ["stress", "stress/profile"],
    "stress/oracle":    OUTSIDE + ["stress", "stress/oracle"],
    "stress/replay":    OUTSIDE + ["stress", "stress/replay"],
    "bench":            OUTSIDE + ["bench"],
    "bench/sim":        OUTSIDE + ["base", "bench/sim"],
    "bench/manycore":   OUTSIDE + ["bench/sim", "bench/manycore"],
    "bench/conflicts":  OUTSIDE + ["bench/sim", "bench/conflicts"],
    "bench/explore":    OUTSIDE + ["base", "bench/sim", "bench/explore"],
    "bench/host":       OUTSIDE + ["bench/host"],
    "bench/physmem":    OUTSIDE + ["bench/physmem"],
    "bench/frames":     OUTSIDE + ["base", "bench", "bench/frames"],
    "examples":         [PUBLIC],
}

# Who may do more, and why. A file, or a directory with a slash at its end.
EXCEPTION = {
    "bench/": (["stress", "stress/profile"], "workloads live once, in stress/profile; the benchmarks run them too"),
    "bench/sim/label.c": (["vmmap/space/space.h"], "says which of the engine's types a block of its memory has"),
    "bench/manycore/": (["bench/plot.h", "bench/child.h", "stress"], "the workloads, gnuplot's call, children"),
    "bench/manycore/spin.c": (["base/park.h"], "stands before park_spin"),
    "bench/conflicts/": (["stress/oracle", "bench/plot.h"], "the reference model stands once, so does gnuplot's call"),
    "bench/host/": (["vmmap/phys", "bench/plot.h"], "a guest is blocks of frames, without a map; gnuplot's call"),
    "bench/physmem/": (["bench/plot.h"], "gnuplot's call"),
    "bench/physmem/survey.c": (["vmmap/phys"], "words of frames and blocks: what a picture shows"),
    "bench/physmem.c": (["bench/frames"], "one of its parts"),
    "bench/frames/engine.c": (["vmmap/phys"], "the call that a fault makes for a frame has no public face"),
    "bench/frames/written.c": (["vmmap/phys"], "says of a word what it is to the allocator"),
    "bench/frames/rival_bits.c": (["vmmap/phys"], "a rival: the engine's bit fields without its caches"),
    "bench/frames/search.c": (["vmmap/phys"], "what a search costs, on machines of any size: their words alone"),
    "bench/explore/inside.c": (["locks/policy", "vmmap/vma", "vmmap/space"], "borders of leaves, lock words"),
    "bench/explore/parts.c": (["locks/policy", "vmmap/phys", "vmmap/vma", "vmmap/space"],
                              "parts of the engine alone, for bodies of scenarios"),
    "bench/explore/parts_words.c": (["locks", "locks/policy", "vmmap/vma", "vmmap/space"],
                                    "words of the engine around plain memory"),
    "bench/explore/parts_report.c": (["vmmap/phys"], "the same, of blocks of frames"),
    "bench/explore/parts_balloon.c": (["vmmap/phys"], "the same, of a balloon"),
    "bench/explore/parts_machine.c": (["vmmap/phys"], "the same, of names and last frames"),
    "bench/explore/parts_isolate.c": (["vmmap/phys"], "the same, of caches that are drained"),
    "bench/explore/holders.c": (["locks/policy", "vmmap/space"], "keeps its own books of who holds a range lock"),
    "bench/explore/lockorder.c": (["locks/range_lock.h"], "is told of claims, hand-overs and waits"),
    "bench/explore/coverage.c": (["locks/range_lock.h", "locks/rwsem.h", "locks/table_lock.h", "vmmap/vma/vma.h"],
                                 "says in which state a lock word is"),
    "bench/op_churn.c": (["vmmap/phys/frame_isolate.h"], "caches are closed for longer than a call from outside does"),
    "bench/world.c": (["vmmap/vma/vtree.h"], "measures the tree's own search, which has no public face"),
}

# tests/ may look inside, tests/policy/busted.c (broken policies) included.
FREE = ["tests"]
PUBLIC_HEADER_MAY = [PUBLIC]            # and system headers
SKIP = {"build", "results", ".git"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(vmmap/[^>]+|base/[^>]+|locks/[^>]+)>)')


def c_files(root):
    for where, dirs, names in os.walk(root):
        dirs[:] = sorted(d for d in dirs if d not in SKIP and not d.startswith("build"))
        for name in sorted(names):
            if name.endswith((".c", ".h", ".cc")):
                yield os.path.relpath(os.path.join(where, name), root)


def is_public(path):
    return os.path.dirname(path) == "vmmap" and path.endswith(".h")


def zone_of(path):
    zone = os.path.dirname(path)
    while zone and zone not in RULE:
        zone = os.path.dirname(zone)
    return zone


def allowed(path, target):
    if is_public(path):
        may = PUBLIC_HEADER_MAY
    else:
        may = list(RULE[zone_of(path)])
        for who, (more, _why) in EXCEPTION.items():
            if path == who or (who.endswith("/") and path.startswith(who)):
                may += more
    for entry in may:
        if entry == PUBLIC and is_public(target):
            return True
        if entry == target or (entry == os.path.dirname(target) and not is_public(target)):
            return True
    return False


def judge(root):
    """The breaches, as 'path:line: text'."""
    found = []
    for path in c_files(root):
        if path.split(os.sep)[0] in FREE:
            continue
        if not zone_of(path):
            found.append(f"{path}:1: no rule for this directory (tests/tidy/layers.py)")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1) or match.group(2)
                if not os.path.exists(os.path.join(root, target)):
                    if "/" in target and target.split("/")[0] not in ("base", "locks", "vmmap", "stress", "bench"):
                        continue                     # a library's header in quotes
                    found.append(f"{path}:{number}: {target} is not a path from the root")
                elif not allowed(path, target):
                    found.append(f"{path}:{number}: {zone_of(path)} may not include {target}")
    return found


GOOD = {
    "base/a.h": "", "base/atomic.h": "", "base/tool/cli.h": '#include "base/a.h"\n',
    "locks/vma_word.h": '#include "base/a.h"\n', "locks/other.h": "", "locks/range.h": "",
    "locks/policy/policy.h": '#include "locks/other.h"\n',
    "vmmap/physmem.h": "#include <stddef.h>\n", "vmmap/vmmap.h": "#include <vmmap/physmem.h>\n",
    "vmmap/phys/p.c": '#include "vmmap/physmem.h"\n#include "base/a.h"\n',
    "vmmap/pt/pt.h": '#include "locks/range.h"\n', "vmmap/vma/v.h": '#include "locks/vma_word.h"\n',
    "vmmap/space/s.c": '#include "vmmap/pt/pt.h"\n#include "vmmap/vma/v.h"\n',
    "stress/profile/p.h": "#include <vmmap/vmmap.h>\n",
    "bench/b.c": '#include "stress/profile/p.h"\n#include "base/tool/cli.h"\n',
    "tests/unit/t.c": '#include "vmmap/pt/pt.h"\n', "examples/q.c": "#include <vmmap/vmmap.h>\n",
}
PLANTED = {
    "base/up.c": '#include "locks/other.h"\n',                      # upward
    "base/tools.c": '#include "base/tool/cli.h"\n',
    "locks/up.c": '#include "locks/policy/policy.h"\n',
    "vmmap/pt/sibling.c": '#include "vmmap/vma/v.h"\n',             # a sibling
    "vmmap/vma/lock.c": '#include "locks/other.h"\n',               # more than the lock word
    "vmmap/pt/face.c": "#include <vmmap/vmmap.h>\n",
    "vmmap/public.h": '#include "base/a.h"\n',                      # a public header that drags the inside along
    "stress/inside.c": '#include "vmmap/pt/pt.h"\n',
    "stress/bench.c": '#include "bench/b.h"\n',
    "examples/tool.c": '#include "base/tool/cli.h"\n',
    "vmmap/pt/relative.c": '#include "pt.h"\n',                     # not from the root
    "odd/file.c": "int odd;\n",                                     # a directory without a rule
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **PLANTED}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write("/* x */\n" + text)
        blamed = {line.split(":")[0] for line in judge(root)}
    for path in sorted(set(PLANTED) - blamed):
        print(f"planted breach not found: {path}")
    for path in sorted(blamed - set(PLANTED)):
        print(f"blamed without reason: {path}")
    return blamed == set(PLANTED)


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 0 if self_test() else 1
    found = judge(sys.argv[1])
    print("\n".join(found) if found else "every include points downward")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
