/* SPDX-License-Identifier: MIT */
/*
 * test_listing.c - promise P-4: scanners beside writers that split, shrink, merge, replace, grow and move without end,
 * under every policy for threads. What is listed stood whole at some instant; what is mapped throughout is not missed;
 * what is only replaced shows no hole; in one walk the ends rise, and what overlaps has changed meanwhile; and no
 * scanner delays a writer (counted: a writer alone beside two scanners is never blocked). Also while leaves are parted
 * and joined, since others enter them all the time. Under `none` one thread lists between its changes: then the same
 * check knows one right answer.
 *
 * Between the regions (region.h) stand anchors: VMAs of one page that nobody touches, in the same leaves.
 * Usage: test_listing [--policy NAME] [--listings N] [--seed N]     N listings (calls) under each policy
 *
 * mutant: replace_unpublishes_first
 * mutant: vtree_list_apart
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/point.h"
#include "locks/policy/policy.h"
#include "tests/listing/region.h"
#include "tests/options.h"
#include "vmmap/space/space.h"

#define SCANNERS  2
#define COLLIDERS 2
#define CHANGES   200                                    /* of each region, at least                               */
#define BESIDE    8                                      /* anchors on either side of a place                      */
#define ANCHORS   (2 * BESIDE * (REGIONS + 1))
#define PAGE      PAGE_BYTES
#define TEXT      (64 * 1024)

struct stage {
	struct vmmap *map;
	struct physmem *memory;
	struct region region[REGIONS];
	uint64_t anchor[ANCHORS];
	unsigned anchors;
	uint64_t wanted;                                 /* listings                                               */
	atomic_u64 listings, vmas, wrong, failed, blocked;
	atomic_u32 stop;
};

struct scanner {
	pthread_t thread;
	struct stage *s;
	struct prng random;
	uint64_t lo[REGIONS];                            /* of each window: before what is looked at now           */
	uint64_t was[REGIONS];                           /* the same, of the step before                           */
	uint64_t next;                                   /* all below has been listed                              */
	char text[TEXT];                                 /* of print_maps                                          */
};

struct writer { pthread_t thread; struct stage *s; unsigned first, n; };

/* ---- the check of one step: what was listed from `next` on ---- */

static void wrong(struct scanner *c, const char *what, const struct vmmap_vma *v)
{
	static const struct vmmap_vma none;
	struct region *r;

	if (atomic_add_relaxed(&c->s->wrong, 1))
		return;
	v = v ? v : &none;
	r = region_over(c->s->region, v->start);
	fprintf(stderr, "listed from %#" PRIx64 " on: %#" PRIx64 "-%#" PRIx64 " prot %d advice %#x object %" PRIu64
		" offset %#" PRIx64 ": %s\n", c->next, v->start, v->end, v->prot, v->advice, v->object, v->offset,
		what);
	if (r)
		fprintf(stderr, "  region %d, changes %" PRIu64 " to %" PRIu64 "\n", r->kind, c->lo[r->kind],
			region_after(r));
}

static void look_before(struct scanner *c)
{
	memcpy(c->was, c->lo, sizeof(c->was));
	for (unsigned i = 0; i < REGIONS; i++)
		c->lo[i] = region_before(&c->s->region[i]);
}

static struct window window_of(const struct scanner *c, const struct region *r)
{
	return (struct window){ c->lo[r->kind], region_after(r) };
}

/* The first anchor at or above addr. */
static unsigned anchor_from(const struct stage *s, uint64_t addr)
{
	unsigned lo = 0, hi = s->anchors;

	while (lo < hi) {
		unsigned middle = (lo + hi) / 2;

		if (s->anchor[middle] < addr)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static void check_hole(struct scanner *c, uint64_t lo, uint64_t hi)
{
	struct stage *s = c->s;
	unsigned anchor = anchor_from(s, lo);

	if (anchor < s->anchors && s->anchor[anchor] < hi)
		wrong(c, "an anchor is missing", &(struct vmmap_vma){ .start = s->anchor[anchor] });
	for (unsigned i = 0; i < 2 * REGIONS; i++) {
		struct region *r = &s->region[i / 2];
		uint64_t from = r->at[i % 2], to = from + SPAN;

		from = from > lo ? from : lo;
		to = to < hi ? to : hi;
		if (r->at[i % 2] && from < to && !region_may_miss(r, window_of(c, r), from, to))
			wrong(c, "a hole", &(struct vmmap_vma){ .start = from, .end = to });
	}
}

static int anchor_prot(uint64_t addr) { return addr / PAGE % 4 < 2 ? PROT_READ : PROT_READ | PROT_EXEC; }

static void check_vma(struct scanner *c, const struct vmmap_vma *v)
{
	struct region *r = region_over(c->s->region, v->start);
	unsigned anchor = anchor_from(c->s, v->start);
	const char *what;

	if (v->end <= v->start || v->end <= c->next) {
		wrong(c, "not above what came before", v);
	} else if (r) {
		what = region_check(r, window_of(c, r), v);
		if (what)
			wrong(c, what, v);
	} else if (anchor == c->s->anchors || c->s->anchor[anchor] != v->start || v->end != v->start + PAGE ||
		   v->prot != anchor_prot(v->start) || v->object) {
		wrong(c, "an anchor that is another", v);
	}
}

/* One VMA of a walk, or the answer of a query (v NULL: nothing more). */
static void step(struct scanner *c, const struct vmmap_vma *v)
{
	uint64_t start = v ? v->start : UINT64_C(1) << 47;

	if (start > c->next)
		check_hole(c, c->next, start);
	if (v) {
		check_vma(c, v);
		atomic_add_relaxed(&c->s->vmas, 1);
	}
}

/* A VMA is told whole: it begins below the end of the one before only if it has changed since that was told. */
static void check_overlap(struct scanner *c, const struct vmmap_vma *v)
{
	struct region *r = region_over(c->s->region, v->start);

	if (v->start < c->next && (!r || region_after(r) == c->was[r->kind]))
		wrong(c, "overlaps what came before", v);
}

/* ---- three ways to list ---- */

static int walked(const struct vmmap_vma *v, void *arg)
{
	struct scanner *c = arg;

	check_overlap(c, v);
	step(c, v);
	c->next = v->end;
	look_before(c);
	return atomic_load_relaxed(&c->s->wrong) != 0;
}

static void walk(struct scanner *c)
{
	c->next = 0;
	look_before(c);
	if (vmmap_walk(c->s->map, 0, UINT64_MAX, walked, c) == 0)
		step(c, NULL);
}

static void query(struct scanner *c)
{
	struct region *r = &c->s->region[prng_below(&c->random, REGIONS)];
	uint64_t at = r->at[r->at[1] ? prng_below(&c->random, 2) : 0];
	struct vmmap_vma v;
	int err;

	c->next = at + prng_below(&c->random, SPAN);
	look_before(c);
	err = vmmap_query(c->s->map, c->next, &v);
	c->next &= ~(PAGE - 1);
	step(c, err ? NULL : &v);
}

/* The line of a VMA, as proc_pid_maps(5) has it. */
static bool parse(const char *line, struct vmmap_vma *v)
{
	unsigned long long start, end, offset, object;
	char perm[5];

	if (sscanf(line, "%llx-%llx %4s %llx 00:00 %llu", &start, &end, perm, &offset, &object) != 5)
		return false;
	*v = (struct vmmap_vma){ .start = start, .end = end, .offset = offset, .object = object,
				 .advice = REGION_UNTOLD, .flags = perm[3] == 's' ? MAP_SHARED : MAP_PRIVATE };
	v->prot = (perm[0] == 'r' ? PROT_READ : 0) | (perm[1] == 'w' ? PROT_WRITE : 0) |
		  (perm[2] == 'x' ? PROT_EXEC : 0);
	return true;
}

static void print(struct scanner *c)
{
	FILE *out = fmemopen(c->text, TEXT, "w");
	struct vmmap_vma v;

	if (!out)
		abort();
	c->next = 0;
	look_before(c);
	if (vmmap_print_maps(c->s->map, out))
		wrong(c, "print_maps failed", NULL);
	fclose(out);
	for (const char *line = c->text; *line; line = strchr(line, '\n') + 1) {
		if (!parse(line, &v)) {
			wrong(c, "a line of print_maps", NULL);
			break;
		}
		memcpy(c->was, c->lo, sizeof(c->was));   /* one window for all lines */
		check_overlap(c, &v);
		step(c, &v);
		c->next = v.end;
	}
	step(c, NULL);
}

static void scan_once(struct scanner *c)
{
	unsigned how = (unsigned)prng_below(&c->random, 64);

	if (how == 0)
		print(c);
	else if (how < 16)
		walk(c);
	else
		query(c);
	atomic_add_relaxed(&c->s->listings, 1);
}

static void *scan(void *arg)
{
	struct scanner *c = arg;

	while (!atomic_load_relaxed(&c->s->stop) && !atomic_load_relaxed(&c->s->wrong))
		scan_once(c);
	return NULL;
}

/* ---- the writers ---- */

static void *churn(void *arg)
{
	struct writer *w = arg;
	struct stage *s = w->s;
	uint64_t blocked = vmmap_blocked_self();
	unsigned i = 0;

	while (!atomic_load_relaxed(&s->stop)) {
		if (!region_change(&s->region[w->first + i]))
			atomic_add_relaxed(&s->failed, 1);
		i = (i + 1) % w->n;
	}
	atomic_add_relaxed(&s->blocked, vmmap_blocked_self() - blocked);
	return NULL;
}

/* In and out of the leaves of the regions: who meets others there often has the leaf parted. */
static void *collide(void *arg)
{
	struct stage *s = arg;
	struct prng random = prng_seed(7, thread_self()->number);

	while (!atomic_load_relaxed(&s->stop)) {
		const struct region *r = &s->region[prng_below(&random, REGIONS)];
		uint64_t at = r->at[r->at[1] ? prng_below(&random, 2) : 0] + prng_below(&random, SPAN / PAGE) * PAGE;
		struct vtree_section section;

		vtree_enter(&s->map->tree, thread_self(), at, &section);
		for (unsigned i = 0; i < 300; i++)
			atomic_pause();
		vtree_leave(&section);
	}
	return NULL;
}

static bool enough(const struct stage *s)
{
	if (atomic_load_relaxed(&((struct stage *)(uintptr_t)s)->wrong))
		return true;
	for (unsigned i = 0; i < REGIONS; i++)
		if (region_before(&s->region[i]) < CHANGES)
			return false;
	return atomic_load_relaxed(&((struct stage *)(uintptr_t)s)->listings) >= s->wanted;
}

/* ---- the stage ---- */

static void add_anchors(struct stage *s, uint64_t place)
{
	for (unsigned i = 0; i < 2 * BESIDE; i++) {
		uint64_t addr = i < BESIDE ? place - 2 * (BESIDE - i) * PAGE :
					     place + SPAN + (2 * (i - BESIDE) + 1) * PAGE;

		if (vmmap_mmap(s->map, addr, PAGE, anchor_prot(addr), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL,
			       0) != (int64_t)addr)
			abort();
		s->anchor[s->anchors++] = addr;
	}
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct stage *stage_open(const char *policy, uint64_t wanted)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	struct stage *s = calloc(1, sizeof(*s));

	memory.pages = 1 << 12;
	config.policy = policy;
	if (!s || physmem_create(&s->memory, &memory))
		abort();
	config.physmem = s->memory;
	if (vmmap_create(&s->map, &config))
		abort();
	s->wanted = wanted;
	for (unsigned i = 0; i < REGIONS; i++) {
		region_open(&s->region[i], s->map, (enum region_kind)i, s->memory);
		for (unsigned p = 0; p < 2; p++)
			if (s->region[i].at[p])
				add_anchors(s, s->region[i].at[p]);
	}
	qsort(s->anchor, s->anchors, sizeof(s->anchor[0]), ascending);
	return s;
}

static uint64_t stage_close(struct stage *s)
{
	uint64_t bad;

	for (unsigned i = 0; i < REGIONS; i++)
		region_close(&s->region[i]);
	bad = vmmap_audit(s->map, stderr);
	vmmap_destroy(s->map);
	physmem_destroy(s->memory);
	free(s);
	return bad;
}

/* Tells what was done, and closes the stage. */
static bool verdict(struct stage *s, const char *policy, unsigned writers, uint64_t bad)
{
	uint64_t changes = 0;

	for (unsigned i = 0; i < REGIONS; i++)
		changes += region_before(&s->region[i]);
	bad += atomic_load_relaxed(&s->wrong) + atomic_load_relaxed(&s->failed);
	printf("%-10s %u writers%s: %8" PRIu64 " listings of %9" PRIu64 " VMAs beside %8" PRIu64 " changes, ", policy,
	       writers, s->region[0].parted ? ", leaves parted" : "", atomic_load_relaxed(&s->listings),
	       atomic_load_relaxed(&s->vmas), changes);
	bad += stage_close(s);
	printf("%" PRIu64 " tears\n", bad);
	fflush(stdout);
	return bad == 0;
}

/* One thread: some listings after each change. */
static bool run_alone(const char *policy, uint64_t wanted, uint64_t seed)
{
	struct stage *s = stage_open(policy, wanted);
	struct scanner *c = calloc(1, sizeof(*c));
	bool good;

	c->s = s;
	c->random = prng_seed(seed, 0);
	for (unsigned i = 0; !enough(s); i = (i + 1) % REGIONS) {
		if (!region_change(&s->region[i]))
			atomic_add_relaxed(&s->failed, 1);
		for (unsigned n = 0; n < 4; n++)
			scan_once(c);
	}
	good = verdict(s, policy, 1, 0);
	free(c);
	return good;
}

static bool run(const char *policy, uint64_t wanted, unsigned writers, unsigned colliders, uint64_t seed)
{
	struct stage *s = stage_open(policy, wanted);
	struct scanner *scanner = calloc(SCANNERS, sizeof(*scanner));
	struct writer writer[REGIONS];
	pthread_t collider[COLLIDERS];
	uint64_t blocked;
	bool good;

	for (unsigned i = 0; i < REGIONS; i++)
		s->region[i].parted = colliders > 0;
	for (unsigned i = 0; i < colliders; i++)
		if (pthread_create(&collider[i], NULL, collide, s))
			abort();
	for (unsigned i = 0; i < writers; i++) {
		writer[i] = (struct writer){ .s = s, .first = writers > 1 ? i : 0, .n = writers > 1 ? 1 : REGIONS };
		if (pthread_create(&writer[i].thread, NULL, churn, &writer[i]))
			abort();
	}
	for (unsigned i = 0; i < SCANNERS; i++) {
		scanner[i].s = s;
		scanner[i].random = prng_seed(seed, i);
		if (pthread_create(&scanner[i].thread, NULL, scan, &scanner[i]))
			abort();
	}
	while (!enough(s))
		usleep(1000);
	atomic_store_relaxed(&s->stop, 1);
	for (unsigned i = 0; i < SCANNERS; i++)
		pthread_join(scanner[i].thread, NULL);
	for (unsigned i = 0; i < writers; i++)
		pthread_join(writer[i].thread, NULL);
	for (unsigned i = 0; i < colliders; i++)
		pthread_join(collider[i], NULL);
	blocked = writers == 1 ? atomic_load_relaxed(&s->blocked) : 0;
	if (blocked)
		fprintf(stderr, "the only writer was blocked %" PRIu64 " times\n", blocked);
	good = verdict(s, policy, writers, blocked);
	free(scanner);
	return good;
}

int main(int argc, char **argv)
{
	const char *mutant = getenv("VMMAP_MUTANT"), *only = option_text(argc, argv, "--policy", NULL);
	uint64_t wanted = option_number(argc, argv, "--listings", BUILT_WITH_TSAN ? 3000 : 20000);
	uint64_t seed = option_number(argc, argv, "--seed", clock_ns() >> 10);
	bool good = true;

	if (mutant && point_mutant_select(mutant))
		return 99;
	printf("seed %" PRIu64 "\n", seed);
	for (unsigned i = 0; lock_policy_at(i); i++) {
		const struct lock_policy *policy = lock_policy_at(i);

		if (only && strcmp(only, policy->name))
			continue;
		if (!(policy->caps & LOCK_CAP_THREADS)) {
			good &= run_alone(policy->name, wanted, seed);
			continue;
		}
		good &= run(policy->name, wanted, REGIONS, 0, seed);
		good &= run(policy->name, wanted / 4, 1, 0, seed + 1);
		good &= run(policy->name, wanted / 4, REGIONS, COLLIDERS, seed + 2);
	}
	return !good;
}
