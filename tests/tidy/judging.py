# SPDX-License-Identifier: MIT
"""What the tests of lists share: the files they read, how they are called, and the test that a judge finds each sin in
a small tree.

judge(root) returns what is wrong below root, a line each. A sin is a list of edits of GOOD: (path, old, new), or
(path, None, text) for one more file."""
import os
import sys
import tempfile


def text(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def texts(root, tops, endings, skip=()):
    """{path: text} of the files below these directories of root, paths that begin as one of `skip` left out."""
    found = {}
    for top in tops:
        for where, _dirs, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(where, name), root)
                if name.endswith(endings) and not path.startswith(skip):
                    found[path] = text(root, path)
    return found


def write(root, tree):
    for path, text in tree.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def edited(tree, edits):
    tree = dict(tree)
    for path, old, new in edits:
        if old is not None and old not in tree[path]:
            sys.exit(f"an edit that changes nothing: {path}: {old}")
        tree[path] = new if old is None else tree[path].replace(old, new)
    return tree


def self_test(judge, good, sins):
    passed = True
    for name, edits in [("clean", [])] + list(sins.items()):
        with tempfile.TemporaryDirectory() as root:
            write(root, edited(good, edits))
            found = judge(root)
        if bool(found) != bool(edits):
            print(f"{name}: {found or 'not found'}")
            passed = False
    return passed


def main(judge, good, sins, when_clean):
    if sys.argv[1:] == ["--self-test"]:
        return 0 if self_test(judge, good, sins) else 1
    found = judge(sys.argv[1])
    print("\n".join(found) if found else when_clean)
    return 1 if found else 0
