/* SPDX-License-Identifier: MIT */
/*
 * fork.c - threads that work each in a region of its own, and fork the map under each other.
 *
 * A word of each page says which page it is of, and which store it was. Who forks stores nothing meanwhile, so it knows
 * its own region to the word: the child has the same. Of the others' regions it has for each page a word of that page,
 * or zero. Then both sides store, and neither sees what the other has stored. Straight to the engine: the verifier's
 * probes would store into pages whose words are known here, and it does not know the child.
 */
#include <errno.h>
#include <stdlib.h>

#include "stress/profile_ops.h"

#define REGION      48u                          /* pages of a thread; three in four of a table's share            */
#define STRIDE      64u
#define RARELY      64u                          /* so many steps to a fork                                        */
#define FORK_FLAGS  (PROFILE_ANON | MAP_NORESERVE | MAP_FIXED)

struct region { uint64_t word[REGION]; };        /* 0: never stored to since it was mapped                         */

/* Each thread may have a child, which keeps a copy of what all the others have stored to since. */
static uint64_t frames(const struct profile_map *map)
{
	return (uint64_t)map->threads * REGION * (map->threads + 2);
}

static uint64_t page_at(uint64_t thread, uint64_t page)
{
	return PROFILE_BASE + (thread * STRIDE + page) * PROFILE_PAGE;
}

static int setup(struct profile_map *map)
{
	int64_t got = 0;

	for (unsigned i = 0; i < map->threads && got >= 0; i++)
		got = vmmap_mmap(map->vm, page_at(i, 0), REGION * PROFILE_PAGE, PROFILE_RW, FORK_FLAGS, NULL, 0);
	return got < 0 ? (int)got : 0;
}

static int init(struct profile_thread *t)
{
	t->own = calloc(1, sizeof(struct region));
	return t->own ? 0 : -ENOMEM;
}

static void wrong(struct profile_thread *t, uint64_t addr, const char *what)
{
	if (t->verify)
		verify_report(t->at->params->verify, SIN_OVERLAP, addr, "%s", what);
	profile_fail(t, CALL_READ, addr, PROFILE_PAGE, -EBADMSG);
}

/* Metadata only: there is nothing to read. */
static bool shows(struct profile_thread *t, struct vmmap *vm, uint64_t addr, uint64_t want)
{
	uint64_t word = 0;
	ssize_t got = vmmap_read(vm, addr, &word, sizeof(word));

	return got == sizeof(word) && (word == want || !t->at->params->bytes);
}

static bool store(struct profile_thread *t, struct vmmap *vm, uint64_t addr, uint64_t word)
{
	ssize_t got = vmmap_write(vm, addr, &word, sizeof(word));

	if (got != sizeof(word))
		profile_fail(t, CALL_WRITE, addr, sizeof(word), got < 0 ? (int)got : -EIO);
	return got == sizeof(word);
}

/* ---- in the region ---- */

static void store_own(struct profile_thread *t, uint64_t page)
{
	struct region *own = t->own;
	uint64_t addr = page_at(t->index, page), word = addr << 16 | (++t->count & 0xffff);

	if (store(t, t->vm, addr, word))
		own->word[page] = word;
}

static void map_own(struct profile_thread *t, uint64_t page, uint64_t n)
{
	struct region *own = t->own;
	uint64_t addr = page_at(t->index, page);
	int64_t got = vmmap_mmap(t->vm, addr, n * PROFILE_PAGE, PROFILE_RW, FORK_FLAGS, NULL, 0);

	if (t->verify)
		verify_note(t->verify, CALL_MMAP, addr, n * PROFILE_PAGE, got);
	if (got < 0) {
		profile_fail(t, CALL_MMAP, addr, n * PROFILE_PAGE, (int)got);
		return;
	}
	for (uint64_t i = page; i < page + n; i++)
		own->word[i] = 0;
}

static void protect_own(struct profile_thread *t, uint64_t page, uint64_t n)
{
	uint64_t addr = page_at(t->index, page);

	int err = vmmap_mprotect(t->vm, addr, n * PROFILE_PAGE, PROT_READ);

	if (!err)
		err = vmmap_mprotect(t->vm, addr, n * PROFILE_PAGE, PROFILE_RW);
	if (t->verify)
		verify_note(t->verify, CALL_MPROTECT, addr, n * PROFILE_PAGE, err);
	if (err)
		profile_fail(t, CALL_MPROTECT, addr, n * PROFILE_PAGE, err);
}

static void one(struct profile_thread *t)
{
	const struct region *own = t->own;
	uint64_t page = prng_below(&t->prng, REGION), n = 1 + prng_below(&t->prng, REGION - page);
	uint64_t what = prng_below(&t->prng, 16);

	if (what == 0)
		map_own(t, page, n);
	else if (what == 1)
		protect_own(t, page, n);
	else if (what < 6 && !shows(t, t->vm, page_at(t->index, page), own->word[page]))
		wrong(t, page_at(t->index, page), "a page of a map that was forked has another's contents");
	else if (what >= 6)
		store_own(t, page);
}

/* ---- the child ---- */

static void check_own(struct profile_thread *t, struct vmmap *vm, const char *what)
{
	const struct region *own = t->own;

	for (uint64_t i = 0; i < REGION && !profile_over(t); i++)
		if (!shows(t, vm, page_at(t->index, i), own->word[i]))
			wrong(t, page_at(t->index, i), what);
}

static void check_others(struct profile_thread *t, struct vmmap *child)
{
	for (unsigned i = 0; i < 32; i++) {
		uint64_t addr = page_at(prng_below(&t->prng, t->at->threads), prng_below(&t->prng, REGION)), word = 0;

		if (vmmap_read(child, addr, &word, sizeof(word)) != sizeof(word) ||
		    (t->at->params->bytes && word && word >> 16 != (addr & UINT64_MAX >> 16)))
			wrong(t, addr, "a page of a fork's child has another page's contents");
	}
}

/* Both sides store, neither sees it. */
static void part(struct profile_thread *t, struct vmmap *child)
{
	for (unsigned i = 0; i < 16; i++)
		store(t, child, page_at(t->index, prng_below(&t->prng, REGION)), 1);
	check_own(t, t->vm, "what a child stored is in its parent");
	for (unsigned i = 0; i < 8; i++) {
		uint64_t page = prng_below(&t->prng, REGION), word = 1;

		store(t, child, page_at(t->index, page), word);
		store_own(t, page);
		if (!shows(t, child, page_at(t->index, page), word))
			wrong(t, page_at(t->index, page), "what a parent stored is in its child");
	}
}

static uint64_t fork_once(struct profile_thread *t)
{
	struct vmmap *child;
	int err = vmmap_fork(&child, t->vm);

	if (err) {
		profile_fail(t, CALL_MMAP, PROFILE_BASE, 0, err);
		return 0;
	}
	check_own(t, child, "a fork's child does not have what its parent had");
	check_others(t, child);
	part(t, child);
	vmmap_destroy(child);
	return 1;
}

static uint64_t step(struct profile_thread *t)
{
	for (unsigned i = 0; i < RARELY && !profile_over(t); i++)
		one(t);
	return fork_once(t);
}

const struct profile profile_fork_storm = {
	.name = "fork-storm", .idea = "stores, mmaps, mprotects in each thread's own region; every 64th step a fork",
	.source = "lmbench fork; Linux 6.4.3: faults beside a fork's copy of the page table",
	.destroys = true, .evidence = COUNT_ACCESSES, .evidence_per_unit = RARELY / 2,
	.frames = frames, .setup = setup, .thread_init = init, .step = step,
};
