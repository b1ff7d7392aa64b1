/* SPDX-License-Identifier: MIT */
/*
 * grow.c - stacks that grow while others map into the neighbourhood of their guard gaps.
 *
 * Each thread has a slot of the region with a stack (MAP_GROWSDOWN) at its top, which it makes longer by stores below
 * it and now and then cuts down to its top page. All map and unmap a few pages as high as they fit in anybody's slot:
 * right below the guard gap. Always true: a stack is one VMA that begins where its thread stored last, and nothing
 * placed ends nearer than 256 pages below it. Straight to the engine: the verifier's probes of unmapped pages would
 * make the stacks grow.
 */
#include <errno.h>

#include "stress/profile_ops.h"

#define SLOT_PAGES  2048u
#define DEPTH_PAGES 700u                         /* a slot always has room for stack, guard and what is placed     */
#define STRIDE      40u
#define PLACE_PAGES 8u
#define GUARD       (256 * PROFILE_PAGE)
#define STACK_FLAGS (PROFILE_ANON | MAP_NORESERVE | MAP_FIXED | MAP_GROWSDOWN)

static uint64_t frames(const struct profile_map *map)
{
	return map->threads * (DEPTH_PAGES + STRIDE);
}

static uint64_t slot_end(uint64_t slot) { return PROFILE_BASE + (slot + 1) * SLOT_PAGES * PROFILE_PAGE; }
static uint64_t stack_top(uint64_t slot) { return slot_end(slot) - PROFILE_PAGE; }

/* Below the lowest stack lies a page that is none, or a touch of any hole further down would make that stack grow. */
static int setup(struct profile_map *map)
{
	int64_t got = vmmap_mmap(map->vm, PROFILE_BASE - PROFILE_PAGE, PROFILE_PAGE, PROT_NONE,
				 PROFILE_ANON | MAP_FIXED, NULL, 0);

	for (unsigned i = 0; i < map->threads && got >= 0; i++)
		got = vmmap_mmap(map->vm, stack_top(i), PROFILE_PAGE, PROFILE_RW, STACK_FLAGS, NULL, 0);
	return got < 0 ? (int)got : 0;
}

static int init(struct profile_thread *t)
{
	t->next = stack_top(t->index);           /* where the stack begins                                         */
	return 0;
}

static void wrong(struct profile_thread *t, uint64_t addr, const char *what)
{
	if (t->verify)
		verify_report(t->at->params->verify, SIN_OVERLAP, addr, "%s", what);
	profile_fail(t, CALL_MMAP, addr, PROFILE_PAGE, -EEXIST);
}

static int shrink(struct profile_thread *t)
{
	uint64_t top = stack_top(t->index);
	int err = vmmap_munmap(t->vm, t->next, top - t->next);

	if (err)
		return profile_fail(t, CALL_MUNMAP, t->next, top - t->next, err);
	t->next = top;
	return 0;
}

/* One store below the stack. It may be refused: something was placed there. */
static uint64_t grow(struct profile_thread *t)
{
	uint64_t to = t->next - (1 + prng_below(&t->prng, STRIDE)) * PROFILE_PAGE, end = slot_end(t->index), word = to;
	ssize_t got = vmmap_write(t->vm, to, &word, sizeof(word));
	struct vmmap_vma v;

	if (t->verify)
		verify_note(t->verify, CALL_WRITE, to, sizeof(word), got);
	if (got < 0 && got != -EFAULT)
		profile_fail(t, CALL_WRITE, to, sizeof(word), (int)got);
	if (got > 0)
		t->next = to;
	if (vmmap_query(t->vm, end - 1, &v) || v.start != t->next || v.end != end || !(v.flags & MAP_GROWSDOWN))
		wrong(t, t->next, "a stack does not begin where it was stored to last");
	if (got > 0 && t->at->params->bytes) {
		uint64_t last = to + (prng_next(&t->prng) & 1 ? 0 : PROFILE_PAGE);

		if (vmmap_read(t->vm, last, &word, sizeof(word)) != sizeof(word) || (word && word != last))
			wrong(t, last, "a page of a stack has the contents of another");
	}
	return got > 0;
}

static uint64_t place(struct profile_thread *t)
{
	uint64_t slot = prng_below(&t->prng, t->at->threads);
	uint64_t len = (1 + prng_below(&t->prng, PLACE_PAGES)) * PROFILE_PAGE;
	uint64_t lo = slot_end(slot) - SLOT_PAGES * PROFILE_PAGE;
	int64_t got = vmmap_mmap_within(t->vm, lo, slot_end(slot), PROFILE_PAGE, 0, len, PROFILE_RW,
					PROFILE_ANON | MAP_NORESERVE, NULL, 0);
	struct vmmap_vma v;
	int err;

	if (t->verify)
		verify_note(t->verify, CALL_WITHIN, lo, len, got);
	if (got < 0) {
		profile_fail(t, CALL_WITHIN, lo, len, (int)got);
		return 0;
	}
	if (vmmap_query(t->vm, stack_top(slot), &v) || v.start < (uint64_t)got + len + GUARD)
		wrong(t, (uint64_t)got, "placed in the guard gap of a stack");
	err = vmmap_munmap(t->vm, (uint64_t)got, len);
	if (err)
		profile_fail(t, CALL_MUNMAP, (uint64_t)got, len, err);
	return !err;
}

static uint64_t step(struct profile_thread *t)
{
	uint64_t units = 0;

	for (unsigned i = 0; i < PROFILE_BATCH && !profile_over(t); i++) {
		bool deep = stack_top(t->index) - t->next > DEPTH_PAGES * PROFILE_PAGE;

		if (prng_next(&t->prng) & 1)
			units += place(t);
		else if (deep || (t->next < stack_top(t->index) && !prng_below(&t->prng, 16)))
			units += !shrink(t);
		else
			units += grow(t);
	}
	return units;
}

const struct profile profile_grow = {
	.name = "grow", .idea = "stores below stacks that grow, mmap and munmap right below their guard gaps",
	.source = "Linux stack expansion and stack_guard_gap (mm/vma.c)",
	.evidence = COUNT_ACCESSES | COUNT_MMAPS | COUNT_MUNMAPS, .evidence_per_unit = 1,
	.frames = frames, .setup = setup, .thread_init = init, .step = step,
};
