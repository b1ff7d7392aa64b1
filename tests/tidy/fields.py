#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared fields of docs/protocol.md, section 2, against the structs in the code.

Usage: fields.py ROOT              exit 1 and one line per finding
       fields.py --self-test       a small tree with planted errors; each must be found, nothing else

What several threads may touch is atomic or under a mutex. Rules: each member of a struct of the library that is
atomic, or a park_mutex, and each such variable of a file, is named in the first cell of a row of section 2, as
`struct.member`, as `.member` behind another of the same struct, or bare; and what is named there is in the code, with
that struct if it is named. `a/b[]` names a and b, a name may end in '*'.
"""
import re
import sys

import judging

PAGE = "docs/protocol.md"
ROOTS = ("base", "locks", "vmmap")
SKIP = ("base/tool/", "base/point", "base/site")       # programs; test builds only
TYPE = r"(?:atomic_u\d+|struct park_mutex|_Atomic\((?:[^()]|\([^()]*\))*\))"
STRUCT = re.compile(r"\bstruct\s+(\w+)\s*(?:\w+\s*)?\{((?:[^{}]|\{[^{}]*\})*)\}")
MEMBER = re.compile(rf"(?:\b|^){TYPE}\s+([^;(){{}}]+);")
STATIC = re.compile(rf"^(?:static )?{TYPE}\s+([^;(){{}}]+);", re.M)


def names_of(declarators):
    return [re.match(r"\W*(\w+)", part).group(1) for part in declarators.split(",")]


def read_sources(root):
    """Without comments and preprocessor lines."""
    return {path: re.sub(r"/\*.*?\*/|^#[^\n]*$", "", text, flags=re.S | re.M)
            for path, text in judging.texts(root, ROOTS, (".c", ".h"), SKIP).items()}


def shared(texts):
    """[(path, struct or '', name)]"""
    found = []
    for path, text in texts.items():
        for struct in STRUCT.finditer(text):
            for member in MEMBER.finditer(struct.group(2)):
                found += [(path, struct.group(1), name) for name in names_of(member.group(1))]
        for variable in STATIC.finditer(text):
            found += [(path, "", name) for name in names_of(variable.group(1))]
    return found


def rows(page):
    """[(line, struct or '', name)] of the first cells of section 2."""
    found, inside = [], False
    for number, line in enumerate(page.split("\n"), 1):
        if line.startswith("## "):
            inside = line.startswith("## 2.")
        elif inside and line.startswith("| ") and not line.startswith("| field "):
            struct = ""
            for item in re.findall(r"`([^`]+)`", line.split("|")[1]):
                if item.endswith((".c", ".h")):
                    continue
                if "." in item:
                    before, item = item.rsplit(".", 1)
                    struct = before or struct
                    owner = struct
                else:
                    owner = ""
                found += [(number, owner, name) for name in re.sub(r"\[\w*\]", "", item).split("/")]
    return found


def judge(root):
    texts = read_sources(root)
    told = rows(judging.text(root, PAGE))
    said = {(owner, name) for _line, owner, name in told}
    patterns = [(owner, name[:-1]) for owner, name in said if name.endswith("*")]
    found = []
    for path, struct, name in shared(texts):
        if name == "pad" or (struct, name) in said or ("", name) in said:
            continue
        if not any(owner in ("", struct) and name.startswith(start) for owner, start in patterns):
            found.append(f"{path}: {struct + '.' if struct else ''}{name} has no row in {PAGE}, section 2")
    bodies = {}
    for text in texts.values():
        for struct in STRUCT.finditer(text):
            bodies[struct.group(1)] = bodies.get(struct.group(1), "") + struct.group(2)
    everything = "\n".join(texts.values())
    for line, owner, name in told:
        if owner and owner not in bodies:
            found.append(f"{PAGE}:{line}: no struct '{owner}'")
        elif not re.search(rf"\b{re.escape(name.rstrip('*'))}" + ("" if name.endswith("*") else r"\b"),
                           bodies[owner] if owner else everything):
            found.append(f"{PAGE}:{line}: no '{name}' in {'struct ' + owner if owner else 'the code'}")
    return found


GOOD = {
    "base/a.h": "/* a.h */\n#include <b.h>\nstruct a {\n\tatomic_u32 one, two;\n"
                "\t_Atomic(struct b *) *three[4];\n\tint four;\n};\n",
    "locks/b.c": "static atomic_u64 lonely;\nstruct b {\n\tstruct park_mutex five;\n};\n",
    PAGE: "## 2. Fields\n| field | meaning |\n|---|---|\n| `a.one`, `.two`, `.four` | x |\n| `a.thr*` | y |\n"
          "| `lonely`, `b.five` | z |\n## 3. Order\n",
}
SINS = {
    "no row": [(PAGE, "`lonely`, ", "")],
    "no row for a member": [(PAGE, "`.two`, ", "")],
    "no row for a mutex": [(PAGE, "`b.five`", "`a.one`")],
    "another struct": [(PAGE, "`b.five`", "`a.five`")],
    "no such field": [(PAGE, "`.four`", "`.six`")],
    "no such struct": [(PAGE, "`a.thr*`", "`a.thr*`, `c.one`")],
}


if __name__ == "__main__":
    sys.exit(judging.main(judge, GOOD, SINS, "each shared field has its row"))
