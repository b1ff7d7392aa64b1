/* SPDX-License-Identifier: MIT */
/*
 * points_main.c - vmmap-bench-points POLICY: a writer stopped in the middle of an edit. The other half of
 * `vmmap-bench isolation`, linked with the copy of the library that has test points.
 *
 * One line per place: point, operations of the others meanwhile, how many of them were blocked, the place in words.
 * No operations: under this policy no edit comes by that place, so nothing is shown there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/point.h"
#include "base/tool/cli.h"
#include "bench/isolate.h"

#define THREADS 2
#define STOPPED_MS 60

static const struct { const char *point, *where; } places[] = {
	{ "vtree_leave_before_publish", "inside a leaf section, before its publication" },
	{ "vtree_leave_before_raise", "after a leaf section, before it raises the bounds of gaps" },
	{ "carve_before_leave", "inside a brief edit's leaf section" },
	{ "replace_before_leave", "inside a general edit's leaf section" },
	{ "edit_after_lk", "holding a range, before its first change" },
	{ "pt_zap_before_clear", "in the middle of a zap" },
	{ "pt_make_before_cas", "installing a page table" },
	{ "release_before_sweep", "before it gives its range back" },
	{ "depot_pop_before_cas", "refilling its frames from the depot" },
	{ "frame_close_before_shelf", "retiring a batch of frames" },
};

static int show(const char *policy, size_t i, struct gang *gang)
{
	struct isolate_result r;
	struct isolate *iso;
	int err = isolate_create(&iso, policy, THREADS, gang);

	if (err)
		return err;
	err = isolate_hold(iso, 0, 10, &r);
	if (!err)
		err = isolate_stop(iso, places[i].point, STOPPED_MS, &r);
	if (!err || err == -ETIMEDOUT)
		printf("%s %llu %llu %s\n", places[i].point, (unsigned long long)r.ops, (unsigned long long)r.blocked,
		       places[i].where);
	isolate_destroy(iso);
	return err == -ETIMEDOUT ? 0 : err;
}

int main(int argc, char **argv)
{
	struct gang *gang;
	int code = CLI_OK;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "vmmap-bench-points POLICY: run by `vmmap-bench isolation`\n");
		return CLI_USAGE;
	}
	gang = gang_create(THREADS);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int err = show(argv[1], i, gang);

		if (err) {
			fprintf(stderr, "%s under %s: %s\n", places[i].point, argv[1], strerror(-err));
			code = CLI_VIOLATION;
		}
	}
	gang_destroy(gang);
	return code;
}
