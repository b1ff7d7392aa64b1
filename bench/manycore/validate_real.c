/* SPDX-License-Identifier: MIT */
/*
 * validate_real.c - real threads of this machine, one and two, beside as many logical cores. See validate.h.
 *
 * vmmap-bench, which stands beside this program, measures the threads. Compared are the rates of one (the calibration),
 * what a second adds, and the order of the policies by their rates with two.
 */
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/compiler.h"
#include "bench/child.h"
#include "bench/manycore/shape.h"
#include "bench/manycore/validate.h"

struct real { char profile[32]; unsigned threads; double rate[OPTIONS_MOST]; };  /* by policy                      */

struct sums { double logs, ranks; unsigned rates, profiles; };

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
	(void)stat;
	(void)kind;
	(void)at;
	return remove(path);
}

/* NAME,NAME... */
static void join(char *text, size_t bytes, const char *const names[], size_t n)
{
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(text);

		snprintf(text + at, bytes - at, "%s%s", i ? "," : "", names[i]);
	}
}

/* A line of vmmap-bench: profile, threads, a rate for each policy. */
static bool read_row(char *line, size_t policies, struct real *row)
{
	char *rest, *name = strtok_r(line, " \n", &rest), *word = strtok_r(NULL, " \n", &rest);

	if (name == NULL || word == NULL || (row->threads = (unsigned)strtoul(word, NULL, 10)) == 0)
		return false;
	snprintf(row->profile, sizeof(row->profile), "%s", name);
	for (size_t i = 0; i < policies; i++) {
		word = strtok_r(NULL, " \n", &rest);
		if (word == NULL || (row->rate[i] = strtod(word, NULL)) <= 0)
			return false;
	}
	return true;
}

/* What vmmap-bench says; the number of rows. dir: for what it writes. */
static size_t bench_real(const struct options *o, char *dir, struct real *rows, size_t room)
{
	char path[PATH_MAX], profiles[1024], policies[1024], line[1024];
	char *argv[] = { path, (char *)"sweep", (char *)"--policies", policies, (char *)"--workloads", profiles,
			 (char *)"--threads", (char *)"1,2", (char *)"--reps", (char *)"5", (char *)"--out",
			 dir, NULL };
	struct child child;
	size_t n = 0;

	if (child_path("", path, sizeof(path)) != 0)
		return 0;
	strcpy(strrchr(path, '/'), "/vmmap-bench");
	join(policies, sizeof(policies), o->policies, o->npolicies);
	join(profiles, sizeof(profiles), o->profiles, o->nprofiles);
	if (access(path, X_OK) != 0 || child_start(&child, path, argv) != 0)
		return 0;
	while (n < room && fgets(line, sizeof(line), child.out) != NULL)
		n += read_row(line, o->npolicies, &rows[n]);
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

/* 1 for the least; those that are equal share the mean of their ranks. */
static double rank_of(const double *x, size_t n, size_t i)
{
	double below = 0, equal = 0;

	for (size_t k = 0; k < n; k++) {
		below += x[k] < x[i];
		equal += x[k] == x[i];
	}
	return below + (equal + 1) / 2;
}

double validate_ranks(const double *x, const double *y, size_t n)
{
	double mean = ((double)n + 1) / 2, xx = 0, yy = 0, xy = 0;

	for (size_t i = 0; i < n; i++) {
		double a = rank_of(x, n, i) - mean, b = rank_of(y, n, i) - mean;

		xx += a * a;
		yy += b * b;
		xy += a * b;
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static void put_row(struct validation *v, struct json *rows, const char *policy, const struct real *one,
		    const double r[4])
{
	struct json *row = json_row(rows);

	json_text(row, "profile", one->profile);
	json_text(row, "policy", policy);
	json_real(row, "real_1", r[0]);
	json_real(row, "real_2", r[1]);
	json_real(row, "model_1", r[2]);
	json_real(row, "model_2", r[3]);
	fprintf(v->out, "  %-12s %8.3f %8.3f %6.2f | %8.3f %8.3f %6.2f | %.2f  %s\n", one->profile, r[0], r[1],
		r[1] / r[0], r[2], r[3], r[3] / r[2], r[2] / r[0], policy);
}

/* one, two: of one profile. */
static void compare_profile(struct validation *v, struct json *rows, const struct real *one, const struct real *two,
			    struct sums *sums)
{
	const struct options *o = v->o;
	double model[OPTIONS_MOST], rank;

	for (size_t k = 0; k < o->npolicies; k++) {
		double alone = simulate(o, o->policies[k], one->profile, 1);

		model[k] = simulate(o, o->policies[k], one->profile, 2);
		put_row(v, rows, o->policies[k], one, (double[]){ one->rate[k], two->rate[k], alone, model[k] });
		if (isnan(alone))
			continue;
		sums->logs += log(alone / one->rate[k]);
		sums->rates++;
	}
	rank = validate_ranks(two->rate, model, o->npolicies);
	if (isnan(rank))
		return;
	fprintf(v->out, "  %-12s rank correlation of %zu policies at two threads: %.2f\n", one->profile, o->npolicies,
		rank);
	sums->ranks += rank;
	sums->profiles++;
}

static void conclude(struct validation *v, const struct sums *sums)
{
	double rank = sums->profiles ? sums->ranks / sums->profiles : NAN;
	double factor = sums->rates ? exp(sums->logs / sums->rates) : NAN;

	json_uint(v->root, "ranked_profiles", sums->profiles);
	json_uint(v->root, "ranked_policies", v->o->npolicies);
	json_real(v->root, "rank_correlation", rank);
	json_real(v->root, "model_over_real", factor);
	if (sums->rates == 0)
		fprintf(v->out, "  none: vmmap-bench does not stand beside this program, or could not run\n");
	else
		fprintf(v->out, "  mean rank correlation of %u profiles %.2f; calibration: the model is %.2f times as "
			"fast as one real thread\n", sums->profiles, rank, factor);
}

void validate_real(struct validation *v)
{
	struct json *rows = json_array(v->root, "real");
	struct real real[2 * OPTIONS_MOST];
	size_t n = read_real(v->o, real, ARRAY_SIZE(real));
	struct sums sums = { 0 };

	fprintf(v->out, "real threads of this machine and logical cores, million ops/s (gain: second thread or core)\n"
		"  %-12s %8s %8s %6s | %8s %8s %6s | %s\n", "profile", "real 1", "real 2", "gain", "model 1",
		"model 2", "gain", "model/real, 1");
	for (size_t i = 1; i < n; i++) {
		const struct real *one = &real[i - 1], *two = &real[i];

		if (one->threads == 1 && two->threads == 2 && strcmp(one->profile, two->profile) == 0)
			compare_profile(v, rows, one, two, &sums);
	}
	conclude(v, &sums);
}
