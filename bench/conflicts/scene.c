/* SPDX-License-Identifier: MIT */
/* scene.c - see scene.h. */
#include "bench/conflicts/scene.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

static const struct call backing[] = {
	{ .prot = RW }, { .prot = PROT_READ }, { .prot = RW, .shared = 1 },
	{ .prot = RW, .shared = 1, .object = CALL_FILE_A }, { .prot = RW, .object = CALL_FILE_A },
	{ .prot = RW, .shared = 1, .object = CALL_FILE_A, .alias = 1 },
	{ .prot = PROT_READ, .shared = 1, .object = CALL_FILE_B },
	{ .prot = RW, .object = CALL_FILE_A, .alias = 1 },
	{ .prot = RW, .shared = 1, .object = CALL_FILE_B },
};

bool scene_backing(unsigned i, struct call *out)
{
	if (i >= sizeof(backing) / sizeof(*backing))
		return false;
	*out = backing[i];
	return true;
}

/* Pieces of a shape: pages from the first region's start on, and what is done with them. */
enum piece_what { END, MAP_X, MAP_Y, UNMAP, READ_ONLY, NONE, NO_DUMP };
struct piece { uint8_t what, lo, hi; };

static const struct piece shape[][SCENE_CALLS] = {
	{ { END, 0, 0 } },
	{ { MAP_X, 0, 8 } },
	{ { MAP_X, 0, 4 }, { MAP_Y, 4, 8 } },
	{ { MAP_X, 0, 3 }, { MAP_Y, 5, 8 } },
	{ { MAP_X, 0, 8 }, { UNMAP, 3, 5 } },
	{ { MAP_X, 0, 8 }, { READ_ONLY, 3, 5 } },
	{ { MAP_X, 0, 8 }, { NONE, 2, 4 } },
	{ { MAP_X, 0, 4 } },
	{ { MAP_X, 4, 8 } },
	{ { MAP_X, 0, 2 }, { MAP_Y, 3, 5 }, { MAP_X, 6, 8 } },
	{ { MAP_X, 0, 8 }, { READ_ONLY, 4, 8 } },
	{ { MAP_X, 1, 3 }, { MAP_Y, 5, 7 } },
	{ { MAP_X, 0, 8 }, { NO_DUMP, 2, 6 } },
	{ { MAP_X, 0, 3 }, { MAP_Y, 3, 5 }, { MAP_X, 5, 8 } },
	{ { MAP_X, 0, 8 }, { UNMAP, 1, 2 }, { UNMAP, 6, 7 } },
	{ { MAP_X, 2, 6 } },
	{ { MAP_X, 0, 1 }, { MAP_Y, 2, 3 }, { MAP_X, 4, 6 }, { MAP_Y, 7, 8 } },
	{ { MAP_X, 0, 8 }, { READ_ONLY, 0, 2 }, { READ_ONLY, 6, 8 } },
};

/* Backings of X and Y. */
static const uint8_t made_of[][2] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 2, 0 }, { 2, 2 }, { 3, 3 }, { 3, 4 },
				      { 3, 6 }, { 4, 4 }, { 5, 5 }, { 4, 0 }, { 0, 3 }, { 5, 7 }, { 3, 8 } };

enum touch { TOUCH_NONE, TOUCH_FIRST, TOUCH_EARLY, TOUCH_ONE, TOUCH_LOAD, TOUCHES };
enum heap { HEAP_NONE, HEAP_TWO, HEAP_STORED, HEAPS };

bool scene_run(struct ref *r, const struct scene *scene, const struct stretch *stretch)
{
	struct answer answer;

	ref_reset(r, stretch);
	for (unsigned i = 0; i < scene->n; i++) {
		ref_run(r, &scene->call[i], 0, &answer);
		if (answer.result < 0 || (scene->call[i].kind == CALL_ACCESS && answer.result % (int64_t)PAGE != 8))
			return false;
	}
	return !r->history;
}

static bool add(struct scene *s, struct call c)
{
	if (s->n == SCENE_CALLS)
		return false;
	s->call[s->n++] = c;
	return true;
}

static struct call piece_call(const struct piece *p, const uint8_t made[2])
{
	struct call c = { .lo = CALL_HEAP + p->lo, .hi = CALL_HEAP + p->hi };

	switch (p->what) {
	case MAP_X: case MAP_Y:
		c.prot = backing[made[p->what - MAP_X]].prot;
		c.shared = backing[made[p->what - MAP_X]].shared;
		c.object = backing[made[p->what - MAP_X]].object;
		c.alias = backing[made[p->what - MAP_X]].alias;
		c.kind = CALL_MMAP_FIXED;
		break;
	case UNMAP: c.kind = CALL_MUNMAP; break;
	case NO_DUMP: c.kind = CALL_MADVISE; c.form = FORM_DONTDUMP; break;
	default:
		c.kind = CALL_MPROTECT;
		c.prot = p->what == READ_ONLY ? PROT_READ : PROT_NONE;
		break;
	}
	return c;
}

/* Stores to a whole piece, to one page of the last one, or loads of the first. */
static bool add_touch(struct scene *s, const struct piece *p, uint8_t form, unsigned lo, unsigned hi)
{
	return p->what == MAP_X &&
	       add(s, (struct call){ .kind = CALL_ACCESS, .form = form, .tag = 0x50,
				     .lo = (uint8_t)(CALL_HEAP + lo), .hi = (uint8_t)(CALL_HEAP + hi) });
}

static bool add_shape(struct scene *s, const struct piece *piece, const uint8_t made[2], enum touch touch)
{
	const struct piece *first = &piece[0];

	for (unsigned i = 0; i < SCENE_CALLS && piece[i].what != END; i++) {
		if (!add(s, piece_call(&piece[i], made)))
			return false;
		if (i == 0 && touch == TOUCH_EARLY && !add_touch(s, first, FORM_STORE, first->lo, first->hi))
			return false;
	}
	switch (touch) {
	case TOUCH_FIRST: return add_touch(s, first, FORM_STORE, first->lo, first->lo + 2u);
	case TOUCH_ONE: return add_touch(s, first, FORM_STORE, first->hi - 1u, first->hi);
	case TOUCH_LOAD: return add_touch(s, first, FORM_LOAD, first->lo, first->lo + 2u);
	default: return true;
	}
}

static bool add_heap(struct scene *s, enum heap heap)
{
	if (heap == HEAP_NONE)
		return true;
	return add(s, (struct call){ .kind = CALL_BRK, .form = FORM_GROW, .hi = heap == HEAP_TWO ? 2 : 3 }) &&
	       (heap == HEAP_TWO ||
		add(s, (struct call){ .kind = CALL_ACCESS, .form = FORM_STORE, .hi = 3, .tag = 0x50 }));
}

static uint64_t state_hash(const struct ref *r)
{
	uint64_t hash = ref_break(r);

	for (unsigned i = 0; i < CALL_PAGES; i++) {
		const struct model_page *p = &r->m.page[i];

		hash = ref_mix(hash, p->mapped);
		if (!p->mapped)
			continue;
		hash = ref_mix(hash, (uint64_t)p->prot | (uint64_t)p->shared << 8 | (uint64_t)p->touched << 16 |
					 (uint64_t)p->account << 24 | (uint64_t)p->copied << 32 |
					 (uint64_t)r->m.joined[i] << 40 | (uint64_t)p->advice << 48);
		hash = ref_mix(ref_mix(hash, p->object), p->off);
	}
	return hash;
}

static bool loaded(const struct scene *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->call[i].form == FORM_LOAD)
			return true;
	return false;
}

struct maker { struct scenes *out; struct ref ref; uint64_t *seen; size_t room; };

/* What was loaded only is present, which no state shows: told apart by hand. */
static int keep(struct maker *k, const struct scene *s)
{
	uint64_t hash;

	if (!scene_run(&k->ref, s, NULL))
		return 0;
	hash = ref_mix(state_hash(&k->ref), loaded(s));
	for (size_t i = 0; i < k->out->n; i++)
		if (k->seen[i] == hash)
			return 0;
	if (k->out->n == k->room) {
		size_t room = k->room ? k->room * 2 : 256;
		struct scene *more = realloc(k->out->scene, room * sizeof(*more));
		uint64_t *seen = more ? realloc(k->seen, room * sizeof(*seen)) : NULL;

		k->out->scene = more ? more : k->out->scene;
		if (!seen)
			return -ENOMEM;
		k->seen = seen;
		k->room = room;
	}
	k->seen[k->out->n] = hash;
	k->out->scene[k->out->n++] = *s;
	return 0;
}

static int make_heap(struct maker *k, enum heap heap)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(shape) / sizeof(*shape); i++)
		for (size_t made = 0; made < sizeof(made_of) / sizeof(*made_of); made++)
			for (enum touch touch = 0; touch < TOUCHES && !err; touch++) {
				struct scene s = { .n = 0 };

				if (add_shape(&s, shape[i], made_of[made], touch) && add_heap(&s, heap))
					err = keep(k, &s);
			}
	return err;
}

int scenes_make(struct scenes *out)
{
	struct maker k = { .out = out };
	int err = ref_open(&k.ref);

	*out = (struct scenes){ .n = 0 };
	if (!err)
		err = make_heap(&k, HEAP_NONE);
	out->heaps = out->n;
	for (enum heap heap = HEAP_NONE + 1; heap < HEAPS && !err; heap++)
		err = make_heap(&k, heap);
	out->heaps = out->n - out->heaps;
	ref_close(&k.ref);
	free(k.seen);
	if (err)
		scenes_free(out);
	return err;
}

void scenes_free(struct scenes *s)
{
	free(s->scene);
	*s = (struct scenes){ .n = 0 };
}
