/* SPDX-License-Identifier: MIT */
/* gen.c - see gen.h. One function per call; ranges come from pick_vma (inside or around a VMA) or pick_any. */
#include "stress/oracle/gen.h"

#include <string.h>
#include <sys/mman.h>
#include <vmmap/vmmap.h>
#include "stress/oracle/kernel.h"

#define BRK_PAGES 96u                            /* other calls seldom go there, so that the break can move         */

#define FORK_AFTER  120u                         /* calls and touches, in the mean; children fork, too             */
#define CHILD_LIVES 80u
#define DEEPEST     3u

static const uint8_t weight[KIND_COUNT] = {
	[KIND_MMAP_ANY] = 9,
	[KIND_MMAP_HINT] = 5,
	[KIND_MMAP_FIXED] = 14,
	[KIND_MMAP_NOREPLACE] = 5,
	[KIND_MUNMAP] = 13,
	[KIND_MPROTECT] = 16,
	[KIND_MREMAP_SHRINK] = 3,
	[KIND_MREMAP_GROW] = 5,
	[KIND_MREMAP_MOVE] = 5,
	[KIND_MREMAP_DONTUNMAP] = 4,
	[KIND_MADVISE_FLAG] = 10,
	[KIND_MADVISE_DONTNEED] = 3,
	[KIND_MADVISE_FREE] = 3,
	[KIND_MADVISE_WILLNEED] = 3,
	[KIND_MADVISE_POPULATE] = 4,
	[KIND_BRK] = 4,
	[KIND_MSYNC] = 3,
	[KIND_RESIZE] = 3,
	[KIND_MLOCK] = 6,
	[KIND_MUNLOCK] = 4,
	[KIND_READ] = 6,
	[KIND_WRITE] = 6,
};

static uint64_t below(struct gen *g, uint64_t n) { return prng_below(&g->rng, n); }
static bool one_in(struct gen *g, uint64_t n) { return !below(g, n); }

struct range { uint64_t lo, hi; };               /* page indexes                                                   */

static struct range clamp(const struct gen *g, uint64_t lo, uint64_t pages)
{
	return (struct range){ lo, lo + pages < g->m->pages ? lo + pages : g->m->pages };
}

static uint64_t pick_page(struct gen *g)
{
	return one_in(g, 12) ? below(g, g->m->pages) : BRK_PAGES + below(g, g->m->pages - BRK_PAGES);
}

static struct range pick_any(struct gen *g, uint64_t most)
{
	return clamp(g, pick_page(g), 1 + below(g, most));
}

/* The extent of some VMA; false: nothing is mapped. */
static bool pick_whole(struct gen *g, struct range *r)
{
	uint64_t i = pick_page(g), n = g->m->pages;

	for (uint64_t tries = 0; tries < n; tries++, i = i + 1 == n ? 0 : i + 1) {
		if (g->m->page[i].mapped) {
			model_vma(g->m, i, &r->lo, &r->hi);
			return true;
		}
	}
	return false;
}

enum differs { DIFFERS_PROT = 1, DIFFERS_LOCK = 2, DIFFERS_MORE = 4 };

static unsigned differs(const struct model_page *a, const struct model_page *b)
{
	bool more = a->shared != b->shared || a->noreserve != b->noreserve || a->growsdown != b->growsdown ||
		    a->advice != b->advice || a->object != b->object || (a->object && a->off + 1 != b->off);

	return (a->prot != b->prot ? DIFFERS_PROT : 0) | (a->locked != b->locked ? DIFFERS_LOCK : 0) |
	       (more ? DIFFERS_MORE : 0);
}

/* A VMA that only `what` keeps apart from the one just below: a call that makes it the same often merges them. NULL:
 * not found; else a page of the one below. */
static const struct model_page *pick_unlike(struct gen *g, enum differs what, struct range *r)
{
	for (int tries = 0; tries < 32 && pick_whole(g, r); tries++) {
		const struct model_page *page = &g->m->page[r->lo];

		if (r->lo && page[-1].mapped && differs(page - 1, page) == what)
			return page - 1;
	}
	return NULL;
}

/* A range that meets a VMA: whole, head, tail, middle, or across its end. */
static struct range pick_vma(struct gen *g)
{
	struct range r;
	uint64_t n, a, b;

	if (!pick_whole(g, &r))
		return pick_any(g, 32);
	n = r.hi - r.lo;
	a = r.lo + below(g, n);
	b = a + 1 + below(g, r.hi - a < 48 ? r.hi - a : 48);
	switch (below(g, 12)) {
	case 0: case 1: case 2: return r;
	case 3: case 4: return (struct range){ r.lo, b };
	case 5: case 6: return (struct range){ a, r.hi };
	case 7: return clamp(g, a, 1 + below(g, 64));
	default: return (struct range){ a, b };
	}
}

/* The gap above some VMA, all of it or its start; anything where there is none. */
static struct range pick_gap(struct gen *g)
{
	struct range r;
	uint64_t hi;

	if (!pick_whole(g, &r) || r.hi == g->m->pages || g->m->page[r.hi].mapped)
		return pick_any(g, 32);
	g->aimed++;
	for (hi = r.hi; hi < g->m->pages && hi < r.hi + 32 && !g->m->page[hi].mapped; hi++)
		;
	return (struct range){ r.hi, one_in(g, 2) ? hi : r.hi + 1 + below(g, hi - r.hi) };
}

static struct range pick(struct gen *g)
{
	if (below(g, 10) < 9) {
		g->aimed += g->m->used > 0;
		return pick_vma(g);
	}
	return pick_any(g, 32);
}

static uint64_t at(const struct gen *g, uint64_t page) { return g->m->lo + page * PAGE; }

static void set_range(const struct gen *g, struct op *op, struct range r)
{
	op->addr = at(g, r.lo);
	op->len = (r.hi - r.lo) * PAGE;
}

static int pick_prot(struct gen *g)
{
	static const uint8_t prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_READ, PROT_NONE,
		PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_WRITE,
	};

	return prots[below(g, one_in(g, 4) ? 9 : 6)];
}

/* As what lies just below, so that it merges with it where nothing else keeps them apart. */
static void as_below(const struct gen *g, struct op *op)
{
	uint64_t i = (op->addr - g->m->lo) / PAGE;
	const struct model_page *p = &g->m->page[i ? i - 1 : 0];

	if (!i || !p->mapped || p->object >= OBJECT_FILES)
		return;
	op->prot = p->prot;
	op->object = (uint8_t)p->object;
	op->offset = p->object ? (p->off + 1) * PAGE : 0;
	op->flags = (p->shared ? MAP_SHARED : MAP_PRIVATE) | (p->object ? 0 : MAP_ANONYMOUS) |
		    (p->noreserve ? MAP_NORESERVE : 0) | (p->growsdown ? MAP_GROWSDOWN : 0) |
		    (p->locked == 1 ? MAP_LOCKED : 0);
}

static void gen_mmap(struct gen *g, struct op *op)
{
	unsigned kind = (unsigned)below(g, 10);
	bool beside = op->kind != KIND_MMAP_ANY && !one_in(g, 3);
	struct range r = beside ? pick_gap(g) : one_in(g, 2) ? pick_any(g, 40) : pick(g);

	set_range(g, op, r);
	if (op->kind == KIND_MMAP_ANY && one_in(g, 40))
		op->len = 512 * PAGE;            /* placed for huge pages                                          */
	if (op->len > 64 * PAGE && op->kind != KIND_MMAP_ANY)
		op->len = 64 * PAGE;
	if (one_in(g, 16))
		op->len -= 1 + below(g, PAGE - 1);       /* rounded up                                             */
	op->prot = pick_prot(g);
	op->flags = kind < 6 || kind == 9 ? MAP_PRIVATE : MAP_SHARED;
	if (kind >= 7) {
		op->object = kind == 7 || one_in(g, 2) ? OBJECT_A : OBJECT_B;
		op->offset = (r.lo + (one_in(g, 4) ? below(g, 400) : 0)) % (OBJECT_PAGES + 64) * PAGE;
	} else {
		op->flags |= MAP_ANONYMOUS;
	}
	if (below(g, 100) < g->noreserve)
		op->flags |= MAP_NORESERVE;
	if (one_in(g, kind < 6 ? 24 : 100))
		op->flags |= MAP_GROWSDOWN;      /* of other than private anonymous memory: refused                */
	if (one_in(g, 10))
		op->flags |= MAP_LOCKED;
	if (beside)
		as_below(g, op);
	if ((op->flags & MAP_SHARED || g->private_writes) && one_in(g, 6))
		op->flags |= MAP_POPULATE;
	if (op->kind == KIND_MMAP_ANY)
		op->addr = 0;
	else if (op->kind == KIND_MMAP_HINT && one_in(g, 4))
		op->addr += below(g, PAGE);              /* a hint is rounded down                                 */
	else if (op->kind == KIND_MMAP_FIXED)
		op->flags |= MAP_FIXED;
	else if (op->kind == KIND_MMAP_NOREPLACE)
		op->flags |= MAP_FIXED_NOREPLACE;
	if (op->kind == KIND_MMAP_FIXED)
		return;
	/* aimed calls that must find room: try a few places */
	for (int i = 0; i < 4 && op->addr && one_in(g, 2) == 0; i++) {
		uint64_t page = pick_page(g), n = (op->len + PAGE - 1) / PAGE, k = 0;

		while (k < n && page + k < g->m->pages && !g->m->page[page + k].mapped)
			k++;
		if (k == n) {
			op->addr = at(g, page);
			break;
		}
	}
}

static void gen_mremap(struct gen *g, struct op *op)
{
	struct range r = pick(g), to;
	uint64_t n;

	if (op->kind == KIND_MREMAP_GROW) {      /* up to the VMA's end, or it cannot grow in place                */
		struct range whole;

		if (pick_whole(g, &whole))
			r = (struct range){whole.lo + below(g, whole.hi - whole.lo),
					   whole.hi - (one_in(g, 8) ? 1 : 0)};
		if (r.hi <= r.lo)
			r.hi = r.lo + 1;
	}
	n = r.hi - r.lo;
	set_range(g, op, r);
	op->new_len = op->len;
	op->flags = MREMAP_MAYMOVE;
	to = clamp(g, pick_page(g), n);
	switch (op->kind) {
	case KIND_MREMAP_SHRINK:
		op->new_len = (1 + below(g, n)) * PAGE;
		op->flags = one_in(g, 2) ? MREMAP_MAYMOVE : 0;
		if (one_in(g, 6))
			op->flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		break;
	case KIND_MREMAP_GROW:
		op->new_len += (1 + below(g, 16)) * PAGE;
		op->flags = one_in(g, 4) ? 0 : MREMAP_MAYMOVE;
		break;
	case KIND_MREMAP_MOVE:
		op->flags |= MREMAP_FIXED;
		if (one_in(g, 5))
			op->new_len += below(g, 8) * PAGE;
		break;
	default:
		op->flags |= MREMAP_DONTUNMAP | (one_in(g, 2) ? MREMAP_FIXED : 0);
		break;
	}
	if ((op->flags & MREMAP_FIXED) || (op->kind == KIND_MREMAP_DONTUNMAP && one_in(g, 2))) {
		op->new_addr = at(g, to.lo);
		if (to.lo + op->new_len / PAGE > g->m->pages)
			op->new_addr = at(g, g->m->pages) - op->new_len;
	}
}

static void gen_madvise(struct gen *g, struct op *op)
{
	static const uint8_t flags[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP,
		MADV_NOHUGEPAGE, MADV_HUGEPAGE, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_NORMAL, MADV_DOFORK, MADV_DODUMP, MADV_KEEPONFORK, MADV_UNMERGEABLE, MADV_NORMAL, MADV_DOFORK,
		MADV_DODUMP, MADV_UNMERGEABLE,   /* twice: flags go away, too                                      */
	};

	set_range(g, op, pick(g));
	if (op->kind == KIND_MADVISE_FLAG) {
		do {
			op->advice = flags[below(g, sizeof(flags))];
		} while (((g->lack & LACK_HUGEPAGE) &&
			  (op->advice == MADV_HUGEPAGE || op->advice == MADV_NOHUGEPAGE)) ||
			 ((g->lack & LACK_MERGEABLE) &&
			  (op->advice == MADV_MERGEABLE || op->advice == MADV_UNMERGEABLE)));
	} else if (op->kind == KIND_MADVISE_POPULATE) {
		op->advice = one_in(g, 2) ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;
	} else {
		op->advice = op->kind == KIND_MADVISE_DONTNEED ? MADV_DONTNEED :
			     op->kind == KIND_MADVISE_FREE ? MADV_FREE : MADV_WILLNEED;
	}
}

static void gen_brk(struct gen *g, struct op *op)
{
	uint64_t start = g->m->brk_start, now = g->m->brk;

	op->addr = one_in(g, 2) ? now + below(g, 12 * PAGE) : start + below(g, now - start + 1);
	if (one_in(g, 24))
		op->addr = one_in(g, 2) ? 0 : start - PAGE;
	if (op->addr > g->m->hi)
		op->addr = g->m->hi;
}

static void gen_msync(struct gen *g, struct op *op)
{
	static const uint8_t flags[] = { MS_SYNC, MS_SYNC, MS_SYNC, MS_ASYNC, MS_INVALIDATE, 0,
					 MS_SYNC | MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE };

	set_range(g, op, pick(g));
	op->flags = flags[below(g, sizeof(flags))];
}

/* Often back to its full length. What is cut off the last page lies behind the bytes that loads and stores touch. */
static void gen_resize(struct gen *g, struct op *op)
{
	op->object = one_in(g, 2) ? OBJECT_A : OBJECT_B;
	op->len = (one_in(g, 2) ? OBJECT_PAGES : below(g, OBJECT_PAGES + 1)) * PAGE;
	if (op->len && one_in(g, 4))
		op->len -= below(g, PAGE - 8);
}

/* In a child: a page that it or its parent has written; else `otherwise`. */
static struct range pick_copied(struct gen *g, struct range otherwise)
{
	const struct model *m = g->m;
	uint64_t i = pick_page(g);

	for (uint64_t tries = 0; tries < m->pages; tries++, i = i + 1 == m->pages ? 0 : i + 1)
		if (m->page[i].mapped && (m->page[i].copied || m->fork[m->forks - 1].page[i].copied))
			return (struct range){ i, i + 1 };
	return otherwise;
}

static void gen_touch(struct gen *g, struct op *op)
{
	struct range r = pick_vma(g);

	if (g->m->forks && !one_in(g, 4))
		r = pick_copied(g, r);
	for (int i = 0; i < 6 && op->kind == KIND_WRITE; i++) {  /* prefer what may be written                     */
		const struct model_page *p = &g->m->page[r.lo];

		if (p->mapped && (p->prot & PROT_WRITE) && (p->shared || gen_writes(g)))
			break;
		r = pick_vma(g);
	}
	/* below a stack: it grows, which makes a group like a write                                           */
	if (g->private_writes && one_in(g, 3) && g->m->page[r.lo].growsdown) {
		uint64_t depth = 1 + below(g, one_in(g, 2) ? 8 : 320);

		model_vma(g->m, r.lo, &r.lo, &r.hi);
		r.lo -= depth < r.lo ? depth : r.lo;
	}
	op->addr = at(g, r.lo);
	op->call = op->kind == KIND_READ ? OP_READ : OP_WRITE;
	op->value = 1 + (prng_next(&g->rng) >> 16);
}

static void gen_call(struct gen *g, struct op *op)
{
	const struct model_page *beneath;
	struct range r;

	switch (op->kind) {
	case KIND_MMAP_ANY: case KIND_MMAP_HINT: case KIND_MMAP_FIXED: case KIND_MMAP_NOREPLACE:
		op->call = OP_MMAP;
		gen_mmap(g, op);
		break;
	case KIND_MUNMAP:
		op->call = OP_MUNMAP;
		set_range(g, op, one_in(g, 24) ? pick_any(g, g->m->pages / 3) : pick(g));
		break;
	case KIND_MPROTECT:
		op->call = OP_MPROTECT;
		op->prot = pick_prot(g);
		set_range(g, op, pick(g));
		beneath = one_in(g, 3) ? NULL : pick_unlike(g, DIFFERS_PROT, &r);
		if (beneath) {
			set_range(g, op, r);
			op->prot = beneath->prot;
		}
		if (one_in(g, g->m->page[(op->addr - g->m->lo) / PAGE].growsdown ? 3 : 60))
			op->prot |= one_in(g, 8) ? PROT_GROWSUP : PROT_GROWSDOWN;
		break;
	case KIND_MREMAP_SHRINK: case KIND_MREMAP_GROW: case KIND_MREMAP_MOVE: case KIND_MREMAP_DONTUNMAP:
		op->call = OP_MREMAP;
		gen_mremap(g, op);
		break;
	case KIND_BRK:
		op->call = OP_BRK;
		gen_brk(g, op);
		break;
	case KIND_MSYNC:
		op->call = OP_MSYNC;
		gen_msync(g, op);
		break;
	case KIND_RESIZE:
		op->call = OP_RESIZE;
		gen_resize(g, op);
		return;
	case KIND_MLOCK: case KIND_MUNLOCK:
		op->call = op->kind == KIND_MLOCK ? OP_MLOCK : OP_MUNLOCK;
		set_range(g, op, pick(g));
		op->flags = op->kind == KIND_MLOCK && !one_in(g, 3) ? MLOCK_ONFAULT : 0;
		beneath = one_in(g, 3) ? NULL : pick_unlike(g, DIFFERS_LOCK, &r);
		if (beneath && !beneath->locked == (op->kind == KIND_MUNLOCK)) {
			set_range(g, op, r);
			op->flags = beneath->locked == 2 ? MLOCK_ONFAULT : 0;
		}
		if (one_in(g, 16))
			op->addr += 1 + below(g, PAGE - 1);      /* widened to pages                               */
		if (op->addr - g->m->lo + op->len > g->m->hi - g->m->lo)
			op->len = g->m->hi - op->addr;
		break;
	case KIND_FORK: case KIND_EXIT:
		op->call = op->kind == KIND_FORK ? OP_FORK : OP_EXIT;
		return;
	case KIND_READ: case KIND_WRITE:
		gen_touch(g, op);
		return;
	default:
		op->call = OP_MADVISE;
		gen_madvise(g, op);
		break;
	}
	if (one_in(g, 40))
		gen_spoil(g, op);
}

static bool lacking(const struct gen *g, unsigned kind)
{
	return (kind == KIND_BRK && (g->lack & LACK_BRK)) ||
	       (kind == KIND_MREMAP_DONTUNMAP && (g->lack & LACK_DONTUNMAP)) ||
	       (kind == KIND_MADVISE_POPULATE && (g->lack & LACK_POPULATE));
}

static unsigned pick_kind(struct gen *g)
{
	unsigned total = 0, kind;
	uint64_t dice;

	if (g->forks && g->m->forks && one_in(g, CHILD_LIVES))
		return KIND_EXIT;
	if (g->forks && g->m->forks < DEEPEST && one_in(g, FORK_AFTER))
		return KIND_FORK;
	if (g->forks && g->m->forks && one_in(g, 4))
		return one_in(g, 2) ? KIND_READ : KIND_WRITE;
	for (kind = 0; kind < KIND_COUNT; kind++)
		total += weight[kind];
	dice = below(g, total);
	for (kind = 0; dice >= weight[kind]; kind++)
		dice -= weight[kind];
	/* keep about half of the region mapped */
	if ((kind == KIND_MMAP_ANY || kind == KIND_MMAP_HINT) && g->m->used > g->m->pages * 6 / 10 && one_in(g, 2))
		kind = KIND_MUNMAP;
	return kind;
}

void gen_next(struct gen *g, struct op *op)
{
	if (g->limits) {
		*op = (struct op){ .kind = KIND_READ, .call = OP_LIMIT, .new_len = 20 + below(g, 100),
				   .len = g->m->pages / 4 + below(g, g->m->pages / 4),
				   .new_addr = one_in(g, 2) ? 64 + below(g, 512) : 0 };
		g->limits = false;
		return;
	}
	do {
		*op = (struct op){ .kind = 0 };
		do {
			op->kind = (uint8_t)pick_kind(g);
		} while (lacking(g, op->kind));
		gen_call(g, op);
		if (g->lack & LACK_NORESERVE)
			op->flags &= op->call == OP_MMAP ? ~MAP_NORESERVE : ~0;
	} while (!gen_allows(g, op));
	g->calls += op->kind < KIND_CALLS;
}
