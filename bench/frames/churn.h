/* SPDX-License-Identifier: MIT */
/*
 * churn.h - what a thread does with frames in one step of a loop; compiled into each source with its calls inlined.
 *
 * CHECKED   each frame that is taken is stamped with its thread, and must not be stamped: no frame is out twice. Who
 *           gives it back takes the stamp off, and it must be the one that it expects. A stamp is a byte.
 * RING      of SOURCE_HAND_OVER, from thread 0 to one of the others: `full` is how many were put there, `empty` how
 *           many were taken off. H1 the release store of either -> H2 the acquire load by the other side: the frames'
 *           numbers, and the places. A side that finds none looks again until the block is over.
 */
#ifndef BENCH_FRAMES_CHURN_H
#define BENCH_FRAMES_CHURN_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "bench/frames/source.h"

#define CHURN_PAIRS  256u                        /* of a step                                                       */
#define CHURN_PIECE  64u                         /* frames that are handed over together                            */
#define CHURN_RING   4096u

struct churn_ring {
	PAIR_ALIGNED atomic_u64 full;
	PAIR_ALIGNED atomic_u64 empty;
	PAIR_ALIGNED uint32_t frame[CHURN_RING];
};

/* Of one thread. */
struct churn {
	void *source;
	unsigned thread, threads;
	atomic_u8 *stamp;                        /* [frames]                                                        */
	uint32_t *held;                          /* [burst] frames that it has                                      */
	const uint32_t *shuffled;                /* [burst] a random order of them                                  */
	uint32_t burst;
	struct churn_ring *ring;                 /* [threads]: of thread i                                          */
	atomic_u32 *over;                        /* the block has ended                                             */
	uint64_t ops;                            /* frames given back, or handed over                               */
} PAIR_ALIGNED;

/* mine: what the source keeps for the calling thread. */
typedef uint64_t churn_take(void *source, void *mine);
typedef void churn_give(void *source, void *mine, uint64_t frame);

static ALWAYS_INLINE uint64_t churn_one(struct churn *c, void *mine, churn_take *take)
{
	uint64_t frame = take(c->source, mine);

	CHECK(frame != SOURCE_NONE);
	CHECK(atomic_load_relaxed(&c->stamp[frame]) == 0);
	atomic_store_relaxed(&c->stamp[frame], (uint8_t)(c->thread + 1));
	return frame;
}

static ALWAYS_INLINE void churn_back(struct churn *c, void *mine, churn_give *give, uint64_t frame, unsigned from)
{
	CHECK(atomic_load_relaxed(&c->stamp[frame]) == from + 1);
	atomic_store_relaxed(&c->stamp[frame], 0);
	give(c->source, mine, frame);
}

static ALWAYS_INLINE void churn_pair(struct churn *c, void *mine, churn_take *take, churn_give *give)
{
	for (unsigned i = 0; i < CHURN_PAIRS; i++)
		churn_back(c, mine, give, churn_one(c, mine, take), c->thread);
	c->ops += CHURN_PAIRS;
}

static ALWAYS_INLINE void churn_bulk(struct churn *c, void *mine, churn_take *take, churn_give *give)
{
	for (uint32_t i = 0; i < c->burst; i++)
		c->held[i] = (uint32_t)churn_one(c, mine, take);
	for (uint32_t i = 0; i < c->burst; i++)
		churn_back(c, mine, give, c->held[i], c->thread);
	c->ops += c->burst;
}

static ALWAYS_INLINE void churn_random(struct churn *c, void *mine, churn_take *take, churn_give *give)
{
	for (uint32_t i = 0; i < c->burst; i++)
		c->held[i] = (uint32_t)churn_one(c, mine, take);
	for (uint32_t i = 0; i < c->burst; i++)
		churn_back(c, mine, give, c->held[c->shuffled[i]], c->thread);
	c->ops += c->burst;
}

/* True: there is a piece to put (room), or to take off. */
static inline bool churn_wait(const struct churn *c, atomic_u64 *other, uint64_t until)
{
	while (atomic_load_acquire(other) < until) {                             /* H2 -> H1 */
		if (atomic_load_relaxed(c->over) != 0)
			return false;
		atomic_pause();
	}
	return true;
}

static ALWAYS_INLINE void churn_put(struct churn *c, void *mine, struct churn_ring *ring, churn_take *take)
{
	uint64_t at = atomic_load_relaxed(&ring->full);

	if (at >= CHURN_RING && !churn_wait(c, &ring->empty, at - CHURN_RING + CHURN_PIECE))
		return;
	for (unsigned i = 0; i < CHURN_PIECE; i++)
		ring->frame[(at + i) % CHURN_RING] = (uint32_t)churn_one(c, mine, take);
	atomic_store_release(&ring->full, at + CHURN_PIECE);                     /* H1 -> H2 */
	c->ops += CHURN_PIECE;
}

static ALWAYS_INLINE void churn_take_off(struct churn *c, void *mine, struct churn_ring *ring, churn_give *give)
{
	uint64_t at = atomic_load_relaxed(&ring->empty);

	if (!churn_wait(c, &ring->full, at + CHURN_PIECE))
		return;
	for (unsigned i = 0; i < CHURN_PIECE; i++)
		churn_back(c, mine, give, ring->frame[(at + i) % CHURN_RING], 0);
	atomic_store_release(&ring->empty, at + CHURN_PIECE);                    /* H1 -> H2 */
	c->ops += CHURN_PIECE;
}

/* One piece to, or from, each ring. */
static ALWAYS_INLINE void churn_hand_over(struct churn *c, void *mine, churn_take *take, churn_give *give)
{
	if (c->thread != 0) {
		churn_take_off(c, mine, &c->ring[c->thread], give);
		return;
	}
	for (unsigned i = 1; i < c->threads; i++)
		churn_put(c, mine, &c->ring[i], take);
}

#endif
