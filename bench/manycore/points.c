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

#define LINE_BYTES 512

int points_add(const char *path, const struct measure_params *p, const struct measure_result *r)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line),
			 "%s\t%s\t%u\t%.6g\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%u\t%lu\t%lu\t%lu\t%lu\n",
			 p->policy, p->profile, p->cores, r->ops_per_s, r->transfers, r->reset_transfers,
			 r->daemon_transfers, r->running, r->share[TURN_LINES], r->share[TURN_ASLEEP],
			 r->share[TURN_SPINNING], r->share[TURN_HARNESS], r->steady, (unsigned long)r->refills,
			 (unsigned long)r->tables, (unsigned long)r->graces, (unsigned long)r->units);
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
	return order != 0 ? order : (a->cores > b->cores) - (a->cores < b->cores);
}

size_t points_read(const char *dir, struct point **out)
{
	char path[4096];
	size_t n = 0, room = 0;
	struct point p;
	FILE *f;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/points.tsv", dir);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	while (fscanf(f, "%31s %31s %u %lf %lf %lf %lf %lf %lf %lf %lf %lf %u %lu %lu %lu %lu", p.policy, p.profile,
		      &p.cores, &p.ops_per_s, &p.transfers, &p.resets, &p.daemon, &p.running, &p.lines, &p.asleep,
		      &p.spinning, &p.meetings, &p.steady, &p.refills, &p.tables, &p.graces, &p.ops) == 17) {
		if (n == room) {
			room = room ? 2 * room : 64;
			*out = realloc(*out, room * sizeof(**out));
			CHECK(*out != NULL);
		}
		(*out)[n++] = p;
	}
	fclose(f);
	qsort(*out, n, sizeof(**out), by_curve);
	return n;
}
