/* SPDX-License-Identifier: MIT */
/* machine.c - see machine.h. */
#include "bench/machine.h"

#include <bsd/sys/tree.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmmap/physseg.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/prng.h"
#include "bench/noise.h"

#define BLOCK 8u                                 /* frames of which a fragment is left                              */
#define ALONE 256u                               /* frames of the only segment                                      */
#define WARM_NS 200u                             /* for each segment: other ways have used the caches meanwhile     */
#define CHUNK 256u                               /* lookups between two looks at the clock                          */

struct entry { uint64_t start, end; char *frames; };                     /* of the array: records of a segment      */
struct node { RB_ENTRY(node) link; struct entry e; };
RB_HEAD(tree, node);

struct machine {
	struct physseg_table *table, *sectioned;
	struct entry *entry;                     /* [segments + 1]: a sentinel behind the last                      */
	struct node *node;                       /* [segments]                                                      */
	struct tree tree;
	uint64_t segments, span;                 /* frames, from pfn 0                                              */
	unsigned flags;
	char *records;                           /* where the one of pfn 0 is: they are of a byte                   */
};

static struct machine *now;                      /* the rivals' */

/* ---- ways ---- */

static NOINLINE struct physseg_frame *look_find(struct physseg_table *t, uint64_t phys)
{
	uint64_t offset = 0, pfn = phys >> PAGE_SHIFT;
	struct physseg_handle h = physseg_find(t, pfn, &offset);

	return h.generation & 1 && offset < ALONE ? (void *)(now->records + pfn) : NULL;
}

/* The record of a frame, from the segment that was found: VM_PAGE of a segment's array. */
static struct physseg_frame *of_entry(const struct entry *e, uint64_t pfn)
{
	return pfn >= e->start && pfn < e->end ? (void *)(e->frames + (pfn - e->start)) : NULL;
}

/* As in NetBSD: below the entry, in it, or above. */
static int compare(const void *key, const void *element)
{
	const struct entry *e = element;
	uint64_t pfn = *(const uint64_t *)key;

	return pfn < e->start ? -1 : pfn >= e->end;
}

typedef void *bsearch_fn(const void *, const void *, size_t, size_t, int (*)(const void *, const void *));

/* libc's own code: through a pointer the compiler cannot see through, or it would inline a loop of its own making. */
static bsearch_fn *libc_bsearch(void)
{
	bsearch_fn *fn = bsearch;

	__asm__("" : "+r"(fn));
	return fn;
}

static NOINLINE struct physseg_frame *look_array(struct physseg_table *t, uint64_t phys)
{
	uint64_t pfn = phys >> PAGE_SHIFT;
	const struct entry *e = libc_bsearch()(&pfn, now->entry, now->segments, sizeof(*e), compare);

	(void)t;
	return e != NULL ? of_entry(e, pfn) : NULL;
}

static int by_start(const struct node *a, const struct node *b)
{
	return a->e.start < b->e.start ? -1 : a->e.start > b->e.start;
}

RB_GENERATE_INTERNAL(tree, node, link, by_start, static UNUSED)

static NOINLINE struct physseg_frame *look_tree(struct physseg_table *t, uint64_t phys)
{
	uint64_t pfn = phys >> PAGE_SHIFT;
	const struct node *n = RB_ROOT(&now->tree);

	(void)t;
	while (n != NULL && (pfn < n->e.start || pfn >= n->e.end))
		n = pfn < n->e.start ? RB_LEFT(n, link) : RB_RIGHT(n, link);
	return n != NULL ? of_entry(&n->e, pfn) : NULL;
}

machine_look *machine_looks(enum machine_way way)
{
	static machine_look *const looks[MACHINE_WAYS] = {
		NULL, physseg_phys_to_frame, physseg_phys_to_frame, physseg_phys_to_frame, look_find, look_array,
		look_tree,
	};

	return looks[way];
}

struct physseg_table *machine_table(struct machine *m, enum machine_way way)
{
	return way == MACHINE_SECTIONS ? m->sectioned : m->table;
}

/* ---- making one ---- */

static int plug(struct machine *m, uint64_t i, uint64_t start, uint64_t end)
{
	int err = physseg_plug(m->table, start, end - start, NULL);

	if (!err)
		err = physseg_plug(m->sectioned, start, end - start, NULL);
	if (err)
		return err;
	m->entry[i] = (struct entry){ start, end, (char *)physseg_phys_to_frame(m->table, start << PAGE_SHIFT) };
	m->node[i].e = m->entry[i];
	RB_INSERT(tree, &m->tree, &m->node[i]);
	return 0;
}

/* Frames of block i that are not there. */
static uint64_t gone(const struct machine *m, uint64_t i)
{
	return m->flags & MACHINE_WHOLE ? 0 : 1 + ((prng_mix(i) >> 32) * (BLOCK - 1) >> 32);
}

static int fill(struct machine *m)
{
	int err = m->segments == 1 ? plug(m, 0, 0, ALONE) : 0;

	for (uint64_t i = 0; i < m->segments && m->segments > 1 && !err; i++)
		err = plug(m, i, BLOCK * i + gone(m, i), BLOCK * (i + 1));
	m->records = m->entry[0].frames - m->entry[0].start;
	return err;
}

static int tables(struct machine *m)
{
	struct physseg_config config = PHYSSEG_CONFIG;
	int err;

	config.limit = m->span;
	err = physseg_create(&m->table, &config);
	config.sections = 1;
	return err ? err : physseg_create(&m->sectioned, &config);
}

int machine_create(struct machine **out, uint64_t segments, unsigned flags)
{
	struct machine *m = calloc(1, sizeof(*m));
	int err;

	CHECK(segments >= 1 && segments <= 1000000 && m != NULL);
	m->segments = segments;
	m->flags = flags;
	m->span = segments == 1 ? ALONE : BLOCK * segments;
	m->entry = calloc(segments + 1, sizeof(*m->entry));
	m->node = calloc(segments, sizeof(*m->node));
	RB_INIT(&m->tree);
	err = m->entry && m->node ? tables(m) : -ENOMEM;
	if (!err)
		err = fill(m);
	if (err)
		machine_destroy(m);
	else
		now = *out = m;
	return err;
}

void machine_destroy(struct machine *m)
{
	physseg_destroy(m->table);
	physseg_destroy(m->sectioned);
	free(m->entry);
	free(m->node);
	free(m);
}

/* ---- lookups ---- */

static ALWAYS_INLINE uint64_t draw(const struct machine *m, struct prng *random)
{
	uint64_t x = prng_next(random), i, first;

	if (m->segments == 1 || m->flags & MACHINE_HOLES)
		return (uint64_t)((unsigned __int128)x * (m->span << PAGE_SHIFT) >> 64);
	i = (x >> 32) * m->segments >> 32;
	first = gone(m, i);
	return ((BLOCK * i + first) << PAGE_SHIFT) + ((x & UINT32_MAX) * ((BLOCK - first) << PAGE_SHIFT) >> 32);
}

static bool there(const struct machine *m, uint64_t pfn)
{
	return m->segments == 1 || pfn % BLOCK >= gone(m, pfn / BLOCK);
}

void machine_draw(struct machine *m, uint64_t *phys, unsigned n, uint64_t seed)
{
	struct prng random = prng_seed(seed, 6);

	for (unsigned i = 0; i < n; i++)
		phys[i] = draw(m, &random);
}

/* Whose frame that is. Records in one array: by their place, so that nothing is measured but the lookup. */
static ALWAYS_INLINE uint64_t address(struct machine *m, struct physseg_table *t, const struct physseg_frame *frame)
{
	if (frame == NULL)
		return PHYSSEG_NONE;
	return t == m->sectioned ? physseg_frame_to_phys(t, frame)
				 : (uint64_t)((const char *)frame - m->records) << PAGE_SHIFT;
}

/* What makes the next address wait for this result: 0, which the compiler must not know. */
static ALWAYS_INLINE uint64_t tie(uint64_t found)
{
	__asm__("" : "+r"(found));
	return found >> 62 & 1 & ~(found >> 63);
}

/* The same for what is read of a record. */
static ALWAYS_INLINE uint64_t tie_record(const struct physseg_frame *frame)
{
	uint8_t read = frame != NULL ? *(const uint8_t *)frame : 0;

	__asm__("" : "+r"(read));
	return read >> 1;
}

static ALWAYS_INLINE void look_up_by(struct machine *m, enum machine_way way, struct prng *random, uint64_t n)
{
	struct physseg_table *t = machine_table(m, way);
	machine_look *look = machine_looks(way);
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t phys = draw(m, random), is = phys & ~(PAGE_BYTES - 1), found = is;
		const struct physseg_frame *frame = NULL;

		if (m->flags & MACHINE_HOLES && !there(m, phys >> PAGE_SHIFT))
			found = is = PHYSSEG_NONE;
		if (look != NULL) {
			frame = look(t, phys);
			found = address(m, t, frame);
		}
		random->state += tie(found) + (way == MACHINE_READ ? tie_record(frame) : 0);
		wrong += found != is;
	}
	CHECK(wrong == 0);
}

/* Three loops, so that none asks which it is. */
static void look_up(struct machine *m, enum machine_way way, struct prng *random, uint64_t n)
{
	if (way == MACHINE_LOOP)
		look_up_by(m, MACHINE_LOOP, random, n);
	else if (way == MACHINE_READ)
		look_up_by(m, MACHINE_READ, random, n);
	else
		look_up_by(m, way, random, n);
}

uint64_t machine_lookups(struct machine *m, enum machine_way way, uint64_t n, uint64_t seed)
{
	struct prng random = prng_seed(seed, 7);
	uint64_t begin;

	now = m;
	begin = clock_ns();
	look_up(m, way, &random, n);
	return clock_ns() - begin;
}

struct job { const struct machine_arm *arm; uint64_t seed, ops, ns, switches; };

static void one_thread(void *ctx, unsigned index)
{
	struct job *job = ctx;
	const struct machine_arm *arm = job->arm;
	struct prng random = prng_seed(job->seed, index);
	uint64_t length = (uint64_t)(arm->ms * 1e6), switches = noise_switches(), begin = 0, t;
	uint64_t cold = WARM_NS * arm->machine->segments, warm_until = clock_ns() + (cold > length ? cold : length) / 2;

	now = arm->machine;
	do {
		look_up(now, arm->way, &random, CHUNK);
		t = clock_ns();
		if (begin)
			job->ops += CHUNK;
		else if (t >= warm_until)
			begin = t;
	} while (!begin || t < begin + length);
	job->ns = t - begin;
	job->switches = noise_switches() - switches;
}

int machine_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct job job = { .arm = ctx, .seed = seed };

	memset(out, 0, sizeof(*out));
	gang_run(job.arm->gang, 1, one_thread, &job);
	out->rate = (double)job.ops * 1e9 / (double)job.ns;
	out->ops = job.ops;
	out->switches = job.switches;
	out->proven = true;                      /* each lookup was checked                                         */
	return 0;
}
