/* SPDX-License-Identifier: MIT */
/* stress_report.c - the table, the command to reproduce, the JSON of vmmap-stress. */
#include "stress/stress_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tool/json.h"
#include "base/tool/machine.h"

char *report_number(double value, char buf[16])
{
	static const char *const unit[] = { "", " k", " M", " G", " T" };
	unsigned i = 0;

	while (value >= 999.5 && i + 1 < ARRAY_SIZE(unit)) {
		value /= 1000;
		i++;
	}
	snprintf(buf, 16, "%.*f%s", i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, unit[i]);
	return buf;
}

void report_command(const struct stress_options *o, const struct stress_row *row, FILE *out)
{
	fprintf(out, "vmmap-stress%s --policy=%s --profile=%s --threads=%u --seconds=%g --seed=%" PRIu64,
		o->noise ? "-points" : "", row->policy, row->profile, row->threads, (double)o->ns / 1e9, o->seed);
	if (o->noise)
		fprintf(out, " --noise=%" PRIu32, o->noise);
	if (o->mix)
		fprintf(out, " --mix=%s", o->mix);
	if (o->topdown)
		fprintf(out, " --placement=topdown");
	if (o->bytes && !o->verify)
		fprintf(out, " --bytes");
	if (o->pinned)
		fprintf(out, " --pinned=%u", o->pinned);
	if (o->plant != SIN_NONE)
		fprintf(out, " --plant=%s", verify_sin_name[o->plant]);
	else if (o->verify)
		fprintf(out, " --verify");
	fputc('\n', out);
}

void report_header(FILE *out)
{
	fprintf(out, "%-10s %-16s %7s %7s %9s %9s %9s %7s %6s %5s  %s\n", "policy", "profile", "threads", "seconds",
		"ops", "ops/s", "checks", "waits", "overt.", "gp", "violations");
}

void report_row(const struct stress_row *row, FILE *out)
{
	char ops[16], rate[16], checks[16], waits[16];

	if (row->skipped) {
		fprintf(out, "%-10s %-16s skipped: %s\n", row->policy, row->profile, row->skipped);
		return;
	}
	fprintf(out, "%-10s %-16s %7u %7.2f %9s %9s %9s %7s %6" PRIu64 " %5" PRIu64 "  %" PRIu64 "%s%s\n", row->policy,
		row->profile, row->threads, row->seconds, report_number((double)row->result.units, ops),
		report_number(row->result.rate, rate), report_number((double)row->checks, checks),
		report_number((double)row->result.counters.waits, waits), row->result.counters.max_overtakes,
		row->gp_waits, row->violations, row->violations ? "  " : "",
		row->first < SIN_COUNT ? verify_sin_name[row->first] : "");
	for (unsigned i = 0; i < row->figures; i++)
		fprintf(out, "%s%s %" PRIu64 "%s", i % 6 ? ", " : "    ", row->figure[i].name, row->figure[i].value,
			i % 6 == 5 || i + 1 == row->figures ? "\n" : "");
}

static struct stress_row sum_rows(const struct stress_options *o, const struct stress_row *rows, unsigned n)
{
	struct stress_row sum = { .policy = o->policy, .profile = o->profile, .threads = o->threads,
				  .first = SIN_NONE };

	for (unsigned i = 0; i < n; i++) {
		const struct stress_row *r = &rows[i];

		if (r->skipped)
			continue;
		sum.seconds += r->seconds;
		sum.violations += r->violations;
		sum.checks += r->checks;
		sum.gp_waits += r->gp_waits;
		sum.audits += r->audits;
		sum.result.units += r->result.units;
		sum.result.engine_ops += r->result.engine_ops;
		if (r->result.counters.max_overtakes > sum.result.counters.max_overtakes)
			sum.result.counters.max_overtakes = r->result.counters.max_overtakes;
		if (sum.first == SIN_NONE)
			sum.first = r->first;
	}
	if (n == 1)
		sum.threads = rows[0].threads;
	return sum;
}

void report_total(const struct stress_options *o, const struct stress_row *rows, unsigned n, FILE *out)
{
	struct stress_row sum = sum_rows(o, rows, n);
	char ops[16], checks[16];
	unsigned ran = 0;

	for (unsigned i = 0; i < n; i++)
		ran += !rows[i].skipped;
	fprintf(out, "%u runs, %.1f s, %s operations, %s checks, %" PRIu64 " looks at the quiet map, seed %" PRIu64
		": %" PRIu64 " violations\n", ran, sum.seconds, report_number((double)sum.result.units, ops),
		report_number((double)sum.checks, checks), sum.audits, o->seed, sum.violations);
}

/* ---- JSON ---- */

static void counters_json(const struct vmmap_counters *c, struct json *object)
{
	json_uint(object, "mmaps", c->mmaps);
	json_uint(object, "munmaps", c->munmaps);
	json_uint(object, "mprotects", c->mprotects);
	json_uint(object, "mremaps", c->mremaps);
	json_uint(object, "madvises", c->madvises);
	json_uint(object, "brks", c->brks);
	json_uint(object, "faults", c->faults);
	json_uint(object, "fault_hits", c->fault_hits);
	json_uint(object, "fault_retries", c->fault_retries);
	json_uint(object, "accesses", c->accesses);
	json_uint(object, "brief_edits", c->brief_edits);
	json_uint(object, "general_edits", c->general_edits);
	json_uint(object, "merges", c->merges);
	json_uint(object, "splits", c->splits);
	json_uint(object, "waits", c->waits);
	json_uint(object, "hand_overs", c->hand_overs);
	json_uint(object, "frames_direct", c->frames_direct);
	json_uint(object, "frames_deferred", c->frames_deferred);
}

static void host_json(const struct stress_row *row, struct json *object)
{
	json_uint(object, "passes", row->reports.passes);
	json_uint(object, "calls", row->reports.calls);
	json_uint(object, "accepted", row->reports.accepted);
	json_uint(object, "refused", row->reports.refused);
	json_uint(object, "later", row->reports.later);
	json_uint(object, "reported_frames", row->reports.reported);
	json_uint(object, "balloon_frames", row->balloon);
}

/* A name with a dot goes into an object of its own; those that begin alike follow each other. */
static void figures_json(const struct stress_row *row, struct json *object)
{
	struct json *part = NULL;
	size_t len = 0;

	for (unsigned i = 0; i < row->figures; i++) {
		const char *name = row->figure[i].name, *dot = strchr(name, '.');
		char of[64];

		if (!dot) {
			json_uint(object, name, row->figure[i].value);
			continue;
		}
		if (!part || strncmp(row->figure[i - 1].name, name, len) != 0) {
			len = (size_t)(dot - name) + 1;
			snprintf(of, sizeof(of), "%.*s", (int)(dot - name), name);
			part = json_sub(object, of);
		}
		json_uint(part, dot + 1, row->figure[i].value);
	}
}

static void row_json(const struct stress_options *o, const struct stress_row *row, struct json *object)
{
	json_text(object, "policy", row->policy);
	json_text(object, "profile", row->profile);
	json_uint(object, "threads", row->threads);
	json_real(object, "seconds", row->seconds);
	json_uint(object, "seed", o->seed);
	json_uint(object, "ops", row->result.units);
	json_uint(object, "violations", row->violations);
	json_uint(object, "gp_waits", row->gp_waits);
	json_uint(object, "max_overtakes", row->result.counters.max_overtakes);
	json_uint(object, "checks", row->checks);
	json_uint(object, "audits", row->audits);
	json_uint(object, "engine_ops", row->result.engine_ops);
	json_text(object, "first", row->first < SIN_COUNT ? verify_sin_name[row->first] : NULL);
}

int report_json(const struct stress_options *o, const struct stress_row *rows, unsigned n, const char *path)
{
	struct stress_row sum = sum_rows(o, rows, n);
	struct json *root = json_object(), *runs;
	struct machine machine;
	int err;

	if (n == 1)
		sum.result.rate = rows[0].result.rate;
	row_json(o, &sum, root);
	if (n == 1)
		figures_json(&rows[0], root);
	json_bool(root, "verify", o->verify);
	json_bool(root, "bytes", o->bytes || o->verify);
	json_text(root, "plant", o->plant != SIN_NONE ? verify_sin_name[o->plant] : NULL);
	machine_read(&machine);
	machine_json(&machine, root, "machine");
	runs = json_array(root, "runs");
	for (unsigned i = 0; i < n; i++) {
		struct json *one = json_row(runs);

		if (rows[i].skipped) {
			json_text(one, "policy", rows[i].policy);
			json_text(one, "profile", rows[i].profile);
			json_text(one, "skipped", rows[i].skipped);
			continue;
		}
		row_json(o, &rows[i], one);
		json_real(one, "ops_per_second", rows[i].result.rate);
		counters_json(&rows[i].result.counters, json_sub(one, "counters"));
		host_json(&rows[i], json_sub(one, "host"));
		figures_json(&rows[i], one);
	}
	err = json_write(root, path);
	json_free(root);
	return err;
}
