/* SPDX-License-Identifier: MIT */
/*
 * physmem_balloon.c - the balloon of an instance: whose its frames are, when it is there.
 *
 * FRAMES     of the balloon are OWNED by FRAME_OWNER_BALLOON in the word of the first of each run, as other runs are
 *            (frame_run.c). The words are written by who has the balloon's lock: after the bits gave the run, before
 *            the host takes it; when the host has let go of it, before the bits get it back. A run between its bits and
 *            its word is on its way, as chains are. `taken` counts it among those that are not free.
 * LIFE       made by the first start, then there until the instance goes: who presses beside a stop and a start finds
 *            memory that is there. Start and stop have `host_lock`.
 * OFF        is a press that does not end (frame_balloon.c): nothing is taken, and what was there has been given back.
 * CACHES     who inflates takes from rows; when these have too little, what is free in depot and shelves goes there
 *            first (frame_gather.c), once.
 * EDGES      M1 store-release of pm->balloon, made -> M2 its acquire. Those of frame_balloon.c.
 * ORDER      host_lock, the balloon's lock, then the host's functions.
 */
#include "vmmap/phys/physmem_balloon.h"

#include <errno.h>

#include "base/mem.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/frame_gather.h"
#include "vmmap/physmem_host.h"

struct physmem_balloon {
	struct frame_balloon balloon;
	struct physmem *pm;              /*                                                                [const] */
	struct physmem_balloon_config host;      /* written while it is off                                        */
	struct physmem_told *told;       /* [PHYSMEM_TOLD_MOST], under the balloon's lock                          */
	bool on;                         /* under host_lock                                                        */
};

static struct physmem_balloon *of(struct physmem *pm) { return atomic_load_acquire(&pm->balloon); }      /* M2 -> M1 */

struct frame_balloon *physmem_balloon_of(struct physmem *pm)
{
	struct physmem_balloon *b = of(pm);

	return b != NULL ? &b->balloon : NULL;
}

uint64_t physmem_balloon_leave(struct physmem *pm, uint64_t lo, uint64_t hi)
{
	struct physmem_balloon *b = of(pm);

	return b != NULL ? frame_balloon_leave(&b->balloon, lo, hi) : 0;
}

/* ---- what the host sees: with the balloon's lock ---- */

static void own(struct physmem *pm, const struct frame_ballooned *run)
{
	atomic_u64 *word = &pm->word[run->index];

	atomic_store_relaxed(word, frame_word_taken(atomic_load_relaxed(word), FRAME_OWNER_BALLOON, run->order));
	frame_taken_count(pm, NULL, UINT64_C(1) << run->order);
}

static void disown(struct physmem *pm, const struct frame_ballooned *run)
{
	atomic_u64 *word = &pm->word[run->index];

	CHECK((uint32_t)atomic_load_relaxed(word) == frame_owned(FRAME_OWNER_BALLOON, run->order));
	atomic_store_relaxed(word, frame_word(atomic_load_relaxed(word), FRAME_FREE, 0));
	frame_taken_count(pm, NULL, -(UINT64_C(1) << run->order));
}

static void list(struct physmem_balloon *b, const struct frame_ballooned *run, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		b->told[i] = (struct physmem_told){ b->pm->base + run[i].index, run[i].order, PHYSMEM_LATER };
}

static void inflate(void *arg, struct frame_ballooned *run, unsigned n)
{
	struct physmem_balloon *b = arg;

	list(b, run, n);
	for (unsigned i = 0; i < n; i++)
		own(b->pm, &run[i]);
	b->host.inflate(b->host.arg, b->told, n);
	for (unsigned i = 0; i < n; i++) {
		run[i].refused = b->told[i].verdict != PHYSMEM_ACCEPTED;
		if (run[i].refused)
			disown(b->pm, &run[i]);
	}
}

static void deflate(void *arg, const struct frame_ballooned *run, unsigned n)
{
	struct physmem_balloon *b = arg;

	list(b, run, n);
	b->host.deflate(b->host.arg, b->told, n);
	for (unsigned i = 0; i < n; i++)
		disown(b->pm, &run[i]);
}

/* ---- life ---- */

static void balloon_free(struct physmem_balloon *b)
{
	mem_free(MEM_FRAME, b->told, PHYSMEM_TOLD_MOST * sizeof(*b->told));
	mem_free(MEM_FRAME, b, sizeof(*b));
}

/* One that is off. With host_lock. */
static struct physmem_balloon *make(struct physmem *pm)
{
	struct frame_balloon_config most = { .inflate = inflate, .deflate = deflate, .most = PHYSMEM_TOLD_MOST };
	struct physmem_balloon *b = of(pm);

	if (b != NULL)
		return b;
	b = mem_alloc(MEM_FRAME, sizeof(*b), CACHE_PAIR);
	if (b == NULL)
		return NULL;
	b->pm = pm;
	b->told = mem_alloc(MEM_FRAME, PHYSMEM_TOLD_MOST * sizeof(*b->told), CACHE_LINE);
	if (b->told == NULL || frame_balloon_init(&b->balloon, &pm->bits, &most) != 0) {
		balloon_free(b);
		return NULL;
	}
	(void)frame_balloon_press(&b->balloon, UINT64_MAX);
	atomic_store_release(&pm->balloon, b);                                   /* M1 */
	return b;
}

void physmem_balloon_fini(struct physmem *pm)
{
	struct physmem_balloon *b = of(pm);

	if (b == NULL)
		return;
	frame_balloon_fini(&b->balloon);
	balloon_free(b);
}

/* With host_lock. */
static int start(struct physmem_balloon *b, const struct physmem_balloon_config *c)
{
	struct frame_balloon_config config = {
		.inflate = inflate, .deflate = deflate, .arg = b, .order = c->order, .most = c->most, .low = c->low,
	};
	int err = b->on ? -EBUSY : frame_balloon_change(&b->balloon, &config);

	if (err != 0)
		return err;
	b->host = *c;
	b->on = true;
	frame_balloon_press_ends(&b->balloon);
	return 0;
}

API int physmem_balloon_start(struct physmem *pm, const struct physmem_balloon_config *c)
{
	struct physmem_balloon *b;
	int err = -ENOMEM;

	if (c == NULL || c->size != sizeof(*c) || c->inflate == NULL || c->deflate == NULL)
		return -EINVAL;
	park_lock(&pm->host_lock);
	b = make(pm);
	if (b != NULL)
		err = start(b, c);
	park_unlock(&pm->host_lock);
	return err;
}

API void physmem_balloon_stop(struct physmem *pm)
{
	struct physmem_balloon *b;

	park_lock(&pm->host_lock);
	b = of(pm);
	if (b != NULL && b->on) {
		b->on = false;
		(void)frame_balloon_press(&b->balloon, UINT64_MAX);
	}
	park_unlock(&pm->host_lock);
}

/* ---- size ---- */

API uint64_t physmem_balloon_inflate(struct physmem *pm, uint64_t n)
{
	struct thread_slot *self = thread_self();
	struct physmem_balloon *b = of(pm);
	struct frame_slot *slot;
	uint64_t done;

	if (b == NULL)
		return 0;
	done = frame_balloon_inflate(&b->balloon, n);
	slot = done < n ? thread_local_mine(&pm->slots, self) : NULL;
	if (slot == NULL)
		return done;
	frame_gather(pm, self, slot);
	return done + frame_balloon_inflate(&b->balloon, n - done);
}

API uint64_t physmem_balloon_deflate(struct physmem *pm, uint64_t n)
{
	struct physmem_balloon *b = of(pm);

	return b != NULL ? frame_balloon_deflate(&b->balloon, n) : 0;
}

API uint64_t physmem_balloon_size(struct physmem *pm)
{
	struct physmem_balloon *b = of(pm);

	return b != NULL ? atomic_load_relaxed(&b->balloon.frames) : 0;
}
