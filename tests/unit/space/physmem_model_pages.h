/* SPDX-License-Identifier: MIT */
/* physmem_model_pages.h - address spaces over physmem_model.h: a record for each page; pins, forks, pages that move. */
#ifndef TESTS_UNIT_SPACE_PHYSMEM_MODEL_PAGES_H
#define TESTS_UNIT_SPACE_PHYSMEM_MODEL_PAGES_H

#include "tests/unit/space/physmem_model_use.h"

#define SPACES 4u
#define PAGES  700u
#define MOST   200u                              /* at a time                                                      */

struct page { bool mapped; uint64_t stored, pfn; };      /* pfn 0: none of its own                                 */
struct space { struct vmmap *map; struct page page[PAGES]; };

static struct space space[SPACES];
static struct vmmap *keeper;                     /* gives back the pins of maps that are gone                      */
static uint64_t pin[MOST];
static unsigned npins;

/* ---- pages ---- */

static uint64_t addr_of(unsigned page) { return BASE + page * PAGE; }

static void unshow(struct page *p)
{
	if (p->pfn != 0) {
		users[p->pfn - FIRST]--;
		set_let_go(p->pfn - FIRST);
	}
	p->pfn = p->stored = 0;
}

static void do_map(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(PAGES - lo);
	int64_t err = vmmap_mmap(s->map, addr_of(lo), n * PAGE, RW, ANON | MAP_FIXED, NULL, 0);

	if (ordered((int)err))
		return;
	assert_int_equal(err, addr_of(lo));
	for (unsigned i = lo; i < lo + n; i++) {
		unshow(&s->page[i]);
		s->page[i].mapped = true;
	}
}

static void do_unmap(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(PAGES - lo);
	int err = vmmap_munmap(s->map, addr_of(lo), n * PAGE);

	if (ordered(err))
		return;
	assert_int_equal(err, 0);
	for (unsigned i = lo; i < lo + n; i++) {
		unshow(&s->page[i]);
		s->page[i].mapped = false;
	}
}

static void do_drop(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(20), holes = 0;
	int err;

	n = n < PAGES - lo ? n : PAGES - lo;
	err = vmmap_madvise(s->map, addr_of(lo), n * PAGE, MADV_DONTNEED);
	if (ordered(err))
		return;
	for (unsigned i = lo; i < lo + n; i++) {
		holes += !s->page[i].mapped;
		unshow(&s->page[i]);
	}
	assert_int_equal(err, holes != 0 ? -ENOMEM : 0);
}

/* Its frame; PHYSMEM_NONE: none of the machine's. */
static uint64_t shown_by(const struct space *s, unsigned at)
{
	struct vmmap_fault_info info;

	assert_int_equal(vmmap_fault(s->map, addr_of(at), PROT_READ, &info), 0);
	return info.pfn - FIRST < FRAMES ? info.pfn : PHYSMEM_NONE;
}

/* The page shows that frame, which was free, in place of its own, if it had one. */
static void shows(struct page *p, uint64_t pfn)
{
	uint64_t before = p->pfn;

	assert_true(pfn - FIRST < FRAMES);
	assert_int_equal(place[pfn - FIRST], FREE);
	p->pfn = pfn;
	set_place(pfn - FIRST, SHOWN);
	users[pfn - FIRST] = 1;
	if (before != 0) {
		users[before - FIRST]--;
		set_let_go(before - FIRST);
	}
}

/* The page has a frame: as before, if nobody else has it; else one that was free. */
static void stored_to(struct space *s, unsigned at)
{
	struct page *p = &s->page[at];
	uint64_t now = shown_by(s, at);

	p->stored = stamp;
	if (now == p->pfn) {
		assert_int_equal(users[now - FIRST], 1);
		return;
	}
	assert_true(p->pfn == 0 || users[p->pfn - FIRST] > 1);
	seen[COPIES] += p->pfn != 0;
	shows(p, now);
}

static void do_store(struct space *s, unsigned at)
{
	ssize_t n;

	stamp++;
	n = vmmap_write(s->map, addr_of(at), &stamp, sizeof(stamp));
	if (ordered((int)n))
		return;
	if (!s->page[at].mapped) {
		assert_int_equal(n, -EFAULT);
	} else if (n == -ENOMEM) {
		assert_true(count(FREE) == 0);
		assert_true(s->page[at].pfn == 0 || users[s->page[at].pfn - FIRST] > 1);
		seen[NO_FRAME]++;
	} else {
		assert_int_equal(n, sizeof(stamp));
		stored_to(s, at);
	}
}

static void do_stores(struct space *s)
{
	unsigned lo = pick(PAGES), n = 1 + pick(pick(4) ? 8 : 500);

	for (unsigned i = lo; i < PAGES && i < lo + n; i++)
		do_store(s, i);
}

static void do_load(struct space *s)
{
	unsigned at = pick(PAGES);
	uint64_t is = 0;
	ssize_t n = vmmap_read(s->map, addr_of(at), &is, sizeof(is));

	if (ordered((int)n))
		return;
	assert_int_equal(n, s->page[at].mapped ? (ssize_t)sizeof(is) : -EFAULT);
	assert_int_equal(is, s->page[at].stored);
}

/* ---- address spaces ---- */

static void do_exit(struct space *s)
{
	vmmap_destroy(s->map);
	for (unsigned i = 0; i < PAGES; i++)
		unshow(&s->page[i]);
	memset(s, 0, sizeof(*s));
}

static void do_begin(struct space *s)
{
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	config.physmem = pm;
	err = vmmap_create(&s->map, &config);
	if (err != 0)
		s->map = NULL;
	assert_true(err == 0 || ordered(err));
}

static unsigned pinned_pages(const struct space *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		n += s->page[i].pfn != 0 && pins[s->page[i].pfn - FIRST] != 0;
	return n;
}

/* What is pinned is copied at once, what is not is shared. */
static void forked(struct space *child, unsigned at)
{
	struct page *p = &child->page[at];
	uint64_t parents = p->pfn;

	if (parents == 0)
		return;
	if (pins[parents - FIRST] == 0) {
		assert_int_equal(shown_by(child, at), parents);
		users[parents - FIRST]++;
		return;
	}
	p->pfn = 0;
	shows(p, shown_by(child, at));
	seen[FORK_COPIES]++;
}

static void do_fork(struct space *s)
{
	struct space *child = &space[pick(SPACES)];
	int err;

	if (child == s)
		return;
	if (child->map != NULL)
		do_exit(child);
	err = vmmap_fork(&child->map, s->map);
	if (err != 0) {
		/* One frame more is in its hand, also for what was pinned once.                               */
		assert_true(ordered(err) || (err == -ENOMEM && pinned_pages(s) >= count(FREE)));
		child->map = NULL;
		return;
	}
	seen[FORKS]++;
	memcpy(child->page, s->page, sizeof(s->page));
	for (unsigned i = 0; i < PAGES; i++)
		forked(child, i);
}

/* ---- pins ---- */

/* The page has a frame of its own now, in memory for everything. */
static void pinned(struct space *s, unsigned at, uint64_t pfn)
{
	struct page *p = &s->page[at];

	assert_int_equal(shown_by(s, at), pfn);
	if (pfn != p->pfn) {
		assert_true(p->pfn == 0 || users[p->pfn - FIRST] > 1 || kind[(p->pfn - FIRST) / BLOCK] == MOVABLE);
		seen[PIN_COPIES] += p->pfn != 0;
		shows(p, pfn);
	}
	assert_int_equal(users[pfn - FIRST], 1);
	assert_int_equal(kind[(pfn - FIRST) / BLOCK], ANY);
	assert_memory_equal(physmem_frame_bytes(pm, pfn), &p->stored, sizeof(p->stored));
	pins[pfn - FIRST]++;
	pin[npins++] = pfn;
	seen[PINS]++;
}

/* It may have got a frame all the same, or another one. */
static void not_pinned(struct space *s, unsigned at)
{
	struct page *p = &s->page[at];
	uint64_t now = shown_by(s, at);

	if (now != PHYSMEM_NONE && now != p->pfn)
		shows(p, now);
}

static void do_pin(struct space *s)
{
	unsigned at = pick(PAGES);
	uint64_t pfn = 0;
	bool room;
	int err;

	if (npins == MOST)
		return;
	for (unsigned i = 0; i < 20 && s->page[at].pfn == 0; i++)
		at = pick(PAGES);
	room = has_run(0, false) || (s->page[at].pfn != 0 && users[s->page[at].pfn - FIRST] == 1 &&
				     kind[(s->page[at].pfn - FIRST) / BLOCK] == ANY);
	err = vmmap_pin(s->map, addr_of(at), PAGE, &pfn);
	if (err == 0) {
		pinned(s, at, pfn);
		return;
	}
	if (s->page[at].mapped)
		not_pinned(s, at);
	if (!ordered(err))
		assert_true(err == (s->page[at].mapped ? -ENOMEM : -EFAULT) && (!s->page[at].mapped || !room));
}

static void unpin(unsigned i)
{
	uint64_t at = pin[i] - FIRST;

	assert_int_equal(vmmap_unpin(keeper, &pin[i], 1), 0);
	assert_true(pins[at] != 0);
	pins[at]--;
	seen[PIN_LAST] += users[at] == 0 && pins[at] == 0;
	set_let_go(at);
	pin[i] = pin[--npins];
}

static void do_unpin(void)
{
	if (npins != 0)
		unpin(pick(npins));
}

static void pin_is_revoked(unsigned at)
{
	for (unsigned i = npins; i-- > 0;)
		if (pin[i] == FIRST + at)
			unpin(i);
	assert_int_equal(pins[at], 0);
}

/* ---- unplug ---- */

/* All pages that show one frame show the same other one now; that was free. */
static void page_moved(struct page *p, uint64_t now)
{
	uint64_t before = p->pfn;

	assert_int_equal(pins[before - FIRST], 0);
	assert_true(now - FIRST < FRAMES);
	if (place[now - FIRST] == FREE) {
		set_place(now - FIRST, SHOWN);
		users[now - FIRST] = 0;
	}
	assert_int_equal(place[now - FIRST], SHOWN);
	users[now - FIRST]++;
	users[before - FIRST]--;
	set_let_go(before - FIRST);
	p->pfn = now;
}

static void pages_moved(unsigned lo, unsigned end)
{
	for (unsigned k = 0; k < SPACES; k++)
		for (unsigned i = 0; i < PAGES && space[k].map != NULL; i++) {
			struct page *p = &space[k].page[i];
			uint64_t now = p->pfn - FIRST - lo < end - lo && p->pfn != 0 ? shown_by(&space[k], i) : p->pfn;

			if (now != p->pfn)
				page_moved(p, now);
		}
}

#endif
