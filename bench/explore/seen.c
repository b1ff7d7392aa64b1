/* SPDX-License-Identifier: MIT */
/* seen.c - see seen.h. Open addressing, half full at most; a hash is odd in the table, 0 is an empty place. */
#include "bench/explore/seen.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/prng.h"

static uint64_t *place_of(const struct seen *s, uint64_t hash)
{
	uint64_t i = prng_mix(hash) & (s->room - 1);

	while (s->hash[i] != 0 && s->hash[i] != hash)
		i = (i + 1) & (s->room - 1);
	return &s->hash[i];
}

static void grow(struct seen *s)
{
	struct seen old = *s;

	s->room = old.room ? old.room * 2 : 1 << 12;
	s->hash = calloc(s->room, sizeof(*s->hash));
	CHECK(s->hash != NULL);
	for (uint64_t i = 0; i < old.room; i++)
		if (old.hash[i] != 0)
			*place_of(s, old.hash[i]) = old.hash[i];
	free(old.hash);
}

bool seen_has(const struct seen *s, uint64_t hash)
{
	return s->room != 0 && *place_of(s, hash | 1) != 0;
}

bool seen_add(struct seen *s, uint64_t hash)
{
	uint64_t *place;

	if (s->n * 2 >= s->room)
		grow(s);
	place = place_of(s, hash | 1);
	if (*place != 0)
		return false;
	*place = hash | 1;
	s->n++;
	return true;
}
