/* SPDX-License-Identifier: MIT */
/*
 * verify_canary.c - eight pages of each thread's own that meet every rule in turn, and the sins that can be planted.
 *
 * A sin is committed for real, through the public face, behind the model's back: the engine's map then truly is what
 * it must not be, and the check that names the sin has to see it. Between sin and check lies no point at which the
 * run could pause, so no other check sees it first (a leak is seen at the next quiet moment: that is its check).
 *
 *   ghost       after munmap the page is mapped again, stamp and all        -> the probe after munmap reads it
 *   foreign     another page's stamp is stored over this page's             -> the next load
 *   prot        after mprotect R the page is made RW again                  -> the store that must fail
 *   stale       DONTNEED is told to the model but not to the engine         -> the load that must see zero
 *   lost-write  the stamp before the last is stored again                   -> the next load
 *   leak        a frame is taken from physical memory and forgotten         -> the count at the next quiet moment
 *   overlap     the page is unmapped, and mmap asked for just that gap      -> mmap's answer
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "stress/verify_in.h"

#define RW       (PROT_READ | PROT_WRITE)
#define PLANT_AT 5u                              /* the canary of thread 0 in which the sin is committed           */

static uint64_t page_at(const struct verify_thread *t, unsigned i)
{
	return t->canary + i * PAGE_BYTES;
}

/* True, once in a run: it is time for this sin. */
static bool sin_now(struct verify_thread *t, enum verify_sin sin)
{
	struct verify *v = t->v;

	if (v->config.plant != sin || t->number || t->canaries < PLANT_AT || atomic_load_relaxed(&v->planted))
		return false;
	atomic_store_relaxed(&v->planted, 1);
	return true;
}

/* ---- sins ---- */

static void commit_ghost(struct verify_thread *t, uint64_t addr)
{
	uint64_t stamp[2] = { stamp_word0(t->v, t->number, addr), 1 };

	vmmap_mmap(t->vm, addr, PAGE_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, NULL, 0);
	vmmap_write(t->vm, addr + stamp_offset(t->number), stamp, sizeof(stamp));
}

static void commit_foreign(struct verify_thread *t, uint64_t addr)
{
	uint64_t stamp[2] = { stamp_word0(t->v, t->number, addr + PAGE_BYTES), 1 };

	vmmap_write(t->vm, addr + stamp_offset(t->number), stamp, sizeof(stamp));
}

static void commit_lost_write(struct verify_thread *t, uint64_t addr)
{
	const struct shadow_lane *lane = shadow_lane_at(t->v->shadow, shadow_page_at(t->v->shadow, addr), t->number);
	uint64_t stamp[2] = { stamp_word0(t->v, t->number, addr), lane->value - 1 };

	vmmap_write(t->vm, addr + stamp_offset(t->number), stamp, sizeof(stamp));
}

static void commit_stale(struct verify_thread *t, uint64_t addr)
{
	struct shadow_change change = { SHADOW_DROP, 0, false, 0 };

	shadow_begin(t->v->shadow, addr, PAGE_BYTES);
	shadow_end(t->v->shadow, addr, PAGE_BYTES, shadow_ticket(t->v->shadow), change);
}

static void commit_overlap(struct verify_thread *t, uint64_t addr)
{
	vmmap_munmap(t->vm, addr, PAGE_BYTES);
	verify_within(t, addr, addr + PAGE_BYTES, PAGE_BYTES, RW);
}

/* ---- the round of rules ---- */

static void must(struct verify_thread *t, int err, int want, const char *what, uint64_t addr)
{
	t->checks++;
	if (err != want && !verify_violations(t->v))
		verify_report(t->v, SIN_ERRNO, addr, "canary: %s answered %d, must be %d", what, err, want);
}

static void contents(struct verify_thread *t)
{
	for (unsigned i = 0; i < CANARY_PAGES; i++) {
		must(t, verify_read(t, page_at(t, i)), 0, "a load from a fresh page", page_at(t, i));
		must(t, verify_write(t, page_at(t, i)), 0, "a store", page_at(t, i));
	}
	if (sin_now(t, SIN_FOREIGN))
		commit_foreign(t, page_at(t, 1));
	if (sin_now(t, SIN_LOST_WRITE))
		commit_lost_write(t, page_at(t, 1));
	for (unsigned i = 0; i < CANARY_PAGES; i++)
		must(t, verify_read(t, page_at(t, i)), 0, "a load", page_at(t, i));
}

static void protection(struct verify_thread *t)
{
	uint64_t addr = page_at(t, 2);

	must(t, verify_mprotect(t, addr, 3 * PAGE_BYTES, PROT_READ), 0, "mprotect R", addr);
	if (sin_now(t, SIN_PROT))
		vmmap_mprotect(t->vm, addr, 3 * PAGE_BYTES, RW);
	must(t, verify_write(t, addr), -EFAULT, "a store to a read-only page", addr);
	must(t, verify_read(t, addr), 0, "a load from a read-only page", addr);
	must(t, verify_mprotect(t, addr, 3 * PAGE_BYTES, PROT_NONE), 0, "mprotect NONE", addr);
	must(t, verify_read(t, addr), -EFAULT, "a load from a closed page", addr);
	must(t, verify_mprotect(t, addr, 3 * PAGE_BYTES, RW), 0, "mprotect RW", addr);
	must(t, verify_read(t, addr), 0, "a load after all this", addr);
}

static void dropping(struct verify_thread *t)
{
	uint64_t addr = page_at(t, 4);

	if (sin_now(t, SIN_STALE))
		commit_stale(t, addr);
	else
		must(t, verify_madvise(t, addr, 2 * PAGE_BYTES, MADV_DONTNEED), 0, "DONTNEED", addr);
	must(t, verify_read(t, addr), 0, "a load after DONTNEED", addr);
	must(t, verify_read(t, page_at(t, 6)), 0, "a load beside DONTNEED", page_at(t, 6));
}

static void unmapping(struct verify_thread *t)
{
	uint64_t addr = page_at(t, 3);

	must(t, verify_munmap(t, addr, PAGE_BYTES), 0, "munmap", addr);
	if (sin_now(t, SIN_GHOST))
		commit_ghost(t, addr);
	verify_probe_ghost(t, addr);
	must(t, verify_read(t, page_at(t, 2)), 0, "a load below the hole", page_at(t, 2));
	must(t, verify_read(t, page_at(t, 4)), 0, "a load above the hole", page_at(t, 4));
	if (sin_now(t, SIN_OVERLAP))
		commit_overlap(t, page_at(t, 5));
	must(t, verify_munmap(t, page_at(t, 0), CANARY_PAGES * PAGE_BYTES), 0, "munmap over a hole", page_at(t, 0));
	verify_probe_ghost(t, page_at(t, 0));
}

void verify_canary(struct verify_thread *t)
{
	int64_t got;

	t->in_canary = true;
	t->canaries++;
	got = verify_mmap(t, t->canary, CANARY_PAGES * PAGE_BYTES, RW,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
	if (got >= 0) {
		contents(t);
		protection(t);
		dropping(t);
		unmapping(t);
	} else if (got != -EEXIST) {
		must(t, (int)got, 0, "mmap", t->canary);
	}
	if (sin_now(t, SIN_LEAK))
		t->v->forgotten = physmem_frame_alloc(t->v->pm);
	t->in_canary = false;
}
