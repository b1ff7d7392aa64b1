#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vmmap-explore's command line: what it cannot do, or would not hear, is refused with a cause and a remedy.

Usage: check_explore.py PROGRAM
"""
import json
import subprocess
import sys

SHORT = ["--schedules=20", "-j1"]
REFUSED = [                             # options, what the message must say; exit code 2, and nothing printed
    (["--policy=foo", *SHORT], ["'foo' is no policy", "--list names them"]),
    (["--policy=rwlock", *SHORT], ["'rwlock' cannot run here", "--list names"]),
    (["--policy=none", *SHORT], ["'none' cannot run here", "--list names"]),
    (["--scenario=foo"], ["'foo' is no scenario", "--list names them"]),
    (["--mutant=foo"], ["'foo' is no mutant", "--list names them"]),
    (["--mutants=foo"], ["'foo' is no mutant", "--list names them"]),
    (["--mutants=fault_no_recheck", "--coverage"], ["--coverage does nothing with --mutants", "leave one of them out"]),
    (["--mutants=fault_no_recheck", "--weaken=base/spin.h spin_unlock store_release 1 relaxed"],
     ["--weaken does nothing"]),
    (["--mutants=fault_no_recheck", "--seeds=x"], ["does nothing"]),
    (["--list", "--json=-"], ["--json does nothing with --list"]),
    (["--scenario=brk_two", "--replay=0:1", "--json=-"], ["--json does nothing with --replay"]),
    (["--scenario=brk_two", "--replay=0:1", "--coverage"], ["--coverage does nothing with --replay"]),
    (["--explore"], ["--explore does nothing without --mutants"]),
    (["--named"], ["--named does nothing without --mutants"]),
    (["--write-seeds=x"], ["--write-seeds does nothing without --mutants"]),
    (["--seeds=x", "--scenario=brk_two"], ["--scenario does nothing with --seeds"]),
    (["--seeds=/no/such/file"], ["No such file", "bench/explore/seeds.list"]),
    (["--orders=/no/such/file"], ["No such file", "tests/models/orders.list"]),
    (["--seeds=/dev/null"], ["names none"]),
    (["--scenario=brk_two", "--json=/no/such/file", *SHORT], ["No such file", "can be written"]),
]


def run(program, *options):
    return subprocess.run([program, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def main():
    program, found = sys.argv[1], []
    for options, texts in REFUSED:
        done = run(program, *options)
        if done.returncode != 2 or not all(text in done.stderr for text in texts) or "FAILS" in done.stdout:
            found.append(f"{' '.join(options)}: exit {done.returncode}, {done.stderr!r}")

    listed = run(program, "--list").stdout.split("\n")
    policies = [line.split()[1] for line in listed if line.startswith("policy ")]
    if len(policies) < 8 or "rwlock" in policies or "vma" not in policies:
        found.append(f"--list names the policies {policies}")
    for policy in policies:             # each that it names can run
        done = run(program, f"--policy={policy}", "--scenario=fault_unmap_brief", *SHORT)
        if done.returncode != 0:
            found.append(f"--policy={policy}: exit {done.returncode}\n{done.stdout}")

    # Only in the scenarios that were named: brk_two cannot show this one, carve_fault_hold does.
    mutant = "--mutants=fault_no_recheck"
    done = run(program, mutant, "--scenario=brk_two", "--schedules=2000", "-j1")
    if done.returncode != 1 or "NOT FOUND" not in done.stdout:
        found.append(f"{mutant} --scenario=brk_two: exit {done.returncode}\n{done.stdout}")
    done = run(program, mutant, "--scenario=brk_two,carve_fault_hold", "--schedules=20k", "-j1")
    if done.returncode != 0 or "carve_fault_hold" not in done.stdout:
        found.append(f"{mutant} --scenario=brk_two,carve_fault_hold: exit {done.returncode}\n{done.stdout}")

    # What each way of asking writes of mutants.
    base = ["--scenario=brk_two,carve_fault_hold", *SHORT, "--json=-"]
    for more, wanted in ([], True), (["--mutant=fault_no_recheck"], False), (["--weak"], False):
        mutants = json.loads(run(program, *base, *more).stdout)["mutants"]
        if bool(mutants) != wanted or None in mutants.values():
            found.append(f"{' '.join(base + more)}: mutants {mutants}")
    done = run(program, "--scenario=brk_two", "--mutants=fault_no_recheck", "--explore", *SHORT, "--json=-")
    what = json.loads(done.stdout)
    if what["mutants"] != {"fault_no_recheck": None} or what["schedules"] == 0 or done.returncode != 1:
        found.append(f"explored, and looked for: {what}")

    # Who met what: a scenario of dummies meets dummies, a drain drains; each place has a name for what it does.
    command = ["--scenario=hold_gap,counted_drain,global_passed,list_reader,table_quit,beside_fine_head", "--coverage",
               "--schedules=300", "-j1"]
    rows = json.loads(run(program, *command, "--json=-").stdout)["coverage"]
    met = {(row["word"], row["doing"], state) for row in rows for state, n in row["met"].items() if n > 0}
    for wanted in [("a lock word", "edit, general form: claim", "dummy"),
                   ("a lock word", "edit, general form: claim", "dummy+queue"),
                   ("a lock word", "look-up (fault, edit)", "dummy"), ("a count of visits", "drain", "some"),
                   ("an rwsem", "wake", "hand-off"), ("a table's lock", "queue of a table", "held+queue"),
                   ("a link of range-list", "walk", "gone, alone"),
                   ("the lock of range-tree, fine-lock", "take", "taken")]:
        if wanted not in met:
            found.append(f"--coverage: never met: {wanted}")
    found += [f"--coverage: {row['doing']} is a function's name" for row in rows if "_" in row["doing"]]
    if "never: " not in run(program, *command).stdout:
        found.append("--coverage does not name what was never met")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
