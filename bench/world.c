/* SPDX-License-Identifier: MIT */
/* world.c - see world.h. */
#include "bench/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/prng.h"
#include "bench/noise.h"
#include "vmmap/vma/vtree.h"

#define BASE    (UINT64_C(1) << 40)
#define STRIDE  (16 * PAGE_BYTES)
#define LENGTH  (4 * PAGE_BYTES)
#define CHUNK   256                              /* lookups between two looks at the clock                         */

struct world {
	uint64_t vmas;
	uint64_t *starts;                        /* vmas + 1: the last one is a sentinel                           */
	struct vtree tree;
	struct vma_pool pool;
};

struct tally { uint64_t ops, ns, switches; } PAIR_ALIGNED;

struct job {
	const struct world_arm *arm;
	uint64_t seed;
	struct tally tally[64];
};

static uint64_t start_of(uint64_t i)
{
	return BASE + i * STRIDE + (i * UINT64_C(0x9e3779b97f4a7c15) >> 61) * PAGE_BYTES;
}

static uint64_t random_index(const struct world *w, struct prng *rng)
{
	return prng_below(rng, w->vmas);
}

/* ---- the array ---- */

/* 0 for the element at or below the key whose successor is above it. */
static int covers(const void *key, const void *element)
{
	uint64_t addr = *(const uint64_t *)key;
	const uint64_t *start = element;

	return addr < start[0] ? -1 : addr >= start[1];
}

typedef void *bsearch_fn(const void *, const void *, size_t, size_t, int (*)(const void *, const void *));

/* libc's own code: through a pointer the compiler cannot see through, or it would inline a loop of its own making. */
static bsearch_fn *libc_bsearch(void)
{
	bsearch_fn *fn = bsearch;

	__asm__("" : "+r"(fn));
	return fn;
}

static const void *array_find(const struct world *w, bsearch_fn *search, uint64_t addr)
{
	return search(&addr, w->starts, w->vmas, sizeof(uint64_t), covers);
}

/* ---- the tree ---- */

/* A VMA that lies across a leaf's border has a slot on each side. */
static int tree_insert(struct world *w, struct thread_slot *self, uint64_t i, struct vma *vma)
{
	const uint64_t end = start_of(i) + LENGTH;

	for (uint64_t at = start_of(i); at < end;) {
		struct vtree_section s;
		uint64_t to;
		int err = vtree_enter_room(&w->tree, self, at, 1, &s);

		if (err)
			return err;
		to = end < s.r.hi ? end : s.r.hi;
		vtree_add(&s, at, to, vma);
		vtree_leave(&s);
		at = to;
	}
	return 0;
}

static struct vma *tree_erase(struct world *w, struct thread_slot *self, uint64_t i)
{
	struct vma *vma = NULL;

	for (uint64_t at = start_of(i); at < start_of(i) + LENGTH;) {
		struct vtree_section s;
		int slot;

		vtree_enter(&w->tree, self, at, &s);
		slot = vtree_slot_over(&s, at);
		CHECK(slot >= 0);
		vma = vtree_slot_at(&s, (unsigned)slot).vma;
		at = vtree_slot_at(&s, (unsigned)slot).r.hi;
		vtree_drop(&s, (unsigned)slot);
		vtree_leave(&s);
	}
	return vma;
}

static int fill_tree(struct world *w, uint64_t seed)
{
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(seed, 3);
	uint32_t *order = malloc(w->vmas * sizeof(*order));
	int err = order ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < w->vmas && !err; i++) {
		uint64_t j = prng_below(&rng, i + 1);

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	for (uint64_t i = 0; i < w->vmas && !err; i++) {
		struct vma *vma;

		err = vma_reserve(&w->pool, self, 1);
		if (err)
			break;
		vma = vma_take(&w->pool, self);
		vma->delta = (int64_t)order[i];
		err = tree_insert(w, self, order[i], vma);
	}
	free(order);
	return err;
}

int world_create(struct world **out, uint64_t vmas, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	int err = w ? 0 : -ENOMEM;

	CHECK(vmas >= 1 && vmas <= 4000000);
	if (err)
		return err;
	w->vmas = vmas;
	err = vma_pool_init(&w->pool, 0);
	if (!err) {
		err = vtree_init(&w->tree);
		if (err)
			vma_pool_fini(&w->pool);
	}
	if (err) {
		free(w);
		return err;
	}
	w->starts = malloc((vmas + 1) * sizeof(*w->starts));
	err = w->starts ? fill_tree(w, seed) : -ENOMEM;
	if (err) {
		world_destroy(w);
		return err;
	}
	for (uint64_t i = 0; i <= vmas; i++)
		w->starts[i] = start_of(i);
	*out = w;
	return 0;
}

void world_destroy(struct world *w)
{
	rcu_drain();
	vtree_fini(&w->tree);
	vma_pool_fini(&w->pool);
	free(w->starts);
	free(w);
}

/* ---- blocks ---- */

/* The bit that makes the next address depend on what was found: 0 for every pointer of user space. */
static uint64_t tie(const void *found, int dependent)
{
	return dependent ? (uint64_t)(uintptr_t)found >> 63 : 0;
}

static void search_chunk(const struct world_arm *arm, bsearch_fn *search, struct prng *rng)
{
	const struct world *w = arm->world;
	struct thread_slot *self = thread_self();
	const int dependent = arm->dependent;
	uint64_t missed = 0;

	if (arm->kind == WORLD_ARRAY) {
		for (unsigned n = 0; n < CHUNK; n++) {
			const void *found = array_find(w, search, start_of(random_index(w, rng)) + PAGE_BYTES);

			rng->state += tie(found, dependent);
			missed += !found;
		}
	} else {
		for (unsigned n = 0; n < CHUNK; n++) {
			const void *found;

			rcu_enter(self);
			found = vtree_lookup(&w->tree, start_of(random_index(w, rng)) + PAGE_BYTES);
			rcu_leave(self);
			rng->state += tie(found, dependent);
			missed += !found;
		}
	}
	CHECK(missed == 0);
}

static void edit_chunk(const struct world_arm *arm, struct prng *rng)
{
	struct world *w = arm->world;
	struct thread_slot *self = thread_self();

	for (unsigned n = 0; n < CHUNK; n += 2) {
		uint64_t i = random_index(w, rng);
		struct vma *vma = tree_erase(w, self, i);

		CHECK(vma->delta == (int64_t)i);
		CHECK(tree_insert(w, self, i, vma) == 0);
	}
}

static void one_thread(void *ctx, unsigned index)
{
	struct job *job = ctx;
	const struct world_arm *arm = job->arm;
	struct prng rng = prng_seed(job->seed, index);
	bsearch_fn *search = libc_bsearch();
	uint64_t switches = noise_switches(), length = (uint64_t)(arm->ms * 1e6), begin = 0, ops = 0, now;
	uint64_t warm_until = clock_ns() + length / 8;

	do {
		if (arm->kind == WORLD_EDIT)
			edit_chunk(arm, &rng);
		else
			search_chunk(arm, search, &rng);
		now = clock_ns();
		if (begin)
			ops += CHUNK;
		else if (now >= warm_until)
			begin = now;
	} while (!begin || now < begin + length);
	job->tally[index] = (struct tally){ ops, now - begin, noise_switches() - switches };
}

/* Both ways must find VMA i for each of its pages. */
static bool sound(struct world *w, uint64_t seed)
{
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(seed, 99);
	bool fine = true;

	for (unsigned n = 0; n < 1000 && fine; n++) {
		uint64_t i = random_index(w, &rng), addr = start_of(i) + prng_below(&rng, LENGTH);
		const struct vma *vma;

		rcu_enter(self);
		vma = vtree_lookup(&w->tree, addr);
		fine = vma && vma->delta == (int64_t)i && array_find(w, bsearch, addr) == &w->starts[i];
		rcu_leave(self);
	}
	return fine;
}

int world_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	static struct job job;
	const struct world_arm *arm = ctx;

	memset(out, 0, sizeof(*out));
	out->proven = sound(arm->world, seed);
	job.arm = arm;
	job.seed = seed;
	gang_run(arm->gang, arm->threads, one_thread, &job);
	for (unsigned i = 0; i < arm->threads; i++) {
		out->rate += (double)job.tally[i].ops * 1e9 / (double)job.tally[i].ns;
		out->ops += job.tally[i].ops;
		out->switches += job.tally[i].switches;
	}
	out->proven = out->proven && sound(arm->world, seed + 1);
	return 0;
}
