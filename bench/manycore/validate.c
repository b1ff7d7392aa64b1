/* SPDX-License-Identifier: MIT */
/* validate.c - `vmmap-manycore validate`: what the model says about things that are known. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "base/tool/machine.h"
#include "bench/child.h"
#include "bench/manycore/commands.h"
#include "bench/manycore/options.h"
#include "bench/manycore/report.h"
#include "bench/manycore/shape.h"

static const char doc[] =
	"Lays the model beside what is known: published shapes (a shared counter; searches in a skip list and in a "
	"radix tree beside writers), real threads of this machine (time of one thread, gain by a second one, rank of "
	"the policies; by vmmap-bench, which must stand beside this program), and its one free choice, the quantum.\v"
	"Examples:\n"
	"  vmmap-manycore validate\n"
	"  vmmap-manycore validate --profiles fault,local --ops 2000\n"
	"Exit code: 0; 1 if a published shape does not come out; 2 if it could not run. Real threads decide nothing: "
	"the machine may be busy.";

#define CLASSIC 80u                              /* cores of the published curves: eight sockets of ten             */

static unsigned missed;

static void verdict(bool holds, const char *claim)
{
	printf("  %-6s %s\n", holds ? "holds" : "MISSED", claim);
	missed += !holds;
}

static struct turn_costs classic_costs(const struct options *o)
{
	struct turn_costs costs = o->m.costs;

	costs.line.cores_per_socket = 10;
	return costs;
}

static void check_counter(const struct options *o)
{
	static const uint32_t cores[] = { 1, 2, 10, 20, 40, CLASSIC };
	struct turn_costs costs = classic_costs(o);
	double rate[ARRAY_SIZE(cores)];

	printf("shared counter, million additions/s (published: peak 4.3 at 10 cores, 1.28 at 80)\n ");
	for (size_t i = 0; i < ARRAY_SIZE(cores); i++) {
		rate[i] = shape_counter(&costs, cores[i]) / 1e6;
		printf("  %u: %.2f", cores[i], rate[i]);
	}
	putchar('\n');
	verdict(rate[1] < rate[0], "a second core makes it slower");
	verdict(rate[2] > 1.3 * rate[5], "beyond a socket it falls");
	verdict(rate[4] < 1.5 * rate[5], "and stays down");
}

static void check_index(const struct options *o, const struct reference *index, const char *published, bool scales)
{
	static const uint32_t writers[] = { 0, 1, 5, 10, 40 };
	struct turn_costs costs = classic_costs(o);
	double rate[ARRAY_SIZE(writers)], half;

	printf("%s, %u readers, million searches/s by number of writers (published: %s)\n ", index->name, CLASSIC,
	       published);
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		rate[i] = shape_index(&costs, index, CLASSIC, writers[i]) / 1e6;
		printf("  %u: %.0f", writers[i], rate[i]);
	}
	half = shape_index(&costs, index, CLASSIC / 2, 0) / 1e6;
	printf("   (%u readers alone: %.0f)\n", CLASSIC / 2, half);
	verdict(rate[0] > 1.8 * half, "readers alone scale");
	if (scales) {
		verdict(rate[3] > 0.7 * rate[0], "10 writers do not disturb");
		return;
	}
	verdict(rate[1] < 0.9 * rate[0], "one writer is felt");
	verdict(rate[2] < 0.5 * rate[0], "five take more than half");
}

/* ---- real threads ---- */

struct real { char profile[32]; unsigned threads; double rate[2]; };     /* vma, rwsem                             */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
	(void)stat;
	(void)kind;
	(void)at;
	return remove(path);
}

/* What vmmap-bench says; the number of rows. dir: for what it writes. */
static size_t bench_real(const struct options *o, char *dir, struct real *rows, size_t room)
{
	char path[PATH_MAX], names[1024] = "";
	char *argv[] = { path, (char *)"sweep", (char *)"--policies", (char *)"vma,rwsem", (char *)"--workloads", names,
			 (char *)"--threads", (char *)"1,2", (char *)"--reps", (char *)"5", (char *)"--out",
			 dir, NULL };
	struct child child;
	char line[256];
	size_t n = 0;

	if (child_path("", path, sizeof(path)) != 0)
		return 0;
	strcpy(strrchr(path, '/'), "/vmmap-bench");
	for (size_t i = 0; i < o->nprofiles; i++) {
		strncat(names, i ? "," : "", sizeof(names) - strlen(names) - 1);
		strncat(names, o->profiles[i], sizeof(names) - strlen(names) - 1);
	}
	if (access(path, X_OK) != 0 || child_start(&child, path, argv) != 0)
		return 0;
	while (n < room && fgets(line, sizeof(line), child.out) != NULL)
		n += sscanf(line, "%31s %u %lf %lf", rows[n].profile, &rows[n].threads, &rows[n].rate[0],
			    &rows[n].rate[1]) == 4;
	(void)child_end(&child);
	return n;
}

static size_t read_real(const struct options *o, struct real *rows, size_t room)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX];
	size_t n;

	snprintf(dir, sizeof(dir), "%s/vmmap-real-XXXXXX", tmp != NULL && *tmp ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return 0;
	n = bench_real(o, dir, rows, room);
	(void)nftw(dir, remove_one, 4, FTW_DEPTH | FTW_PHYS);
	return n;
}

static double simulate(const struct options *o, const char *policy, const char *profile, uint32_t cores)
{
	struct measure_params p = o->m;
	struct measure_result *r = calloc(1, sizeof(*r));
	double rate;

	p.policy = policy;
	p.profile = profile;
	p.cores = cores;
	p.ops = o->ops ? o->ops : 4000;
	rate = r != NULL && shape_measure(&p, r, 0) == 0 ? r->ops_per_s / 1e6 : NAN;
	free(r);
	return rate;
}

static void compare_real(const struct options *o)
{
	static const char *const policy[] = { "vma", "rwsem" };
	struct real rows[2 * OPTIONS_MOST], *one = NULL;
	size_t n = read_real(o, rows, ARRAY_SIZE(rows));
	unsigned ranks = 0, agree = 0;
	double logs = 0;

	printf("real threads of this machine and logical cores, million ops/s (gain: second thread or core)\n"
	       "  %-12s %8s %8s %6s | %8s %8s %6s | %s\n", "profile", "real 1", "real 2", "gain", "model 1",
	       "model 2", "gain", "model/real, 1");
	for (size_t i = 0; i < n; i++) {
		double model[2][2];

		if (rows[i].threads == 1)
			one = &rows[i];
		if (rows[i].threads != 2 || one == NULL)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			model[k][0] = simulate(o, policy[k], one->profile, 1);
			model[k][1] = simulate(o, policy[k], one->profile, 2);
			printf("  %-12s %8.3f %8.3f %6.2f | %8.3f %8.3f %6.2f | %.2f  %s\n", one->profile, one->rate[k],
			       rows[i].rate[k], rows[i].rate[k] / one->rate[k], model[k][0], model[k][1],
			       model[k][1] / model[k][0], model[k][0] / one->rate[k], policy[k]);
			logs += log(model[k][0] / one->rate[k]);
		}
		ranks++;
		agree += (rows[i].rate[0] > rows[i].rate[1]) == (model[0][1] > model[1][1]);
	}
	if (ranks == 0)
		printf("  none: vmmap-bench does not stand beside this program, or could not run\n");
	else
		printf("  rank of the two policies at two threads: %u of %u agree; calibration: the model is %.2f "
		       "times as fast as one real thread\n", agree, ranks, exp(logs / (2 * ranks)));
}

static void compare_quantum(const struct options *o)
{
	static const uint64_t quantum[] = { 0, 50, 200, 1000 };

	printf("quantum (ns a core may run ahead in hits), vma, 8 cores: million ops/s and transfers per op\n");
	for (size_t i = 0; i < o->nprofiles; i++) {
		printf("  %-12s", o->profiles[i]);
		for (size_t q = 0; q < ARRAY_SIZE(quantum); q++) {
			struct measure_params p = o->m;
			struct measure_result *r = calloc(1, sizeof(*r));

			p.profile = o->profiles[i];
			p.cores = 8;
			p.ops = 1000;
			p.costs.quantum = quantum[q] * TURN_PS;
			if (r != NULL && shape_measure(&p, r, 0) == 0)
				printf("   %lu: %.3f %.2f", (unsigned long)quantum[q], r->ops_per_s / 1e6,
				       r->transfers);
			free(r);
		}
		putchar('\n');
	}
}

int validate_main(int argc, char **argv)
{
	static const char *const few[] = { "fault", "fault-own", "local", "pf", "mmap", "mprotect", "global" };
	struct machine machine;
	struct options o;
	char line[256];

	options_parse("Focqs", doc, argc, argv, &o);
	if (o.nprofiles == 0) {
		memcpy(o.profiles, few, sizeof(few));
		o.nprofiles = ARRAY_SIZE(few);
	}
	machine_read(&machine);
	printf("%s; costs %s\n", machine_line(&machine, line, sizeof(line)), o.costs);
	check_counter(&o);
	check_index(&o, &reference_skiplist, "0: 470, 1: 275, 5: 57", false);
	check_index(&o, &reference_radix, "560, unchanged by 10 or 40", true);
	compare_real(&o);
	compare_quantum(&o);
	for (unsigned i = 0; report_limit(i) != NULL; i++)
		printf("%s\n", report_limit(i));
	return missed ? CLI_VIOLATION : CLI_OK;
}
