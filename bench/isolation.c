/* SPDX-License-Identifier: MIT */
/* isolation.c - `vmmap-bench isolation`: does one writer stop the others? See isolate.h. */
#include <errno.h>
#include <string.h>

#include "base/tool/cli.h"
#include "bench/child.h"
#include "bench/commands.h"
#include "bench/isolate.h"
#include "bench/isolation.h"
#include "bench/options.h"
#include "bench/report.h"

static const short keys[] = { OPT_POLICY, OPT_HOLD_MS, OPT_THREADS, OPT_DURATION, OPT_JSON, 0 };
static const struct options_command command = {
	keys,
	"A writer holds 16 MiB of a VMA for --hold-ms, again and again, while other threads fault, access, "
	"list, map, protect and unmap elsewhere, in the same VMA too: how many of their operations were "
	"blocked, and how long they took. Then a writer is stopped in the middle of an edit (by "
	"vmmap-bench-points, the same program with test points). The global locks do the same beside it.\v"
	"Examples:\n"
	"  vmmap-bench isolation --policy vma --hold-ms 10\n"
	"  vmmap-bench isolation --policy pervma --hold-ms 10 --duration 3s --json -\n"
	"Exit code: 0, whatever was blocked (`bars` judges); 2 if it could not run.",
};

static void put_result(struct json *j, const struct isolate_result *r)
{
	struct json *kinds;

	json_uint(j, "ops", r->ops);
	json_uint(j, "blocked", r->blocked);
	json_uint(j, "p50_ns", r->p50_ns);
	json_uint(j, "p99_ns", r->p99_ns);
	json_uint(j, "p999_ns", r->p999_ns);
	json_uint(j, "max_ns", r->max_ns);
	json_uint(j, "holds", r->holds);
	kinds = json_sub(j, "kinds");
	for (unsigned op = 0; op < ISOLATE_OPS; op++) {
		struct json *row = json_sub(kinds, isolate_op_name[op]);

		json_uint(row, "ops", r->count.ops[op]);
		json_uint(row, "blocked", r->count.blocked[op]);
	}
}

static void print_head(FILE *out)
{
	fprintf(out, "%-28s %10s %9s %9s %9s %9s %11s\n", "", "operations", "blocked", "p50 us", "p99 us", "p99.9 us",
		"max us");
}

static void print_result(FILE *out, const char *name, const struct isolate_result *r)
{
	fprintf(out, "%-28s %10llu %9llu %9.2f %9.2f %9.2f %11.2f\n", name, (unsigned long long)r->ops,
		(unsigned long long)r->blocked, (double)r->p50_ns / 1e3, (double)r->p99_ns / 1e3,
		(double)r->p999_ns / 1e3, (double)r->max_ns / 1e3);
}

int isolation_held(const char *policy, unsigned threads, double hold_ms, double ms, struct isolate_result *result)
{
	struct gang *gang = gang_create(threads);
	struct isolate *iso;
	int err = isolate_create(&iso, policy, threads, gang);

	if (!err) {
		err = isolate_hold(iso, 0, 20, result);                  /* once unmeasured: tables, caches        */
		if (!err)
			err = isolate_hold(iso, hold_ms, ms, result);
		isolate_destroy(iso);
	}
	gang_destroy(gang);
	if (err)
		cli_complain(NULL, "isolation under %s: %s", policy, strerror(-err));
	return err;
}

/* The instrumented program stands beside this one. */
int isolation_stopped(const char *policy, struct isolation_place *places, size_t most, size_t *n)
{
	char *argv[] = { (char *)"vmmap-bench-points", (char *)policy, NULL };
	unsigned long long ops, blocked;
	struct child child;
	char path[4096];
	int err = child_path("-points", path, sizeof(path));

	*n = 0;
	if (!err)
		err = child_start(&child, path, argv);
	if (err) {
		cli_complain("build vmmap-bench-points; it belongs into the same directory",
			     "cannot run the instrumented program: %s", strerror(-err));
		return err;
	}
	while (*n < most && fscanf(child.out, "%63s %llu %llu %79[^\n]", places[*n].place, &ops, &blocked,
				   places[*n].where) == 4) {
		places[*n].ops = ops;
		places[*n].blocked = blocked;
		(*n)++;
	}
	return child_end(&child) == CLI_OK ? 0 : -EIO;
}

static int put_stopped(struct json *j, FILE *out, const char *policy)
{
	struct isolation_place places[ISOLATION_PLACES];
	struct json *rows = json_array(j, "stopped");
	size_t n;
	int err = isolation_stopped(policy, places, ISOLATION_PLACES, &n);

	for (size_t i = 0; i < n; i++) {
		struct json *row = json_row(rows);

		json_text(row, "place", places[i].place);
		json_text(row, "where", places[i].where);
		json_uint(row, "ops", places[i].ops);
		json_uint(row, "blocked", places[i].blocked);
		fprintf(out, "%-28s %10llu %9llu   writer stopped %s\n", places[i].place,
			(unsigned long long)places[i].ops, (unsigned long long)places[i].blocked, places[i].where);
	}
	return err;
}

int isolation_main(int argc, char **argv)
{
	static const char *const beside[] = { "rwlock", "rwsem" };
	struct options o = { .policy = "vma", .hold_ms = 10, .threads = 2, .duration_ns = 2000000000 };
	struct isolate_result r;
	struct json *j, *rows;
	FILE *out;
	int err;

	options_parse(&command, argc, argv, &o);
	if (o.threads > ISOLATE_THREADS)
		cli_die("the writer needs a CPU too", "--threads: at most %d", ISOLATE_THREADS);
	out = report_text(o.json);
	report_progress("%s, a writer holds for %g ms", o.policy, o.hold_ms);
	err = isolation_held(o.policy, o.threads, o.hold_ms, (double)o.duration_ns / 1e6, &r);
	if (err)
		return CLI_USAGE;
	j = report_begin("isolation");
	json_text(j, "policy", o.policy);
	json_real(j, "hold_ms", o.hold_ms);
	json_uint(j, "threads", o.threads);
	put_result(j, &r);
	report_progress_end();
	fprintf(out, "a writer holds 16 MiB for %g ms, again and again (%llu times); %u threads work elsewhere\n",
		o.hold_ms, (unsigned long long)r.holds, o.threads);
	print_head(out);
	print_result(out, o.policy, &r);
	rows = json_array(j, "beside");
	for (size_t i = 0; i < 2 && !err; i++) {
		struct json *row = json_row(rows);

		json_text(row, "policy", beside[i]);
		err = isolation_held(beside[i], o.threads, o.hold_ms, (double)o.duration_ns / 2e6, &r);
		put_result(row, &r);
		print_result(out, beside[i], &r);
	}
	if (!err)
		err = put_stopped(j, out, o.policy);
	fprintf(out, "%s\n", report_machine());
	return err ? (json_free(j), CLI_USAGE) : report_end(j, o.json);
}
