/* SPDX-License-Identifier: MIT */
/* unchanged.h - a refused call leaves no trace: the listing of all of the map as one text, and the audit. */
#ifndef TESTS_BADARGS_UNCHANGED_H
#define TESTS_BADARGS_UNCHANGED_H

#include "tests/unit/space/maps.h"

static inline int listing_line(const struct vmmap_vma *v, void *arg)
{
	FILE *out = arg;

	return fprintf(out, "%llx-%llx prot %x flags %x advice %x object %llu offset %llx\n",
		       (unsigned long long)v->start, (unsigned long long)v->end, (unsigned)v->prot, (unsigned)v->flags,
		       v->advice, (unsigned long long)v->object, (unsigned long long)v->offset) < 0;
}

/* All VMAs with all that is known of them; with_usage: and how much of them is resident. To be freed. */
static inline char *listing_text(struct vmmap *map, int with_usage)
{
	struct vmmap_usage usage;
	size_t bytes;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(vmmap_walk(map, 0, UINT64_MAX, listing_line, out), 0);
	vmmap_get_usage(map, &usage);
	if (with_usage)
		fprintf(out, "%llu VMAs, %llu bytes, %llu resident\n", (unsigned long long)usage.vmas,
			(unsigned long long)usage.mapped_bytes, (unsigned long long)usage.resident_pages);
	fclose(out);
	return text;
}

static inline char *listing(struct vmmap *map)
{
	return listing_text(map, 1);
}

/* Frees `before`; 0 if the map is still like that and sound, else says what is wrong. */
static inline unsigned changed(struct vmmap *map, char *before, const char *what)
{
	char *after = listing(map);
	unsigned wrong = vmmap_audit(map, stderr) != 0;

	if (strcmp(before, after)) {
		print_error("%s: changed the map from\n%sto\n%s", what, before, after);
		wrong++;
	}
	free(before);
	free(after);
	return wrong;
}

/* call must end with this result and leave no trace on map. */
#define refuses(map, result, call) do { \
	char *before_ = listing(map); \
	assert_int_equal((call), (result)); \
	assert_int_equal(changed((map), before_, #call), 0); } while (0)

#endif
