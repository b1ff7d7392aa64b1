/* SPDX-License-Identifier: MIT */
/*
 * frame_balloon.c - runs of movable frames are taken, and the host told; it is told again before they are free.
 *
 * LOCK       one for the balloon, held while the host is told: so who gets it finds each frame of the balloon in its
 *            books or free, and none on its way. Nobody has it who holds another lock of the machine.
 * HOST       has a run's memory between the call of inflate and that of deflate. The machine uses it before the one
 *            and after the other: taken, inflate, in the books; out of them, deflate, given.
 * PRESSURE   who is short of memory counts itself in `pressed`, and then takes the lock: the call that is going on has
 *            ended, and what it took is in the books. Who wants to take looks at `pressed` under the lock, each time,
 *            so until press_ends what was given back stays to be had. One inflating call more may slip in before the
 *            lock is had; what it took is given back with the rest.
 *            Hence an allocation that fails after a press that gave nothing back fails for want of memory.
 *            P1 what was allocated under it, then press_ends -> P2 the look that finds nobody, then what is taken.
 * LIFE       each config begins another one (frame_balloon_change). A call that takes goes on for the life in which it
 *            took first, and ends with that: what it knows of the runs that are left is of the config that there was.
 * PLACES     an unplug wants blocks that the balloon has frames in (leave): takes refuse offline blocks, so what is
 *            taken in their place lies elsewhere. Where nothing is, or no more than `low`, the balloon is smaller
 *            then: it is never the reason why an unplug fails.
 * ORDER      lock, then the host's functions. Sleeps where they do.
 * PROGRESS   who presses, leaves, deflates waits for one call of the host, and for others of its kind.
 * SOURCE     Waldspurger, OSDI 2002; virtio-balloon with deflate-on-oom and balloon compaction (Linux). Verdicts for
 *            each run: where NetBSD's balloon(4) panics if the host takes fewer than it was told.
 */
#include "vmmap/phys/frame_balloon.h"

#include <errno.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/point.h"

static uint64_t frames_of(const struct frame_ballooned *run) { return UINT64_C(1) << run->order; }

/* ---- books: under the lock ---- */

static void enter(struct frame_balloon *b, const struct frame_ballooned *run)
{
	CHECK(b->n < b->capacity);
	b->run[b->n++] = run->index << 4 | run->order;
	(void)atomic_add_relaxed(&b->frames, frames_of(run));
}

static struct frame_ballooned strike_out(struct frame_balloon *b, uint64_t i)
{
	struct frame_ballooned run = { .index = b->run[i] >> 4, .order = (unsigned)(b->run[i] & 15) };

	b->run[i] = b->run[--b->n];
	(void)atomic_add_relaxed(&b->frames, -frames_of(&run));
	return run;
}

/* ---- the host is told ---- */

static void give(struct frame_balloon *b, const struct frame_ballooned *run)
{
	CHECK(frame_bits_give(b->bits, run->index, run->order) == 0);
}

/* Returns how many frames it has taken; what it refuses is free again. */
static uint64_t host_takes(struct frame_balloon *b, unsigned n)
{
	uint64_t frames = 0;

	if (n != 0)
		b->config.inflate(b->config.arg, b->told, n);
	for (unsigned i = 0; i < n; i++) {
		const struct frame_ballooned *run = &b->told[i];

		if (run->refused) {
			give(b, run);
			continue;
		}
		enter(b, run);
		frames += frames_of(run);
	}
	return frames;
}

static void host_gives(struct frame_balloon *b, unsigned n)
{
	bool first = BASE_MUTANT(frame_balloon_gives_first);

	for (unsigned i = 0; first && i < n; i++)
		give(b, &b->told[i]);
	BASE_POINT(frame_balloon_before_deflate);
	if (n != 0)
		b->config.deflate(b->config.arg, b->told, n);
	for (unsigned i = 0; !first && i < n; i++)
		give(b, &b->told[i]);
}

/* ---- inflate ---- */

/* A run of at most `want` frames, of order *order or the largest below it that there is. */
static bool take_run(struct frame_balloon *b, uint64_t want, unsigned *order, struct frame_ballooned *run)
{
	for (;; --*order) {
		*run = (struct frame_ballooned){ .order = *order };
		if (frames_of(run) <= want &&
		    frame_bits_take(b->bits, &b->search, *order, FRAME_CLASS_MOVABLE, &run->index) == 0)
			return true;
		if (*order <= b->config.order)
			return false;
	}
}

/* Up to `want` frames, in up to `most` runs. */
static unsigned take_runs(struct frame_balloon *b, uint64_t want, unsigned *order)
{
	unsigned n = 0;

	while (n < b->config.most && want != 0 && take_run(b, want, order, &b->told[n]))
		want -= frames_of(&b->told[n++]);
	return n;
}

/* How many of n may be taken: beside `low`, and only if nobody is short of memory. */
static uint64_t room(struct frame_balloon *b, uint64_t n)
{
	uint64_t free;

	if (atomic_load_acquire(&b->pressed) != 0 && !BASE_MUTANT(frame_balloon_inflates_on))    /* P2 -> P1 */
		return 0;
	free = frame_bits_free(b->bits, b->config.low + n, &b->rich);
	return free > b->config.low ? free - b->config.low : 0;
}

struct inflating {
	unsigned order;                  /* what larger runs there were it has                                     */
	uint64_t life;                   /* 0: it has not begun                                                    */
};

/* One call of the host. */
static uint64_t inflate_once(struct frame_balloon *b, uint64_t n, unsigned *order)
{
	uint64_t most = (uint64_t)b->config.most << FRAME_BLOCK_ORDER;

	return host_takes(b, take_runs(b, room(b, n < most ? n : most), order));
}

/* 0: no more. */
static uint64_t inflate_some(struct frame_balloon *b, uint64_t n, struct inflating *i)
{
	uint64_t got = 0;

	park_lock(&b->lock);
	if (i->life == 0)
		i->life = b->life;
	if (i->life == b->life || BASE_MUTANT(frame_balloon_lives_on))
		got = inflate_once(b, n, &i->order);
	park_unlock(&b->lock);
	return got;
}

uint64_t frame_balloon_inflate(struct frame_balloon *b, uint64_t n)
{
	struct inflating i = { FRAME_BLOCK_ORDER, 0 };
	uint64_t done = 0, got;

	do {
		got = done < n ? inflate_some(b, n - done, &i) : 0;
		done += got;
		BASE_POINT(frame_balloon_inflating);
	} while (got != 0);
	return done;
}

/* ---- deflate ---- */

static uint64_t deflate_some(struct frame_balloon *b, uint64_t n)
{
	uint64_t done = 0;
	unsigned runs = 0;

	while (done < n && runs < b->config.most && b->n != 0) {
		b->told[runs] = strike_out(b, b->n - 1);
		done += frames_of(&b->told[runs++]);
	}
	host_gives(b, runs);
	return done;
}

uint64_t frame_balloon_deflate(struct frame_balloon *b, uint64_t n)
{
	uint64_t done = 0, got;

	park_lock(&b->lock);
	do {
		got = done < n ? deflate_some(b, n - done) : 0;
		done += got;
	} while (got != 0);
	park_unlock(&b->lock);
	return done;
}

uint64_t frame_balloon_press(struct frame_balloon *b, uint64_t n)
{
	(void)atomic_add_relaxed(&b->pressed, 1);
	return frame_balloon_deflate(b, n);
}

void frame_balloon_press_ends(struct frame_balloon *b)
{
	(void)atomic_sub_release(&b->pressed, 1);                                /* P1 */
}

/* ---- blocks that somebody wants to have empty ---- */

/* Its place is another one's now, or nobody's. */
static void move_run(struct frame_balloon *b, uint64_t i)
{
	struct frame_ballooned old = strike_out(b, i);
	unsigned order = old.order;

	if (room(b, frames_of(&old)) >= frames_of(&old) && take_run(b, frames_of(&old), &order, &b->told[0]))
		(void)host_takes(b, 1);
	b->told[0] = old;
	host_gives(b, 1);
}

uint64_t frame_balloon_leave(struct frame_balloon *b, uint64_t lo, uint64_t hi)
{
	uint64_t frames = 0;

	park_lock(&b->lock);
	for (uint64_t i = b->n; i-- > 0;) {
		uint64_t index = b->run[i] >> 4, n = UINT64_C(1) << (b->run[i] & 15);

		if (index + n <= lo || index >= hi)
			continue;
		frames += n;
		move_run(b, i);
	}
	park_unlock(&b->lock);
	return frames;
}

/* ---- life ---- */

static bool is_config(const struct frame_balloon_config *c)
{
	return c->inflate != NULL && c->deflate != NULL && c->most != 0 && c->order <= FRAME_BLOCK_ORDER;
}

int frame_balloon_init(struct frame_balloon *b, struct frame_bits *bits, const struct frame_balloon_config *c)
{
	if (!is_config(c))
		return -EINVAL;
	*b = (struct frame_balloon){ .bits = bits, .config = *c, .capacity = bits->frames >> c->order,
				     .told_most = c->most, .life = 1 };
	b->search.end = bits->frames >> FRAME_BLOCK_ORDER;
	b->run = mem_reserve(MEM_FRAME, b->capacity * sizeof(*b->run));
	b->told = mem_alloc(MEM_FRAME, c->most * sizeof(*b->told), CACHE_LINE);
	if (b->run != NULL && b->told != NULL)
		return 0;
	frame_balloon_fini(b);
	return -ENOMEM;
}

void frame_balloon_fini(struct frame_balloon *b)
{
	if (b->n != 0)
		(void)frame_balloon_deflate(b, UINT64_MAX);
	mem_free(MEM_FRAME, b->told, b->told_most * sizeof(*b->told));
	mem_unreserve(MEM_FRAME, b->run, b->capacity * sizeof(*b->run));
}

int frame_balloon_change(struct frame_balloon *b, const struct frame_balloon_config *c)
{
	int err = 0;

	if (!is_config(c) || c->most > b->told_most || b->bits->frames >> c->order > b->capacity)
		return -EINVAL;
	park_lock(&b->lock);
	if (b->n != 0) {
		err = -EBUSY;
	} else {
		b->config = *c;
		b->life++;
	}
	park_unlock(&b->lock);
	return err;
}
