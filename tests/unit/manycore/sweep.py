#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A sweep runs what it has not; it tells how far it is; it can be stopped, and goes on. With a budget, a point says
what it ran, and the same again gives the same.

Usage: sweep.py PROGRAM         exit 1 and a line if not
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

COMMAND = ["sweep", "--policies", "vma", "--profiles", "fault", "--most", "2", "--ops", "64", "--jobs", "1"]


def sweep(program, where, *more):
    """The points that were told, in order."""
    done = subprocess.run([program, *COMMAND, "--out", where, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=False)
    return re.findall(r"^(\d+ of \d+)  vma, fault, (\d+) cores; .* to go$", done.stderr, re.M)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got}, not {wanted}")


def read(where):
    with open(os.path.join(where, "points.json"), encoding="utf-8") as file:
        return json.load(file)


def write(where, table):
    with open(os.path.join(where, "points.json"), "w", encoding="utf-8") as file:
        json.dump(table, file)


def change(where, cores, **values):
    """Of the points with so many cores; None takes a value away."""
    table = read(where)
    for point in table["points"]:
        if point["cores"] == cores:
            point.update(values)
            for key in [key for key, value in values.items() if value is None]:
                del point[key]
    write(where, table)


def which_are_run(program, where):
    one, two, both = [("1 of 1", "1")], [("1 of 1", "2")], [("1 of 2", "1"), ("2 of 2", "2")]
    expect("an empty directory", sweep(program, where), both)
    expect("points.json", [p["cores"] for p in read(where)["points"]], [1, 2])
    expect("the same again", sweep(program, where), [])
    first = read(where)["points"]
    models = ("costs", "250"), ("seed", "2"), ("quantum", "50"), ("socket", "8")
    for option, value in models:
        expect(f"another --{option}", sweep(program, where, f"--{option}", value), both)
        expect(f"the same --{option} again", sweep(program, where, f"--{option}", value), [])
    expect("they stand beside", len(read(where)["points"]), 2 * (1 + len(models)))
    expect("and the first ones as they were", [p for p in read(where)["points"] if p in first], first)
    expect("files beside, too", len([n for n in os.listdir(where) if n.startswith("vma-fault-1")]), 1 + len(models))
    expect("as at first", sweep(program, where), [])
    write(where, dict(read(where), points=first))
    expect("more operations", sweep(program, where, "--ops", "65"), both)
    expect("in place of fewer", [p["ops_wanted"] for p in read(where)["points"]], [65, 65])
    expect("fewer again", sweep(program, where), [])
    change(where, 1, build="0" * 16)
    expect("another program's point", sweep(program, where), [])
    expect("the same, afresh", sweep(program, where, "--fresh"), one)
    expect("the same again, afresh", sweep(program, where, "--fresh"), [])
    change(where, 2, costs=None)
    expect("a point that does not say how it was made", sweep(program, where), two)
    expect("is replaced", len(read(where)["points"]), 2)


def which_are_kept(program, where):
    """A good point never gives way to a worse one, but with --fresh that of another program."""
    one = [("1 of 1", "1")]
    sweep(program, where, "--most", "1")
    for ops, steady, wanted, what in (640, True, [], "more than are asked for"), (32, True, one, "fewer, and steady"):
        change(where, 1, ops=ops, ops_per_core=ops, ops_wanted=ops, steady=steady)
        before = read(where)["points"]
        expect(what, sweep(program, where, "--most", "1", "--warm", "0"), wanted)
        expect(f"{what}: kept", [(p["ops"], p["steady"]) for p in read(where)["points"]], [(ops, steady)])
        expect(f"{what}: its rate", read(where)["points"][0]["ops_per_s"], before[0]["ops_per_s"])
        expect(f"{what}: not again", sweep(program, where, "--most", "1", "--warm", "0"), [])
    change(where, 1, ops=640, ops_per_core=640, ops_wanted=32, steady=False)
    expect("more than were asked for", sweep(program, where, "--most", "1"), one)
    expect("more than were asked for: kept", read(where)["points"][0]["ops"], 640)
    change(where, 1, ops=64, ops_per_core=64, ops_wanted=32, steady=False, warm_blocks=20)
    expect("longer warmed up", sweep(program, where, "--most", "1", "--warm", "0"), one)
    expect("longer warmed up: kept", read(where)["points"][0]["warm_blocks"], 20)
    change(where, 1, build="0" * 16, steady=True)
    expect("another program's", sweep(program, where, "--most", "1", "--warm", "0", "--fresh"), one)
    expect("another program's: not kept", [(p["ops"], p["steady"]) for p in read(where)["points"]], [(64, False)])


def too_dear(where, cores, seconds):
    """The point with so many cores was too dear for that budget."""
    table = read(where)
    table["too_dear"] = [dict(p, ops=0, seconds=seconds) for p in table["points"] if p["cores"] == cores]
    table["points"] = [p for p in table["points"] if p["cores"] != cores]
    write(where, table)


def which_are_bettered(program, where):
    one, two = [("1 of 1", "1")], [("1 of 1", "2")]
    sweep(program, where)
    change(where, 1, seconds=1, steady=False, ops=10, ops_per_core=10)
    change(where, 2, seconds=1, steady=True)
    expect("fewer operations than asked for", sweep(program, where, "--seconds", "2"), [])
    expect("the same budget", sweep(program, where, "--seconds", "1", "--better"), [])
    expect("a larger budget", sweep(program, where, "--seconds", "2", "--better"), one)
    expect("its operations", [p["ops_per_core"] for p in read(where)["points"]], [64, 64])
    change(where, 1, steady=True)
    change(where, 2, steady=False, warm_most=3, seconds=0)
    expect("as many blocks of warm-up", sweep(program, where, "--warm", "3", "--better"), [])
    expect("more of them", sweep(program, where, "--better"), two)
    too_dear(where, 2, 2)
    expect("too dear for this budget", sweep(program, where, "--seconds", "2"), [])
    expect("not for a larger one", sweep(program, where, "--seconds", "3"), two)
    expect("and so no longer", (len(read(where)["too_dear"]), len(read(where)["points"])), (0, 2))


def stopped(program, where, how):
    """After its first point; then nothing of it runs any more, and the same command goes on."""
    command = [program, *COMMAND, "--out", where, "--most", "8"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        process.stderr.readline()
        process.send_signal(how)
        rest = process.stderr.read()         # to the end: whoever still ran would have it open
        expect(f"exit code after {how}", process.wait(), 128 + how)
    done = len(read(where)["points"])
    expect(f"{how}: it says so", bool(re.search(rf"^stopped after {done} of 4 points", rest, re.M)), True)
    expect("the rest", len(sweep(program, where, "--most", "8")), 4 - done)
    expect("all of them", [p["cores"] for p in read(where)["points"]], [1, 2, 4, 8])


def budgeted(program, where):
    command = [program, "sweep", "--policies", "rwsem", "--profiles", "local", "--counts", "16", "--seconds", "1"]
    subprocess.run([*command, "--jobs", "1", "--out", where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    point = read(where)["points"][0]
    again = subprocess.run([program, "run", "--policy", "rwsem", "--profile", "local", "--cores", "16", "--ops",
                            str(point["ops_per_core"]), "--warm", str(point["warm_blocks"]), "--json", "-"],
                           stdout=subprocess.PIPE, text=True, check=True)
    expect("the same operations again", json.loads(again.stdout)["ops_per_s"], point["ops_per_s"])


def row(policy, cores, costs="100", **more):
    return dict({"policy": policy, "profile": "fault", "cores": cores, "ops": 10000 * cores, "steady": True,
                 "ops_per_s": cores * 1e6 / float(costs), "transfers_per_op": 2, "costs": costs, "seed": "1",
                 "quantum_ns": 200, "socket": 32, "ops_wanted": 10000, "build": "a"}, **more)


def script_of(program, where, points):
    write(where, {"points": points, "too_dear": []})
    subprocess.run([program, "plot", "--out", where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    with open(os.path.join(where, "manycore.gp"), encoding="utf-8") as file:
        return file.read()


def blocks(script, letter):
    return [text.split("\n") for text in re.findall(rf"^\${letter}\d+ << EOD\n(.*?)\nEOD$", script, re.M | re.S)]


def drawn(program, where):
    """What a picture says of its points beside their numbers."""
    script = script_of(program, where, [row("vma", 1), row("vma", 2, steady=False), row("vma", 8, ops=79000, build="b"),
                                        row("spf", 2), row("rwsem", 2, seed="2")])
    expect("hollow: not steady, fewer operations", [[line[-1] for line in block] for block in blocks(script, "p")],
           [["1", "0", "0"], ["1"]])
    expect("broken where the program changes", [block.count("") for block in blocks(script, "l")], [1, 0])
    expect("and dotted there", [len(block) for block in blocks(script, "t")], [4, 1])
    expect("the range of the counts", set(re.findall(r"^set xrange (.*)$", script, re.M)), {"[0.9:8.96]"})
    expect("the costs", "costs 100 (50/100 ns a transfer inside/across a socket), 32 cores" in script, True)
    expect("linear from one core", len(re.findall(r"^  0.01 \* x with lines .* 'vma, linear'", script, re.M)), 2)
    expect("no band", "costs 50 to 250'" in script, False)
    script = script_of(program, where, [row("vma", n, costs) for n in (2, 4) for costs in ("50", "100", "250")] +
                       [row("rwsem", n, costs) for n in (2, 4) for costs in ("100", "250")])
    expect("linear from two", "'vma, linear'" in script, False)
    expect("a band of three costs", set(re.findall(r"title '(\S+), 50 to 250'", script)), {"vma"})
    expect("from the least to the greatest", ["2 0.008 0.04 2.0000 2.0000", "4 0.016 0.08 2.0000 2.0000"] in
           blocks(script, "b"), True)
    policies = ("vma", "vma-count", "rwsem", "pt-lock", "range-tree", "range-list", "pervma", "fine-lock", "checked",
                "spf")
    script = script_of(program, where, [row(policy, 2) for policy in policies])
    lines = re.findall(r"^  \$l\d+ using 1:2 with lines lw (\S+) dt (\S+) lc rgb '(\S+)'", script, re.M)[:10]
    expect("a colour for each policy", len({colour for _, _, colour in lines}), 10)
    expect("narrower, or of other dashes, than what lies below", len({(w, dash) for w, dash, _ in lines}), 10)


def main():
    program = sys.argv[1]
    for check in (which_are_run, which_are_kept, which_are_bettered, budgeted, drawn,
                  lambda program, where: stopped(program, where, signal.SIGTERM),
                  lambda program, where: stopped(program, where, signal.SIGINT)):
        with tempfile.TemporaryDirectory() as where:
            check(program, where)


if __name__ == "__main__":
    main()
