/* SPDX-License-Identifier: MIT */
/*
 * hotplug.c - threads that map, fill, read and drop memory of five segments, while one thread takes away and puts back
 * four of these, in turns, used as they are.
 *
 * WORKERS   each has chunks of pages in a region of its own, and keeps most of them mapped. A page's words say which
 *           page it is, and of which filling; all of them are looked at before the chunk goes, so every page that was
 *           moved is looked at after that. Of so many per cent of the pages (`pinned`) the frame is pinned as long as
 *           they are mapped: it must stay the page's, and have its words when the page is gone.
 * SEGMENTS  the four take only what can be moved; with pins the first two do, since pages leave such a segment before
 *           they are pinned: none of these two fails for a pin, which is looked at. A page for which there is no room
 *           where pins may be stays without.
 * UNPLUG    thread 0. Without pins it waits, with a deadline, and anything but that is a mistake; with pins it fails at
 *           the first of them, or has the owners asked to give up theirs (revoke), by turns. A segment that is gone
 *           comes back a step later.
 * WHICH     segments for what can be moved, and with pins those for everything, by turns: of these the one with most
 *           frames in use, once it has half of them; if none comes to that within REFILL, or each ROUND-th time, the
 *           next one, as it is. What left one segment fills the others, so the fullest is full.
 * ROOM      what workers have fits into four of the five segments, with a quarter to spare for caches.
 * FIGURES   used: an unplug that found half of its frames or more in use. movable, everything: by what the segment
 *           takes, failures for any reason; success_percent, rounded down, of both together. lost_frames: those that
 *           somebody owns, and no page shows; or that are in no place at all. blocked_accesses: those of workers that
 *           slept or spun long. A block of a run may end within a chunk: what counts is what was stored, and read.
 * EDGE  A1, release store of storm.asked -> A2, acquire swap by the pin's owner. All else that threads share is a
 *           counter, or the engine's.
 * Straight to the engine, as fork.c does, and for its reasons.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stress/profile/hotplug.h"

#define SEGMENT  2048u                           /* frames; times the next for many threads, whose caches hold some */
#define HOT      4u
#define PATIENCE UINT64_C(10000000000)           /* for an unplug that waits                                       */
#define REVOKING UINT64_C(2000000000)            /* ... for owners, who may be at rest                             */
#define REFILL   UINT64_C(50000000)              /* for a segment to be used by half, at most                      */
#define LOOK     200000L                         /* ns between two looks at that                                   */
#define ROUND    8u

static uint64_t segment_of(const struct profile_map *map) { return SEGMENT * (1 + (uint64_t)map->threads / 8); }
static uint64_t frames(const struct profile_map *map) { return (HOT + 1) * segment_of(map); }

static void machine(const struct profile_map *map, struct physmem_config *memory)
{
	memory->pages = segment_of(map);
	memory->limit = frames(map);
}

static bool only_movable(const struct profile_map *map, uint64_t hot)
{
	return map->params->pinned == 0 || hot < HOT / 2;
}

static int plug(const struct profile_map *map, const struct storm *s, uint64_t hot)
{
	return physmem_plug(map->pm, (1 + hot) * s->segment, s->segment, only_movable(map, hot));
}

static int make_worker(struct worker *w, uint64_t chunks)
{
	memset(w, 0, sizeof(*w));
	w->chunks = chunks;
	w->chunk = calloc(w->chunks, sizeof(*w->chunk));
	for (uint64_t i = 0; w->chunk && i < chunks * CHUNK; i++)
		w->chunk[i / CHUNK].pin[i % CHUNK] = PHYSMEM_NONE;
	return w->chunk ? 0 : -ENOMEM;
}

static int setup(struct profile_map *map)
{
	struct storm *s = calloc(1, sizeof(*s));
	uint64_t chunks;
	int err = 0;

	map->shared = s;
	if (!s)
		return -ENOMEM;
	s->segment = segment_of(map);
	s->asked = calloc(frames(map), sizeof(*s->asked));
	s->worker = aligned_alloc(_Alignof(struct worker), map->threads * sizeof(*s->worker));
	if (!s->asked || !s->worker)
		return -ENOMEM;
	chunks = HOT * s->segment * 3 / 4 / CHUNK / (map->threads - 1);
	while (s->workers < map->threads && !err)
		err = make_worker(&s->worker[s->workers++], chunks);
	for (unsigned i = 0; i < HOT && !err; i++)
		err = plug(map, s, i);
	return err;
}

static void wrong(struct profile_thread *t, enum verify_sin sin, uint64_t addr, const char *what)
{
	if (t->verify)
		verify_report(t->at->params->verify, sin, addr, "%s", what);
	profile_fail(t, CALL_READ, addr, PROFILE_PAGE, -EBADMSG);
}

/* ---- pages ---- */

static uint64_t page_at(const struct profile_thread *t, const struct chunk *c, unsigned page)
{
	const struct worker *w = &((struct storm *)t->at->shared)->worker[t->index];

	return PROFILE_BASE + t->index * PROFILE_GIB + ((uint64_t)(c - w->chunk) * CHUNK + page) * PROFILE_PAGE;
}

static uint64_t word(uint64_t addr, uint64_t filling, unsigned i)
{
	return (addr << 16 | (filling & 0xffff)) + i * UINT64_C(0x9e3779b97f4a7c15);
}

static bool is_page(const struct profile_thread *t, const uint64_t *words, uint64_t addr, uint64_t filling)
{
	for (unsigned i = 0; t->at->params->bytes && i < WORDS; i++)
		if (words[i] != word(addr, filling, i))
			return false;
	return true;
}

static void pin_page(struct profile_thread *t, struct worker *w, uint64_t addr, uint64_t *pin)
{
	int err;

	*pin = PHYSMEM_NONE;
	if (prng_below(&t->prng, 100) >= t->at->params->pinned)
		return;
	err = vmmap_pin(t->vm, addr, PROFILE_PAGE, pin);
	if (err)
		*pin = PHYSMEM_NONE;
	if (err && err != -ENOMEM)
		profile_fail(t, CALL_FAULT, addr, PROFILE_PAGE, err);
	else if (!err)
		atomic_bump(&w->pins, 1);
}

static void store(struct profile_thread *t, struct worker *w, uint64_t addr, uint64_t filling)
{
	uint64_t blocked = vmmap_blocked_self();
	ssize_t got;

	for (unsigned i = 0; i < WORDS; i++)
		w->page[i] = word(addr, filling, i);
	got = vmmap_write(t->vm, addr, w->page, PROFILE_PAGE);
	if (got != (ssize_t)PROFILE_PAGE)
		profile_fail(t, CALL_WRITE, addr, PROFILE_PAGE, got < 0 ? (int)got : -EIO);
	atomic_bump(&w->blocked, vmmap_blocked_self() - blocked);
}

static void fill(struct profile_thread *t, struct worker *w, struct chunk *c)
{
	uint64_t base = page_at(t, c, 0), filling = ++t->count;

	if (op_mmap(t, base, CHUNK * PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_NORESERVE | MAP_FIXED) < 0)
		return;
	for (unsigned i = 0; i < CHUNK && !profile_over(t); i++) {
		store(t, w, page_at(t, c, i), filling);
		pin_page(t, w, page_at(t, c, i), &c->pin[i]);
		c->filling = filling;
		c->stored = i + 1;
	}
}

static void check(struct profile_thread *t, struct worker *w, const struct chunk *c)
{
	for (unsigned i = 0; i < c->stored && !profile_over(t); i++) {
		uint64_t addr = page_at(t, c, i);
		ssize_t got = vmmap_read(t->vm, addr, w->page, PROFILE_PAGE);

		if (got != (ssize_t)PROFILE_PAGE || !is_page(t, w->page, addr, c->filling)) {
			wrong(t, SIN_LOST_WRITE, addr, "a page has not the words that were stored there");
			return;
		}
		atomic_bump(&w->verified, 1);
	}
}

/* ---- pins ---- */

static void unpin(struct profile_thread *t, uint64_t addr, uint64_t *pin)
{
	int err = *pin == PHYSMEM_NONE ? 0 : vmmap_unpin(t->vm, pin, 1);

	if (err)
		profile_fail(t, CALL_FAULT, addr, PROFILE_PAGE, err);
	*pin = PHYSMEM_NONE;
}

static bool asked_for(struct storm *s, uint64_t pfn)
{
	return pfn != PHYSMEM_NONE && atomic_load_relaxed(&s->asked[pfn]) != 0 &&
	       atomic_swap_acqrel(&s->asked[pfn], 0) != 0;                              /* A2 -> A1 */
}

/* Somebody wants frames that we have pinned. */
static void give_up(struct profile_thread *t, struct storm *s, struct worker *w)
{
	for (uint64_t n = 0; n < w->chunks && atomic_load_relaxed(&s->revoking); n++)
		for (unsigned i = 0; w->chunk[n].filling && i < CHUNK; i++)
			if (asked_for(s, w->chunk[n].pin[i])) {
				unpin(t, page_at(t, &w->chunk[n], i), &w->chunk[n].pin[i]);
				atomic_bump(&w->revoked, 1);
			}
}

/* The frames are where they were, and stay when the pages go. */
static void drop(struct profile_thread *t, struct chunk *c)
{
	struct vmmap_fault_info info = { 0 };
	uint64_t base = page_at(t, c, 0), filling = c->filling;

	for (unsigned i = 0; i < CHUNK; i++)
		if (c->pin[i] != PHYSMEM_NONE && (vmmap_fault(t->vm, page_at(t, c, i), PROT_READ, &info) ||
						  info.pfn != c->pin[i]))
			wrong(t, SIN_LOST_WRITE, page_at(t, c, i), "a pinned page has moved");
	c->filling = c->stored = 0;
	(void)op_munmap(t, base, CHUNK * PROFILE_PAGE);
	for (unsigned i = 0; i < CHUNK; i++) {
		if (c->pin[i] != PHYSMEM_NONE && t->at->params->bytes &&
		    !is_page(t, physmem_frame_bytes(t->at->pm, c->pin[i]), page_at(t, c, i), filling))
			wrong(t, SIN_LOST_WRITE, page_at(t, c, i), "a pinned frame has lost its words");
		unpin(t, page_at(t, c, i), &c->pin[i]);
	}
}

static uint64_t work(struct profile_thread *t, struct storm *s)
{
	struct worker *w = &s->worker[t->index];
	struct chunk *c = &w->chunk[prng_below(&t->prng, w->chunks)];
	uint64_t pages = 0;

	if (atomic_load_relaxed(&s->revoking))
		give_up(t, s, w);
	if (c->filling) {
		check(t, w, c);
		if (profile_over(t))
			return 0;
		pages += c->stored;
		drop(t, c);
	}
	if (prng_below(&t->prng, 16)) {                  /* else it stays away for a while                         */
		fill(t, w, c);
		pages += c->stored;
	}
	return pages;
}

/* ---- segments ---- */

static int count_used(void *arg, const struct physmem_stretch *stretch)
{
	*(uint64_t *)arg += stretch->state == PHYSMEM_MOVABLE ? stretch->pages : 0;
	return 0;
}

static void revoke(void *arg, uint64_t pfn, uint64_t pages)
{
	struct storm *s = arg;

	for (uint64_t i = 0; i < pages; i++)
		atomic_store_release(&s->asked[pfn + i], 1);                             /* A1 -> A2 */
	atomic_store_relaxed(&s->revoking, 1);
}

static struct physmem_unplug_options how(const struct profile_thread *t, struct storm *s)
{
	struct physmem_unplug_options o = PHYSMEM_UNPLUG_OPTIONS;
	bool pins = t->at->params->pinned != 0, asks = s->cycles & 1;

	o.mode = !pins ? PHYSMEM_UNPLUG_WAIT : asks ? PHYSMEM_UNPLUG_REVOKE : PHYSMEM_UNPLUG_FAIL;
	o.deadline_ns = clock_ns() + (pins ? REVOKING : PATIENCE);
	o.revoke = revoke;
	o.arg = s;
	return o;
}

static struct category *category_of(const struct profile_map *map, struct storm *s)
{
	return &s->category[only_movable(map, s->at)];
}

static void unplug_failed(struct profile_thread *t, struct storm *s, int err, const struct physmem_unplug_result *r)
{
	s->failed[r->reason]++;
	category_of(t->at, s)->failures++;
	if ((!t->at->params->pinned && err != -ETIMEDOUT) ||
	    (only_movable(t->at, s->at) && r->reason == PHYSMEM_REASON_PINNED))
		profile_fail(t, CALL_MUNMAP, r->first * PROFILE_PAGE, s->segment * PROFILE_PAGE, err);
}

/* What nobody asks for any more is not to be believed by whose pin is there next. */
static void forget_asked(struct storm *s, uint64_t pfn)
{
	if (!atomic_load_relaxed(&s->revoking))
		return;
	atomic_store_relaxed(&s->revoking, 0);
	for (uint64_t i = 0; i < s->segment; i++)
		atomic_store_relaxed(&s->asked[pfn + i], 0);
}

/* ---- which segment ---- */

static uint64_t used_of(const struct profile_map *map, const struct storm *s, uint64_t hot)
{
	uint64_t used = 0;

	(void)physmem_walk(map->pm, (1 + hot) * s->segment, s->segment, count_used, &used);
	return used;
}

/* Of the category whose turn it is; the frames in use of the fullest. */
static uint64_t choose_fullest(const struct profile_map *map, struct storm *s)
{
	bool movable = !map->params->pinned || s->cycles / 2 % 2 == 0;   /* each by FAIL and by REVOKE               */
	uint64_t most = 0;

	for (uint64_t i = 0, hot = s->at; i < HOT; i++, hot = (hot + 1) % HOT) {
		uint64_t used = only_movable(map, hot) == movable ? used_of(map, s, hot) : 0;

		if (used > most) {
			most = used;
			s->at = hot;
		}
	}
	return most;
}

/* False: not yet, workers are to fill it first. *used: it has half of its frames in use. */
static bool choose(const struct profile_map *map, struct storm *s, bool *used)
{
	uint64_t now = clock_ns();

	if (s->cycles % ROUND == ROUND - 1)
		*used = 2 * used_of(map, s, s->at) >= s->segment;
	else
		*used = 2 * choose_fullest(map, s) >= s->segment;
	if (*used || s->cycles % ROUND == ROUND - 1) {
		s->waits_since = 0;
		return true;
	}
	s->waits_since = s->waits_since ? s->waits_since : now;
	if (now - s->waits_since < REFILL)
		return false;
	s->waits_since = 0;
	return true;
}

static void take_away(struct profile_thread *t, struct storm *s, bool used)
{
	uint64_t pfn = (1 + s->at) * s->segment;
	struct physmem_unplug_options o = how(t, s);
	struct physmem_unplug_result r;
	int err = physmem_unplug(t->at->pm, pfn, s->segment, &o, &r);

	forget_asked(s, pfn);
	s->cycles++;
	s->moved += r.moved;
	if (err) {
		unplug_failed(t, s, err, &r);
		s->at = (s->at + 1) % HOT;
		return;
	}
	category_of(t->at, s)->unplugs++;
	category_of(t->at, s)->used += used;
	s->gone = 1;
}

static void put_back(struct profile_thread *t, struct storm *s)
{
	int err = plug(t->at, s, s->at);

	if (err)
		profile_fail(t, CALL_MMAP, (1 + s->at) * s->segment * PROFILE_PAGE, s->segment * PROFILE_PAGE, err);
	s->plugs += !err;
	s->gone = 0;
	s->at = (s->at + 1) % HOT;
}

static uint64_t step(struct profile_thread *t)
{
	static const struct timespec look = { 0, LOOK };
	struct storm *s = t->at->shared;
	bool used;

	if (t->index)
		return work(t, s);
	if (s->gone)
		put_back(t, s);
	else if (choose(t->at, s, &used))
		take_away(t, s, used);
	else
		nanosleep(&look, NULL);
	return 0;
}

/* ---- the end ---- */

/* The pins go before the map. */
static void finish(struct profile_map *map)
{
	struct storm *s = map->shared;

	for (unsigned i = 0; s && i < s->workers; i++) {
		struct worker *w = &s->worker[i];

		for (uint64_t c = 0; w->chunk && map->vm && c < w->chunks; c++)
			for (unsigned page = 0; w->chunk[c].filling && page < CHUNK; page++)
				if (w->chunk[c].pin[page] != PHYSMEM_NONE)
					(void)vmmap_unpin(map->vm, &w->chunk[c].pin[page], 1);
		free(w->chunk);
	}
	if (s) {
		free(s->worker);
		free(s->asked);
	}
}

const struct profile profile_hotplug_storm = {
	.name = "hotplug-storm",
	.idea = "threads map, fill, read and drop memory of segments that one thread takes away and puts back",
	.source = "Linux, mm/memory_hotplug.c and its selftests",
	.min_threads = 2, .rounds = true, .destroys = true, .pins = true, .evidence = COUNT_ACCESSES,
	.evidence_per_unit = 1,
	.frames = frames, .machine = machine, .setup = setup, .finish = finish, .step = step,
	.figures = hotplug_figures,
};
