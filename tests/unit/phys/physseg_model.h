/* SPDX-License-Identifier: MIT */
/*
 * physseg_model.h - segments as a byte-per-frame model: which segment each frame is in, and what becomes of that.
 *
 * The model keeps no runs: a segment is the set of frames that bear its number. So it cannot make the mistakes of who
 * cuts runs.
 */
#ifndef TESTS_UNIT_PHYS_PHYSSEG_MODEL_H
#define TESTS_UNIT_PHYS_PHYSSEG_MODEL_H

#include "tests/unit/phys/physseg_tables.h"

#ifndef MODEL_BASE
#define MODEL_BASE 1000u                                 /* first pfn of the table                                 */
#define MODEL_UNIT 1u                                    /* pages: what is there is in multiples of that           */
#endif
#define MODEL_SPAN (256u * MODEL_UNIT)
#define MODEL_SEGMENTS 65000u                            /* numbers given out                                      */

struct model {
	uint16_t segment[MODEL_SPAN];                    /* 0: none                                                */
	uint8_t available[MODEL_SPAN];
	uint16_t last;                                   /* number given out last                                  */
	uint8_t list[MODEL_SEGMENTS];                    /* free list of a segment                                 */
	struct physseg_handle handle[MODEL_SEGMENTS];
	int moving;                                     /* handles are places (index array)                       */
};

static inline int within(uint64_t pfn, uint64_t pages)
{
	return pages > 0 && pfn >= MODEL_BASE && pfn - MODEL_BASE < MODEL_SPAN &&
	       pages <= MODEL_SPAN - (pfn - MODEL_BASE);
}

/* What the call has to return; changes the model if that is 0. In pfns. */
static inline int model_plug(struct model *m, uint64_t pfn, uint64_t pages)
{
	uint64_t from = pfn - MODEL_BASE;

	if (!within(pfn, pages))
		return -EINVAL;
	for (uint64_t i = from; i < from + pages; i++)
		if (m->segment[i])
			return -EEXIST;
	m->last++;
	m->list[m->last] = 0;
	for (uint64_t i = from; i < from + pages; i++) {
		m->segment[i] = m->last;
		m->available[i] = 1;
	}
	return 0;
}

static inline unsigned frames(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_SPAN; i++)
		n += m->segment[i] != 0;
	return n;
}

/* What of the segment that owned frame at - 1 lies at and above `at` gets a number of its own. */
static inline void split_off(struct model *m, unsigned at, uint16_t was)
{
	if (at >= MODEL_SPAN || m->segment[at] != was)
		return;
	m->last++;
	m->list[m->last] = m->list[was];
	for (unsigned i = at; i < MODEL_SPAN && m->segment[i] == was; i++)
		m->segment[i] = m->last;
}

static inline int model_unplug(struct model *m, uint64_t pfn, uint64_t pages)
{
	unsigned from = (unsigned)(pfn - MODEL_BASE), to;
	uint16_t below, last;

	if (!within(pfn, pages))
		return -EINVAL;
	to = from + (unsigned)pages;
	for (unsigned i = from; i < to; i++)
		if (!m->segment[i])
			return -ENXIO;
	if (frames(m) == pages)
		return -ENOMEM;
	below = from > 0 ? m->segment[from - 1] : 0;
	last = m->segment[to - 1];
	for (unsigned i = from; i < to; i++)
		m->segment[i] = m->available[i] = 0;
	if (below == last)
		split_off(m, to, last);
	return 0;
}

/* Of the segment that has frame i: its ends, and those of what is available of it (both 0: nothing). */
struct ends { unsigned start, end, from, to; };

static inline struct ends model_ends(const struct model *m, unsigned i)
{
	struct ends e = { i, i + 1, 0, 0 };

	while (e.start > 0 && m->segment[e.start - 1] == m->segment[i])
		e.start--;
	while (e.end < MODEL_SPAN && m->segment[e.end] == m->segment[i])
		e.end++;
	for (unsigned k = e.start; k < e.end; k++) {
		if (!m->available[k])
			continue;
		e.from = e.to ? e.from : k;
		e.to = k + 1;
	}
	return e;
}

/* A steal from the segment that has frame i: 0 and *pfn, or the error. */
static inline int model_steal(struct model *m, unsigned i, int force, uint64_t *pfn)
{
	struct ends e = model_ends(m, i);
	int front = e.to && e.from == e.start, back = e.to && e.to == e.end;
	unsigned at = front ? e.start : force ? e.from : e.end - 1;

	if (!e.to || (!force && !front && !back))
		return -ENXIO;
	if (frames(m) == 1 && (front || !force))
		return -ENOMEM;
	m->available[at] = 0;
	if (front || !force)
		m->segment[at] = 0;
	*pfn = MODEL_BASE + at;
	return 0;
}

/* [from, to) of frames is what is available of the segment that has frame i. */
static inline int model_set_avail(struct model *m, unsigned i, unsigned from, unsigned to)
{
	struct ends e = model_ends(m, i);

	if (from < e.start || to < from || e.end < to)
		return -EINVAL;
	for (unsigned k = e.start; k < e.end; k++)
		m->available[k] = k >= from && k < to;
	return 0;
}

/* The segment that the frame is in has been plugged, or split off, as h. */
static inline void model_name(struct model *m, uint64_t pfn, struct physseg_handle h)
{
	m->handle[m->segment[pfn - MODEL_BASE]] = h;
}

static inline void compare_find(struct model *m, struct physseg_table *t, unsigned i)
{
	uint64_t offset = 77;
	struct physseg_handle h = physseg_find(t, MODEL_BASE + i, &offset);
	uint64_t phys = (uint64_t)(MODEL_BASE + i) << PAGE_SHIFT;
	struct physseg_frame *frame = physseg_phys_to_frame(t, phys);
	unsigned start = i;

	assert_int_equal(physseg_frame_to_phys(t, frame), m->segment[i] ? phys : PHYSSEG_NONE);
	if (!m->segment[i]) {
		assert_true(same(h, PHYSSEG_INVALID));
		assert_int_equal(offset, 77);
		return;
	}
	while (start > 0 && m->segment[start - 1] == m->segment[i])
		start--;
	assert_true(physseg_valid(t, h));
	assert_int_equal(offset, i - start);
	if (!m->moving)
		assert_true(same(h, m->handle[m->segment[i]]));
}

/* The segment that begins at frame i; returns its end. */
static inline unsigned compare_segment(struct model *m, struct physseg_table *t, struct physseg_handle h, unsigned i)
{
	unsigned end = i, first = MODEL_SPAN, last = 0;

	for (; end < MODEL_SPAN && m->segment[end] == m->segment[i]; end++) {
		if (!m->available[end])
			continue;
		first = first < end ? first : end;
		last = end + 1;
	}
	assert_int_equal(physseg_start(t, h), MODEL_BASE + i);
	assert_int_equal(physseg_end(t, h), MODEL_BASE + end);
	assert_int_equal(physseg_free_list(t, h), m->list[m->segment[i]]);
	if (last == 0) {
		assert_int_equal(physseg_avail_start(t, h), physseg_avail_end(t, h));
		return end;
	}
	assert_int_equal(physseg_avail_start(t, h), MODEL_BASE + first);
	assert_int_equal(physseg_avail_end(t, h), MODEL_BASE + last);
	return end;
}

static inline void compare_ends(struct physseg_table *t, struct physseg_handle last, unsigned n, uint64_t highest)
{
	assert_true(same(physseg_last(t), n ? last : PHYSSEG_EMPTY));
	assert_int_equal(physseg_highest_frame(t), n ? highest : PHYSSEG_NONE);
	if (!n)
		return;
	assert_true(same(physseg_next(t, last), PHYSSEG_OVERFLOW));
	assert_true(same(physseg_prev(t, physseg_first(t)), PHYSSEG_EMPTY));
}

/* Every segment, handle, count, sum and lookup of the table is the model's. */
static inline void model_compare(struct model *m, struct physseg_table *t)
{
	struct physseg_handle h = physseg_first(t), before = PHYSSEG_EMPTY;
	uint64_t highest = 0;
	unsigned n = 0;

	assert_int_equal(physseg_audit(t, stderr), 0);
	for (unsigned i = 0; i < MODEL_SPAN;) {
		if (!m->segment[i]) {
			i++;
			continue;
		}
		assert_true(same(physseg_prev(t, h), before));
		i = compare_segment(m, t, h, i);
		highest = MODEL_BASE + i - 1;
		before = h;
		h = physseg_next(t, h);
		n++;
	}
	assert_true(same(h, n ? PHYSSEG_OVERFLOW : PHYSSEG_EMPTY));
	compare_ends(t, before, n, highest);
	assert_int_equal(physseg_count(t), n);
	assert_int_equal(physseg_pages(t), frames(m));
	for (unsigned i = 0; i < MODEL_SPAN; i++)
		compare_find(m, t, i);
}

#endif
