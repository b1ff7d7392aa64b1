/* SPDX-License-Identifier: MIT */
/* written.c - see written.h. */
#include "bench/frames/written.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/count.h"
#include "base/prng.h"
#include "vmmap/phys/frame.h"

#define FRAMES  (UINT64_C(1) << 18)
#define PAIRS   1000u
#define SHELVES 16320u
#define FEW     32768u
#define MANY    65536u

const char *const written_name[WRITTEN_LOADS] = { "cache", "shelves", "fresh", "depot", "overflow", "random" };

struct log {
	struct physmem *pm;
	struct thread_slot *self;
	uintptr_t stack_lo, stack_hi;
	struct written *out;
};

static bool within(uintptr_t at, const void *from, size_t bytes)
{
	return from != NULL && at >= (uintptr_t)from && at < (uintptr_t)from + bytes;
}

static bool of_frame(const struct physmem *pm, uintptr_t at)
{
	return within(at, pm->word, pm->span * sizeof(*pm->word)) ||
	       within(at, pm->batch_of, pm->span * sizeof(*pm->batch_of)) ||
	       within(at, pm->record, pm->span * sizeof(*pm->record));
}

static bool of_plane(const struct physseg_plane *plane, uintptr_t at)
{
	return within(at, plane->flat, plane->units * plane->unit);
}

static bool own(const struct log *l, uintptr_t at)
{
	return (at >= l->stack_lo && at < l->stack_hi) || within(at, l->self, sizeof(*l->self)) ||
	       within(at, thread_local_at(&l->pm->slots, l->self->number), sizeof(struct frame_slot));
}

static void note(const volatile void *where, void *arg)
{
	struct log *l = arg;
	struct physmem *pm = l->pm;
	uintptr_t at = (uintptr_t)where;

	if (own(l, at) || of_frame(pm, at))
		return;
	if (within(at, pm->depot, sizeof(pm->depot)) || at == (uintptr_t)&pm->late_stack.head)
		l->out->depot++;
	else if (of_plane(&pm->bits.block, at) || of_plane(&pm->bits.hint, at))
		l->out->blocks++;
	else if (of_plane(&pm->bits.row, at))
		l->out->rows++;
	else
		l->out->other++;
}

/* ---- loads ---- */

static void take(struct physmem *pm, struct thread_slot *self, uint64_t *pfn, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		pfn[i] = frame_take(pm, self, FRAME_OWNER_MAP);
		CHECK(pfn[i] != PHYSMEM_NONE);
	}
}

static void give(struct physmem *pm, struct thread_slot *self, const uint64_t *pfn, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		frame_give(pm, self, pfn[i], FRAME_OWNER_MAP);
}

static void shuffle(uint64_t *pfn, uint32_t n)
{
	struct prng random = prng_seed(n, 3);

	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(&random, i);
		uint64_t swapped = pfn[i - 1];

		pfn[i - 1] = pfn[j];
		pfn[j] = swapped;
	}
}

/* Twice before it is counted; but what nobody has had is there once: a batch of it, that the slot be there. */
static void load(struct log *l, enum written_load which, uint64_t *pfn)
{
	static const uint32_t burst[WRITTEN_LOADS] = { 1, SHELVES, MANY, FEW, MANY, MANY };
	uint32_t n = burst[which], times = which == WRITTEN_CACHE ? PAIRS : 1;

	for (unsigned i = 0; which != WRITTEN_FRESH && i < 2; i++) {
		take(l->pm, l->self, pfn, n);
		give(l->pm, l->self, pfn, n);
	}
	if (which == WRITTEN_FRESH)
		take(l->pm, l->self, pfn + MANY, FRAME_BATCH);
	*l->out = (struct written){ .calls = UINT64_C(2) * n * times };
	for (uint32_t i = 0; i < times; i++) {
		atomic_count_start(note, l);
		take(l->pm, l->self, pfn, n);
		atomic_count_stop();
		if (which == WRITTEN_RANDOM)
			shuffle(pfn, n);
		if (which == WRITTEN_FRESH) {
			l->out->calls = n;
			break;
		}
		atomic_count_start(note, l);
		give(l->pm, l->self, pfn, n);
		atomic_count_stop();
	}
	if (which == WRITTEN_FRESH)
		give(l->pm, l->self, pfn, MANY + FRAME_BATCH);
}

static void find_stack(struct log *l)
{
	pthread_attr_t attr;
	void *stack = NULL;
	size_t bytes = 0;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &stack, &bytes);
		pthread_attr_destroy(&attr);
	}
	l->stack_lo = (uintptr_t)stack;
	l->stack_hi = (uintptr_t)stack + bytes;
}

int written_count(enum written_load which, struct written *out)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	uint64_t *pfn = malloc((MANY + FRAME_BATCH) * sizeof(*pfn));
	struct log l = { .self = thread_self(), .out = out };
	int err;

	config.pages = FRAMES;
	err = !atomic_count_available() ? -ENOSYS : !pfn ? -ENOMEM : physmem_create(&l.pm, &config);
	if (!err) {
		find_stack(&l);
		load(&l, which, pfn);
		physmem_destroy(l.pm);
	}
	free(pfn);
	return err;
}
