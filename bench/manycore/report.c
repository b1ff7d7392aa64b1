/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "bench/manycore/report.h"

#include "base/compiler.h"
#include "bench/manycore/spin.h"
#include "bench/sim/debug.h"
#include "bench/sim/label.h"

#define LOCATION 200
#define HOT_SHOWN 12

static const char *const limit[] = {
	"A model: one OS thread plays all cores over the engine's own code; times are virtual.",
	"Infinite caches: no capacity or conflict misses, no bandwidth, no prefetching, no store buffer.",
	"A line goes to one core of a socket at a time, at one price inside a socket and one across; no distances.",
	"Computation costs a constant per access, fitted to one real thread; the workload's own code costs nothing.",
	"One core per thread: nobody is preempted. The library's own thread has a core of its own.",
};

const char *report_limit(unsigned i)
{
	return i < ARRAY_SIZE(limit) ? limit[i] : NULL;
}

void report_limits(struct json *object)
{
	struct json *limits = json_array(object, "limits");

	for (unsigned i = 0; report_limit(i) != NULL; i++)
		json_push_text(limits, report_limit(i));
}

const char *report_validation(const char *dir, char *text, size_t bytes)
{
	char path[4096];
	struct json *root;
	unsigned held, missed, ranked;

	snprintf(path, sizeof(path), "%s/validation.json", dir);
	if (json_read(&root, path) != 0) {
		snprintf(text, bytes, "No validation.json here: vmmap-manycore validate --json FILE.");
		return text;
	}
	held = (unsigned)json_real_at(root, "shapes_held", 0);
	missed = (unsigned)json_real_at(root, "shapes_missed", 0);
	ranked = (unsigned)json_real_at(root, "ranked_policies", 0);
	snprintf(text, bytes, "Validated: %u of %u published shapes; %u policies beside two real threads: rank "
		 "correlation %.2f; one core has %.2f of a thread's rate.", held, held + missed,
		 ranked, json_real_at(root, "rank_correlation", 0), json_real_at(root, "model_over_real", 0));
	json_free(root);
	return text;
}

static const char *label(const struct hot *h)
{
	const char *name = label_of(h->at);

	return name != NULL ? name : "?";
}

static void print_hot(FILE *out, const struct measure_result *r)
{
	for (size_t i = 0; i < r->nhot && i < HOT_SHOWN; i++) {
		const struct hot *h = &r->hot[i];
		char by[LOCATION], from[LOCATION] = "nobody";

		if ((double)h->count < 0.0005 * (double)r->units)
			break;
		snprintf(by, sizeof(by), "%s", debug_location(h->by));
		if (h->from != NULL)
			snprintf(from, sizeof(from), "%s", debug_location(h->from));
		fprintf(out, "  %8.4f  %-40s %6.0f ns  %s\n%12s written by %s\n", (double)h->count / (double)r->units,
			label(h), (double)h->took / (double)h->count / TURN_PS, by, "", from);
	}
}

void report_print(FILE *out, const struct options *o, const struct measure_result *r)
{
	fprintf(out, "%s, %s, %u cores, costs %s: %.3f million ops/s of virtual time, %.1f ns an op of one core\n",
		o->m.policy, o->m.profile, o->m.cores, o->costs, r->ops_per_s / 1e6, r->ns_per_op);
	fprintf(out, "transfers per op %.2f (%.4f)   in resets %.4f, library's thread %.4f, first touches %.4f\n",
		r->transfers, r->transfers, r->reset_transfers, r->daemon_transfers, r->cold);
	fprintf(out, "time: running %.1f %%, waiting for lines %.1f %%, asleep %.1f %%, spinning %.1f %%, "
		"meetings %.1f %%\n", 100 * r->running, 100 * r->share[TURN_LINES], 100 * r->share[TURN_ASLEEP],
		100 * r->share[TURN_SPINNING], 100 * r->share[TURN_HARNESS]);
	fprintf(out, "window: %lu ops, %.1f accesses and %.1f locked ones an op, %lu sleeps, %lu refills (%lu from "
		"the depot), %lu tables, %lu splits and joins, %lu grace periods\n",
		(unsigned long)r->units, r->accesses, r->rmws, (unsigned long)r->sleeps, (unsigned long)r->refills,
		(unsigned long)r->depot, (unsigned long)r->tables, (unsigned long)r->grafts, (unsigned long)r->graces);
	fprintf(out, "warm-up: %u blocks, %s; digest %016lx; %.1f s, %.1f million accesses/s here\n", r->warm_blocks,
		r->steady ? "steady" : "NOT STEADY", (unsigned long)r->digest, r->real_s, r->accesses_per_s / 1e6);
	print_hot(out, r);
	fprintf(out, "how far to trust it: vmmap-manycore validate, docs/manycore.md (Validation)\n");
}

void report_json(struct json *object, const struct options *o, const struct measure_result *r)
{
	struct json *rows;
	char digest[20];

	snprintf(digest, sizeof(digest), "%016lx", (unsigned long)r->digest);
	json_text(object, "policy", o->m.policy);
	json_text(object, "profile", o->m.profile);
	json_uint(object, "cores", o->m.cores);
	json_uint(object, "seed", o->m.seed);
	json_text(object, "costs", o->costs);
	json_uint(object, "quantum_ns", o->m.costs.quantum / TURN_PS);
	json_uint(object, "socket", o->m.costs.line.cores_per_socket);
	json_uint(object, "ops", r->units);
	json_real(object, "ops_per_s", r->ops_per_s);
	json_real(object, "ns_per_op", r->ns_per_op);
	json_real(object, "transfers_per_op", r->transfers);
	json_real(object, "transfers_in_resets", r->reset_transfers);
	json_real(object, "transfers_of_daemon", r->daemon_transfers);
	json_real(object, "first_touches_per_op", r->cold);
	json_uint(object, "rounds_not_played", spin_skipped);
	json_real(object, "accesses_per_op", r->accesses);
	json_real(object, "locked_per_op", r->rmws);
	json_real(object, "running", r->running);
	json_real(object, "waiting_for_lines", r->share[TURN_LINES]);
	json_real(object, "asleep", r->share[TURN_ASLEEP]);
	json_real(object, "spinning", r->share[TURN_SPINNING]);
	json_real(object, "meetings", r->share[TURN_HARNESS]);
	json_uint(object, "sleeps", r->sleeps);
	json_uint(object, "refills", r->refills);
	json_uint(object, "depot_takes", r->depot);
	json_uint(object, "tables", r->tables);
	json_uint(object, "splits_and_joins", r->grafts);
	json_uint(object, "grace_periods", r->graces);
	json_uint(object, "warm_blocks", r->warm_blocks);
	json_bool(object, "steady", r->steady);
	json_text(object, "digest", digest);
	rows = json_array(object, "hottest");
	for (size_t i = 0; i < r->nhot && i < HOT_SHOWN; i++) {
		struct json *row = json_row(rows);
		char where[LOCATION];

		json_real(row, "per_op", (double)r->hot[i].count / (double)r->units);
		json_real(row, "ns", (double)r->hot[i].took / (double)r->hot[i].count / TURN_PS);
		json_text(row, "object", label(&r->hot[i]));
		snprintf(where, sizeof(where), "%s", debug_location(r->hot[i].by));
		json_text(row, "by", where);
		snprintf(where, sizeof(where), "%s", debug_location(r->hot[i].from));
		json_text(row, "after", r->hot[i].from != NULL ? where : NULL);
	}
}
