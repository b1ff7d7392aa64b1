#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program with --json - and checks that it prints one object with the fields that it promises.

Usage: check_json.py KIND PROGRAM [ARG...]        KIND: a key of FIELDS

A field's type is one of: int, float (int too), str, bool, list, dict, and opt (any of them, or null). Rows of a list
are checked by ROWS. ok() has what must hold beside the form: counts that prove that something ran.
"""
import json
import numbers
import subprocess
import sys

SKIPPED = 77                            # the oracle's "this kernel or sandbox does not let us"
RATIO = dict(workload=str, a=str, b=str, threads=int, pairs=int, dropped=int, median=float, lo=float, hi=float,
             a_ops=int, b_ops=int)
SCALING = {"workload": str, "policy": str, "from": int, "to": int, "median": float, "none_median": float, "lo": float,
           "hi": float}
ISOLATION = dict(policy=str, hold_ms=float, ops=int, blocked=int, p50_ns=float, p99_ns=float, p999_ns=float,
                 max_ns=float, stopped=list)
STRESS = dict(policy=str, profile=str, threads=int, seconds=float, seed=int, ops=int, violations=int, gp_waits=int,
              max_overtakes=int)
HOTPLUG = dict(STRESS, plugs=int, unplugs=int, unplugs_used=int, unplug_failures=dict, migrated_frames=int,
               verified_pages=int, pins=int, revoked_pins=int, blocked_accesses=int, lost_frames=int, movable=dict,
               everything=dict)
ORACLE = dict(policy=str, ops=int, seed=int, ok=int, splits=int, merges=int, calls=dict, divergences=int)
REPLAY = dict(policy=str, calls=int, threads=int, mismatches=int, compared_share=float, final_maps_equal=None)
EXPLORE = dict(scenarios=list, schedules=int, runs=int, violations=int, seed=int, mutants=dict)
CONFLICTS = dict(policy=str, tests=int, packed_conflict_free=int, spread_conflict_free=int, waived=int, pairs=list)
MANYCORE = dict(policy=str, profile=str, cores=int, seed=int, costs=str, quantum_ns=int, socket=int, ops=int,
                ops_per_s=float, ns_per_op=float, transfers_per_op=float, first_touches_per_op=float,
                accesses_per_op=float, running=float, waiting_for_lines=float, spinning=float, warm_blocks=int,
                steady=bool, digest=str, hottest=list, limits=list)
FIELDS = {"manycore": MANYCORE, "ratio": RATIO, "scaling": SCALING, "isolation": ISOLATION, "lookup": dict(rows=list),
          "metadata": dict(rows=list), "stress": STRESS, "hotplug": HOTPLUG, "oracle": ORACLE, "replay": REPLAY,
          "conflicts": CONFLICTS, "explore": EXPLORE, "physmem": dict(rows=list, bars=list),
          "unplug": dict(policy=str, frames=int, blocked=int, rows=list),
          "host": dict(setup=dict, rows=list, violations=int),
          "machine": dict(commands=int, failures=int, figures=dict, segments=list, frames=list, spaces=list,
                          pins=list, violations=int)}
TWICE = {"conflicts", "host", "manycore"}       # logical cores, virtual time: the same again, to the last byte
ROWS = {                                # what a row has; or a function that says so of it
    ("manycore", "hottest"): dict(per_op=float, ns=float, object=str, by=str, after=None),
    ("isolation", "stopped"): dict(place=str, ops=int, blocked=int),
    ("lookup", "rows"): dict(vmas=int, dependent_ratio=float, independent_ratio=float, scaling2=float,
                             array_scaling2=float, insert_erase_ratio=float),
    ("conflicts", "pairs"): dict(first=str, second=str, tests=int, packed=int, spread=int, lines=int),
    ("explore", "scenarios"): dict(name=str, schedules=int, runs=int, accesses=int, max_overtakes=int,
                                   cpu_seconds=float, failure=None, text=None, replay=None),
    ("physmem", "rows"): lambda row: (dict(measure=str, threads=int, ratio=float) if "threads" in row else
                                      dict(measure=str, segments=int, ours_ns=float, array_ns=float, rbtree_ns=float,
                                           instructions=None)),
    ("unplug", "rows"): dict(measure=str, unplug_ns=float, copy_ns=float, pairs=int, dropped=int),
    ("host", "rows"): dict(arm=str, fit=int, program_s=float, ratio=float, life_s=float, swapped_out=int,
                           reported=int, told_s=float, bound_s=float, violations=int),
    ("machine", "segments"): dict(name=None, start=int, end=int, movable=bool, frames=dict),
    ("machine", "frames"): dict(name=str, runs=int, frames=int),
    ("machine", "spaces"): dict(name=str, policy=str, vmas=int, resident=int, mappings=list),
    ("machine", "pins"): dict(name=str, pages=int, mapped=int),
    ("metadata", "rows"): dict(vmas=int, bytes_per_vma=float, rss_per_vma=float),
}


def once(pairs):
    """An object whose keys are each there once: a reader would keep the last one and say nothing."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"an object has a key twice: {', '.join(twice)}")
    return dict(pairs)


def fits(value, kind):
    if kind is None:
        return True
    if kind is int:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == int(value)
    if kind is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def missing(what, fields, where):
    for name, kind in fields.items():
        if name not in what:
            yield f"{where}: no field '{name}'"
        elif not fits(what[name], kind):
            yield f"{where}: '{name}' is {what[name]!r}, not of type {kind.__name__}"


def ok(kind, what):
    """What must be true of any good run."""
    if kind == "ratio":
        return what["a_ops"] > 0 and what["b_ops"] > 0 and what["lo"] <= what["median"] <= what["hi"]
    if kind == "scaling":
        return what["lo"] <= what["median"] <= what["hi"]
    if kind == "isolation":
        stopped = [row["ops"] for row in what["stopped"]]       # none: no writer came by that place
        return (what["ops"] > 0 and what["p50_ns"] <= what["p99_ns"] <= what["p999_ns"] <= what["max_ns"] and
                len(stopped) == 10 and min(stopped) > 0)
    if kind == "stress":
        return what["ops"] > 0 and what["violations"] == 0 and what["gp_waits"] == 0
    if kind == "hotplug":
        failed, of = what["unplug_failures"], [what["movable"], what["everything"]]
        few = what["engine_ops"] < 5000 * max(what["unplugs"], 10)     # a slow build, which fills no segment
        return (what["violations"] == 0 and what["lost_frames"] == 0 and what["verified_pages"] > 0 and
                what["unplugs"] + sum(failed.values()) > 0 and (what["pins"] > 0 or failed["pinned"] == 0) and
                all(sum(one[key] for one in of) == total for key, total in
                    (("unplugs", what["unplugs"]), ("used", what["unplugs_used"]),
                     ("failures", sum(failed.values())))) and
                (few or 2 * what["unplugs_used"] >= what["unplugs"]) and
                (what["pins"] > 0 or of[0]["success_percent"] == 100))
    if kind == "oracle":
        forks = what["calls"]["fork"], what["calls"]["exit"]    # one in a hundred: what counts is what the child does
        shares = [calls / what["ops"] for name, calls in what["calls"].items()
                  if calls and name not in ("fork", "exit")]    # 0: this kernel has not got it
        return (min(forks) > 0 and 0.6 <= what["ok"] / what["ops"] <= 1 and min(shares) >= 0.02 and
                what["divergences"] == 0)
    if kind == "replay":
        return what["calls"] > 0 and what["mismatches"] == 0 and what["final_maps_equal"] in (True, None)
    if kind == "conflicts":
        one_lock = what["policy"] in ("rwsem", "pervma")        # of the one pair of writers that is run here
        return what["tests"] > 50 and (what["spread_conflict_free"] == 0) == one_lock
    if kind == "explore":
        rows = what["scenarios"]
        return (what["violations"] == 0 and what["schedules"] == sum(row["schedules"] for row in rows) > 0 and
                all(row["runs"] > 0 and row["failure"] is None for row in rows) and what["mutants"] and
                all(fits(runs, int) and runs > 0 for runs in what["mutants"].values()) and
                max(row["max_overtakes"] for row in rows) > 0)
    if kind == "manycore":
        return (what["ops"] >= 100 * what["cores"] and abs(what["ns_per_op"] * what["ops_per_s"] /
                what["cores"] / 1e9 - 1) < 1e-9 and what["transfers_per_op"] > 1 and what["hottest"] and what["limits"])
    if kind == "host":
        fit = [row["fit"] for row in what["rows"]]              # with reports more; with full caches only by the hook
        return what["violations"] == 0 and fit[2] > fit[0] and fit[4] > fit[3] and len(fit) == 7
    if kind == "machine":
        frames = sum(sum(row["frames"].values()) for row in what["segments"])
        return (what["commands"] > 10 and what["failures"] == 0 and what["violations"] == 0 and
                frames == what["figures"]["frames"] and what["frames"] and what["spaces"])
    return len(what["rows"]) > 0


def main():
    kind, command = sys.argv[1], sys.argv[2:] + ["--json", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode == SKIPPED:
        print("the program says that it cannot run here")
        return SKIPPED
    if done.returncode:
        print(f"exit {done.returncode}\n{done.stdout}")
        return 1
    try:
        what = json.loads(done.stdout, object_pairs_hook=once)
    except ValueError as error:
        print(f"not one JSON object: {error}\n{done.stdout[:2000]}")
        return 1
    found = list(missing(what, FIELDS[kind], kind))
    if kind in TWICE and subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout != done.stdout:
        found.append("a second run wrote something else")
    if kind in ("stress", "hotplug") and what.get("verify") is True and what.get("bytes") is not True:
        found.append("contents were verified, and it says that there were none")
    for (of, name), fields in ROWS.items():
        if of == kind and isinstance(what.get(name), list):
            for number, row in enumerate(what[name]):
                found += missing(row, fields(row) if callable(fields) else fields, f"{kind}.{name}[{number}]")
    if not found and not ok(kind, what):
        found.append(f"{kind}: a field has a value that no good run gives")
    print(json.dumps(what, indent=1) + "\n" + "\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
