/* SPDX-License-Identifier: MIT */
/* points.c - see points.h. Processes of a sweep append at the same time: a line is one write. */
#include "bench/manycore/points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/tool/json.h"
#include "bench/manycore/report.h"

#define LINE_BYTES 512
#define COLUMNS    19                            /* 17, 18: of programs that gave no digest, no blocks of warm-up   */

const char *points_build(void)
{
	static char text[20];
	uint64_t hash = UINT64_C(0xcbf29ce484222325);    /* FNV-1a                                                  */
	FILE *f;
	int c;

	if (text[0])
		return text;
	f = fopen("/proc/self/exe", "r");
	while (f != NULL && (c = getc_unlocked(f)) != EOF)
		hash = (hash ^ (unsigned)c) * UINT64_C(0x100000001b3);
	if (f != NULL)
		fclose(f);
	snprintf(text, sizeof(text), "%016lx", (unsigned long)hash);
	return text;
}

int points_add(const char *path, const struct measure_params *p, const struct measure_result *r)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line),
			 "%s\t%s\t%u\t%.6g\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%u\t%lu\t%lu\t%lu\t%lu\t"
			 "%s\t%u\n",
			 p->policy, p->profile, p->cores, r->ops_per_s, r->transfers, r->reset_transfers,
			 r->daemon_transfers, r->running, r->share[TURN_LINES], r->share[TURN_ASLEEP],
			 r->share[TURN_SPINNING], r->share[TURN_HARNESS], r->steady, (unsigned long)r->refills,
			 (unsigned long)r->tables, (unsigned long)r->graces, (unsigned long)r->units,
			 points_build(), r->warm_blocks);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, line, (size_t)n) != n)
		err = -EIO;
	close(fd);
	return err;
}

static int by_curve(const void *x, const void *y)
{
	const struct point *a = x, *b = y;
	int order = strcmp(a->profile, b->profile);

	if (order == 0)
		order = strcmp(a->policy, b->policy);
	if (order == 0)
		order = (a->cores > b->cores) - (a->cores < b->cores);
	return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

/* Of several with the same place on a curve the last stays. */
static size_t newest(struct point *points, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct point *p = &points[i];

		if (kept > 0 && points[kept - 1].cores == p->cores &&
		    strcmp(points[kept - 1].policy, p->policy) == 0 &&
		    strcmp(points[kept - 1].profile, p->profile) == 0)
			kept--;
		points[kept++] = *p;
	}
	return kept;
}

static bool parse(const char *line, struct point *p)
{
	int got;

	*p = (struct point){ 0 };
	got = sscanf(line, "%31s %31s %u %lf %lf %lf %lf %lf %lf %lf %lf %lf %u %lu %lu %lu %lu %19s %u", p->policy,
		     p->profile, &p->cores, &p->ops_per_s, &p->transfers, &p->resets, &p->daemon, &p->running,
		     &p->lines, &p->asleep, &p->spinning, &p->meetings, &p->steady, &p->refills, &p->tables,
		     &p->graces, &p->ops, p->build, &p->warm);
	return got >= COLUMNS - 2;
}

size_t points_read(const char *dir, struct point **out)
{
	char path[4096], line[LINE_BYTES];
	size_t n = 0, room = 0;
	struct point p;
	FILE *f;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/points.tsv", dir);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL && parse(line, &p)) {
		p.line = n;
		if (n == room) {
			room = room ? 2 * room : 64;
			*out = realloc(*out, room * sizeof(**out));
			CHECK(*out != NULL);
		}
		(*out)[n++] = p;
	}
	fclose(f);
	qsort(*out, n, sizeof(**out), by_curve);
	return newest(*out, n);
}

int points_json(const char *dir, const struct point *points, size_t n)
{
	struct json *object = json_object(), *rows, *limits;
	char path[4096];
	int err;

	json_text(object, "command", "plot");
	limits = json_array(object, "limits");
	for (unsigned i = 0; report_limit(i) != NULL; i++)
		json_push_text(limits, report_limit(i));
	rows = json_array(object, "points");
	for (size_t i = 0; i < n; i++) {
		struct json *row = json_row(rows);

		json_text(row, "policy", points[i].policy);
		json_text(row, "profile", points[i].profile);
		json_uint(row, "cores", points[i].cores);
		json_uint(row, "ops", points[i].ops);
		json_uint(row, "ops_per_core", (uint64_t)measure_ops(profile_find(points[i].profile), points[i].ops,
								     points[i].cores));
		json_real(row, "ops_per_s", points[i].ops_per_s);
		json_real(row, "transfers_per_op", points[i].transfers);
		json_uint(row, "warm_blocks", points[i].warm);
		json_bool(row, "steady", points[i].steady);
		json_text(row, "build", points[i].build);
	}
	snprintf(path, sizeof(path), "%s/points.json", dir);
	err = json_write(object, path);
	json_free(object);
	return err;
}
