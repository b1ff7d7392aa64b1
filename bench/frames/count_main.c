/* SPDX-License-Identifier: MIT */
/* count_main.c - vmmap-bench-count: a line for each load of written.h. Run by `vmmap-bench physmem`. */
#include <stdio.h>
#include <string.h>

#include "base/tool/cli.h"
#include "bench/frames/written.h"

int main(void)
{
	for (unsigned i = 0; i < WRITTEN_LOADS; i++) {
		struct written w;
		int err = written_count(i, &w);

		if (err) {
			fprintf(stderr, "vmmap-bench-count: %s: %s\n", written_name[i], strerror(-err));
			return CLI_USAGE;
		}
		printf("%s %llu %llu %llu %llu %llu\n", written_name[i], (unsigned long long)w.calls,
		       (unsigned long long)w.depot, (unsigned long long)w.blocks, (unsigned long long)w.rows,
		       (unsigned long long)w.other);
	}
	return CLI_OK;
}
