#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ordering edges of docs/protocol.md, section 5, against the labels in the code.

Usage: edges.py ROOT              exit 1 and one line per finding
       edges.py --self-test       a small tree with planted errors; each must be found, nothing else

A label is a capital letter, a digit, perhaps a prime (P, W1, N1'), or a word of NAMED. At the code it stands first in
the comment behind its line, with its partners: /* D -> F */, /* P, L1 */, /* A1 -> R3; D1 -> F2: why */. In section 5
each '### ...' names the files whose opening comments tell the protocol; its table's rows are
    | labels | files | labels | files | what it orders |
Rules: each access that is more than relaxed has a label at its line, or at another line of the same expression; a label
at the code of a file of the library is in a row with that file, and the other way round; each arrow at the code is a
row; a row's labels stand in the opening comments that its heading names; a label with a digit in such a comment is at
the code of one of the section's files, or in NOT_EDGES.
"""
import re
import sys

import judging

ROOTS = ("base", "locks", "vmmap")
SKIP = ("base/tool/",)
NAMED = "PIN|LOOK"
LABEL = rf"(?:{NAMED}|[A-Z][0-9]?'?)"
LABELS = rf"{LABEL}(?:, {LABEL})*"
CLAUSE = re.compile(rf"({LABELS})(?: -> ({LABELS}))?(?=$|[ ;:.,(])")
# "thread.c C1", "S1, S2 of frame.c"
OTHERS = re.compile(r"\b\w+\.[ch] [A-Z][0-9]'?|[A-Z][0-9]'?(?:, [A-Z][0-9]'?)* (?:in|of) \w+\.[ch]")
IN_COMMENT = re.compile(r"(?<![\w.])[A-Z][0-9]'?(?![\w'])")
PAGE = "docs/protocol.md"

# Labels of an opening comment that stand at no atomic, and why.
NOT_EDGES = {
    "locks/range_handover.c": ({"H1", "H2", "H4"}, "rules of a hand-over, not accesses"),
    "vmmap/phys/frame.c": ({"G1"}, "whatever a reader does last before its rcu_leave"),
}

ORDERED = re.compile(r"\batomic_\w+_(?:acquire|release|acqrel|seqcst)\(")
SPELT = "base/atomic.h"                                  # where orders are spelt
GOES_ON = re.compile(r"(?:&&|\|\||[-+*/|&^<>=?,(])$")     # an expression is not over at such an end of a line


def split_labels(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def code_labels(text):
    """[(line, labels, partners)]: of comments that begin behind code."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = re.search(r"/\* (.*?)(?:\*/|$)", line)
        if not match or not line[:match.start()].strip() or re.match(r"\s*(?:\* |\*/|/\*|#)", line):
            continue
        if not re.search(r"[();{]", line[:match.start()]):
            continue                                     # a field's comment, an enum's
        for clause in match.group(1).split(";"):
            hit = CLAUSE.match(clause.strip())
            if not hit:
                break
            found.append((number, split_labels(hit.group(1)), split_labels(hit.group(2) or "")))
    return found


def expressions(text):
    """[[(line, code)]]: lines without their comments, those of one expression together."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    code = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)
    now, depth = [], 0
    for number, line in enumerate(code.split("\n"), 1):
        line = line.rstrip()
        now.append((number, line))
        depth += line.count("(") - line.count(")")
        if depth <= 0 and not GOES_ON.search(line) and not line.endswith("\\"):
            yield now
            now, depth = [], 0
    yield now


def unlabelled(path, text, labelled):
    for lines in expressions(text):
        if labelled.intersection(number for number, _code in lines):
            continue
        for number, code in lines:
            if ORDERED.search(code):
                yield f"{path}:{number}: no label says which edge this access is of"


def opening(text):
    """All of the file's head: comments before the first line of code."""
    head = []
    for part in re.finditer(r"/\*.*?\*/|[^\s]", re.sub(r"(?m)^#.*$", "", text), flags=re.S):
        if not part.group(0).startswith("/*"):
            break
        head.append(part.group(0))
    return "\n".join(head)


def resolve(name, files):
    hits = [f for f in files if f == name or f.endswith("/" + name)]
    exact = [f for f in hits if f == name]
    return (exact or hits)[0] if len(exact or hits) == 1 else None


def page_sections(text, files):
    """[(line, homes, [(line, labels, files, labels, files)])], and findings."""
    sections, found = [], []
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            inside = "Edges" in line
        elif inside and line.startswith("### "):
            names = re.findall(r"`([^`]+)`", line)
            homes = [resolve(name, files) for name in names]
            found += [f"{PAGE}:{number}: no one file '{n}'" for n, home in zip(names, homes) if not home]
            sections.append((number, [home for home in homes if home], []))
        elif inside and sections and line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) != 5 or set(cells[0]) <= set("-: ") or cells[0] == "from":
                continue
            row = [number]
            for labels, where in ((cells[0], cells[1]), (cells[2], cells[3])):
                names = re.findall(r"`([^`]+)`", where)
                paths = [resolve(name, files) for name in names]
                found += [f"{PAGE}:{number}: no one file '{n}'" for n, p in zip(names, paths) if not p]
                if not names or not labels:
                    found.append(f"{PAGE}:{number}: an edge needs two ends, each with a file")
                row += [split_labels(labels), [p for p in paths if p]]
            sections[-1][2].append(tuple(row))
    return sections, found


def judge(root):
    files = judging.texts(root, ROOTS, (".c", ".h"), SKIP)
    sections, found = page_sections(judging.text(root, PAGE), list(files))
    at = {path: code_labels(text) for path, text in files.items()}
    labels_of = {path: {label for _line, labels, _partners in hits for label in labels} for path, hits in at.items()}

    ends, pairs = set(), set()                          # (label, file); ((label, file), label) in both directions
    for _number, homes, rows in sections:
        heads = "\n".join(opening(files[home]) for home in homes)
        known = set()
        for number, left, left_files, right, right_files in rows:
            for labels, paths in ((left, left_files), (right, right_files)):
                known.update(paths)
                for label in labels:
                    if not any(label in labels_of[path] for path in paths):
                        found.append(f"{PAGE}:{number}: {label} stands at no line of {', '.join(paths)}")
                    if not re.search(rf"(?<![\w.]){re.escape(label)}(?![\w'])", heads):
                        found.append(f"{PAGE}:{number}: {label} is not in the opening comment of {', '.join(homes)}")
                for path in paths:
                    if not labels_of[path].intersection(labels):
                        found.append(f"{PAGE}:{number}: {path} has none of {', '.join(labels)}")
                ends.update((label, path) for label in labels for path in paths)
            pairs.update(((a, path), b) for a in left for path in left_files for b in right)
            pairs.update(((b, path), a) for b in right for path in right_files for a in left)
        at_code = set().union(*(labels_of[path] for path in known)) if known else set()
        for home in homes:
            for label in sorted(set(IN_COMMENT.findall(OTHERS.sub("", opening(files[home]))))):
                if label not in at_code and label not in NOT_EDGES.get(home, (set(), ""))[0]:
                    found.append(f"{home}:1: {label} of the opening comment stands at no line of its section's files")

    for path, hits in at.items():
        if path != SPELT:
            found += unlabelled(path, files[path], {number for number, _labels, _partners in hits})
        for number, labels, partners in hits:
            for label in labels:
                if (label, path) not in ends:
                    found.append(f"{path}:{number}: {label} is in no row of {PAGE} with this file")
            for partner in partners:
                if not any(((label, path), partner) in pairs for label in labels):
                    found.append(f"{path}:{number}: {', '.join(labels)} -> {partner} is no row of {PAGE}")
    return found


GOOD = {
    "base/a.c": "/* SPDX */\n/*\n * a.c - R1 -> A1.\n */\nvoid f(void)\n{\n\tstore(x);\t/* R1 -> A1 */\n}\n"
                "/* atomic_load_seqcst(x) */\nint g(void)\n{\n\treturn h(atomic_swap_acqrel(x, 1),\t/* R1 -> A1 */\n"
                "\t\t atomic_swap_acqrel(y, 1)) &&\n\t       atomic_swap_acqrel(z, 1);\n}\n",
    "base/b.h": "/* b.h - A1. */\nstatic void g(void)\n{\n\tload(x);\t/* A1 -> R1: why */\n}\n",
    PAGE: "## 5. Edges\n### One: `a.c`, `b.h`\n| from | at | to | at | what |\n|---|---|---|---|---|\n"
          "| R1 | `a.c` | A1 | `b.h` | all |\n",
}
SINS = {
    "label without a row": [("base/b.h", "A1 -> R1: why", "A1, P -> R1: why")],
    "arrow without a row": [("base/b.h", "A1 -> R1: why", "A1 -> A1")],
    "row without a label": [("base/a.c", "\t/* R1 -> A1 */", "")],
    "unknown file": [(PAGE, "`b.h` | all", "`c.h` | all")],
    "no partner": [(PAGE, "| A1 | `b.h` |", "| | |")],
    "not told": [("base/b.h", "/* b.h - A1. */", "/* b.h */"), ("base/a.c", " -> A1.", ".")],
    "access without a label": [("base/a.c", "\tstore(x);", "\tatomic_store_release(x, 1);\n\tstore(x);")],
    "the next one's label": [("base/b.h", "\tload(x);", "\tif (atomic_cas_acqrel(x, &y, 1))\n\t\tload(x);")],
    "told, not there": [("base/a.c", "a.c - R1 -> A1.", "a.c - R1 -> A1, Q7.")],
}


if __name__ == "__main__":
    sys.exit(judging.main(judge, GOOD, SINS, "each edge has its label, its partner and its row"))
