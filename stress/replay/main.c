/* SPDX-License-Identifier: MIT */
/* main.c - vmmap-replay: the memory calls of a real program on the engine. Options, summary, JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmmap/vmmap.h>
#include "base/tool/cli.h"
#include "base/tool/json.h"
#include "base/tool/machine.h"
#include "stress/replay/replay.h"

struct options { const char *log, *maps, *policy, *json; bool fast; };

struct totals {
	struct log log;
	struct plan plan;
	struct maps snapshot;
	bool has_snapshot, all_equal;
	double compared_share;
	uint64_t mismatches, runs;
};

static const struct argp_option option_list[] = {
	{ "maps", 'm', "SNAPSHOT", 0, "copy of /proc/PID/maps from its end: compared with the final map", 0 },
	{ "policy", 'p', "NAME", 0, "locking policy (default vma; all: each in turn; help: list them)", 0 },
	{ "fast", 'f', NULL, 0, "as fast as the dependencies allow, instead of in the order observed", 0 },
	{ "json", 'j', "FILE", 0, "write the result as JSON (-: to stdout)", 0 },
	{ 0 },
};

static const char doc[] =
	"Replays the memory calls of a real program, one engine thread per traced thread. LOG is what strace "
	"wrote: `strace -f -ttt -e trace=memory -o LOG PROGRAM`, with or without -y and process calls "
	"(scripts/record does it all).\v"
	"Examples:\n"
	"  scripts/record -o rec xz -T4 -k file                 make rec/strace.log and rec/maps\n"
	"  vmmap-replay rec/strace.log --maps=rec/maps          in the order observed, compare the final map\n"
	"  vmmap-replay rec/strace.log --policy=all --fast      every policy, as fast as it goes\n\n"
	"Exit status: 0 every result and the final map agree, 1 they do not, 2 usage or could not run.";

static void list_policies(void)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		printf("%-10s %s\n", vmmap_policy_name(i), vmmap_policy_idea(i));
	exit(CLI_OK);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'm': o->maps = arg; return 0;
	case 'p':
		if (!strcmp(arg, "help"))
			list_policies();
		o->policy = arg;
		return 0;
	case 'f': o->fast = true; return 0;
	case 'j': o->json = arg; return 0;
	case ARGP_KEY_ARG:
		if (o->log)
			argp_usage(state);
		o->log = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->log)
			argp_usage(state);
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static FILE *open_file(const char *path)
{
	FILE *in = !strcmp(path, "-") ? stdin : fopen(path, "re");

	if (!in)
		cli_die(NULL, "%s: %s", path, strerror(errno));
	return in;
}

static void load(struct totals *t, const struct options *o)
{
	FILE *in = open_file(o->log);
	int err = log_read(&t->log, in);

	fclose(in);
	if (err)
		cli_die(NULL, "%s: %s", o->log, strerror(-err));
	err = plan_make(&t->plan, &t->log);
	if (err == -ENODATA)
		cli_die("it should hold lines like `123 1700000000.1 munmap(0x7f0000000000, 4096) = 0`",
			"%s: no memory calls in it", o->log);
	if (err)
		cli_die(NULL, "%s: %s", o->log, strerror(-err));
	if (!o->maps)
		return;
	in = open_file(o->maps);
	err = maps_read(&t->snapshot, in, &t->log);
	fclose(in);
	if (err)
		cli_die("it should be a copy of /proc/PID/maps", "%s: %s", o->maps, strerror(-err));
	t->has_snapshot = true;
	t->compared_share = maps_bytes(&t->snapshot) ?
		(double)maps_covered(&t->snapshot, &t->plan.mapped) / (double)maps_bytes(&t->snapshot) : 0;
}

static void describe(const struct totals *t)
{
	const struct log *l = &t->log;
	const struct plan *p = &t->plan;

	printf("%u lines, %u split calls, %u not understood, %u resumed without a beginning\n", l->lines,
	       l->resumed, l->bad_lines, l->orphans);
	if (!l->process_calls)
		printf("no process calls in the log: every pid is taken for a thread of one address space\n");
	if (!l->paths)
		printf("no file names in the log (strace -y): files are told apart by descriptor only\n");
	printf("replaying %u calls of %u threads; not replayed: %" PRIu64
	       " on memory that exec mapped, %" PRIu64 " that failed for reasons outside, %" PRIu64
	       " advices about contents, %" PRIu64 " without a result, %" PRIu64 " of other processes, %" PRIu64
	       " that change no VMA (msync, mlock, mincore, ...)\n",
	       p->steps, p->threads, p->foreign, p->incomparable, p->odd, p->unfinished, p->elsewhere,
	       l->ignored);
}

static void print_mismatches(const struct replay *r)
{
	for (uint64_t i = 0; i < r->mismatches && i < 10; i++) {
		const struct record *c = &r->plan->step[r->first[i].step].r;

		printf("  line %u: %s(%#" PRIx64 ", %" PRIu64 "): recorded %" PRId64 " (%#" PRIx64
		       "), engine %" PRId64 " (%#" PRIx64 ")\n",
		       c->line, call_name[c->call], c->addr, c->len, c->result, (uint64_t)c->result,
		       r->first[i].got, (uint64_t)r->first[i].got);
	}
}

static unsigned policy_index(const char *name)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++) {
		if (!strcmp(vmmap_policy_name(i), name))
			return i;
	}
	cli_die("--policy=help lists them", "no such policy: %s", name);
}

/* One policy. Returns its row of the JSON output. */
static void run(struct totals *t, const struct options *o, unsigned policy, struct json *rows)
{
	struct replay r = { .plan = &t->plan, .policy = vmmap_policy_name(policy), .fast = o->fast,
			    .one_thread = !vmmap_policy_threads(policy) };
	struct json *row = json_row(rows);
	bool equal = true;
	int err = replay_run(&r);

	if (err)
		cli_die(NULL, "policy %s: %s", r.policy, strerror(-err));
	if (t->has_snapshot)
		equal = maps_same(&t->snapshot, &r.maps, &t->plan.mapped, t->log.paths, stdout);
	printf("%-10s %8" PRIu64 " calls %9.3f ms %10.0f calls/s  %" PRIu64 " mismatches%s%s%s\n", r.policy, r.calls,
	       (double)r.seconds_ns / 1e6, (double)r.calls * 1e9 / (double)(r.seconds_ns + 1), r.mismatches,
	       !t->has_snapshot ? "" : equal ? ", final map equal" : ", FINAL MAP DIFFERS",
	       r.unplanned_bytes ? ", MAPPED BYTES DIFFER FROM THE LOG" : "", r.audit ? ", AUDIT FAILED" : "");
	print_mismatches(&r);
	r.mismatches += (r.unplanned_bytes != 0) + (r.audit != 0);
	json_text(row, "policy", r.policy);
	json_uint(row, "calls", r.calls);
	json_uint(row, "threads", r.one_thread ? 1 : t->plan.threads);
	json_uint(row, "mismatches", r.mismatches);
	json_real(row, "seconds", (double)r.seconds_ns / 1e9);
	if (t->has_snapshot)
		json_bool(row, "final_maps_equal", equal);
	else
		json_null(row, "final_maps_equal");
	t->mismatches += r.mismatches;
	t->all_equal &= equal;
	t->runs++;
	maps_free(&r.maps);
}

static void fill_json(const struct totals *t, const struct options *o, struct json *root)
{
	struct machine machine;

	json_text(root, "policy", o->policy);
	json_uint(root, "calls", t->plan.steps);
	json_uint(root, "threads", t->plan.threads);
	json_uint(root, "mismatches", t->mismatches);
	if (t->has_snapshot) {
		json_real(root, "compared_share", t->compared_share);
		json_bool(root, "final_maps_equal", t->all_equal);
	} else {
		json_uint(root, "compared_share", 0);
		json_null(root, "final_maps_equal");
	}
	json_bool(root, "fast", o->fast);
	json_uint(root, "foreign", t->plan.foreign);
	json_uint(root, "incomparable", t->plan.incomparable);
	json_uint(root, "ignored", t->log.ignored);
	json_bool(root, "process_calls", t->log.process_calls);
	machine_read(&machine);
	machine_json(&machine, root, "machine");
}

int main(int argc, char **argv)
{
	struct options o = { .policy = "vma" };
	struct argp argp = { option_list, parse, "LOG", doc, NULL, NULL, NULL };
	struct totals t = { .all_equal = true };
	struct json *root = json_object(), *rows = json_array(root, "runs");
	int err = 0, out = -1;

	cli_parse(&argp, argc, argv, &o);
	if (o.json && !strcmp(o.json, "-")) {    /* with the JSON on stdout, everything else goes to stderr        */
		out = dup(STDOUT_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
	}
	load(&t, &o);
	describe(&t);
	if (t.has_snapshot)
		printf("comparing %.1f %% of the snapshot's mapped bytes (the rest was mapped by exec, not by calls)\n",
		       100 * t.compared_share);
	if (strcmp(o.policy, "all")) {
		run(&t, &o, policy_index(o.policy), rows);
	} else {
		for (unsigned i = 0; vmmap_policy_name(i); i++)
			run(&t, &o, i, rows);
	}
	fill_json(&t, &o, root);
	fflush(stdout);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (o.json)
		err = json_write(root, o.json);
	json_free(root);
	maps_free(&t.snapshot);
	plan_free(&t.plan);
	log_free(&t.log);
	if (err)
		cli_die(NULL, "%s: %s", o.json, strerror(-err));
	return t.mismatches || !t.all_equal ? CLI_VIOLATION : CLI_OK;
}
