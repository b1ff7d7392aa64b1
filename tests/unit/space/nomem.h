/* SPDX-License-Identifier: MIT */
/*
 * nomem.h - for test_nomem: one call, in which the n-th allocation fails, or the n-th need (which pools would have met:
 * base/site.h), or in which only n - 1 frames are left; what must hold afterwards; and the books of which sites were
 * asked and refused in which call.
 *
 * A call may be made by a stranger: a thread that has nothing yet of what slots keep of a map. It may have a deadline,
 * far off: what gives up takes other ways inside. Then the failure comes first there, too.
 */
#ifndef TESTS_UNIT_SPACE_NOMEM_H
#define TESTS_UNIT_SPACE_NOMEM_H

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/park.h"
#include "base/thread.h"
#include "tests/badargs/unchanged.h"
#include "vmmap/space/space.h"

#if defined(__SANITIZE_ADDRESS__)
#define NOMEM_SLOW 1
#else
#define NOMEM_SLOW BUILT_WITH_TSAN
#endif

enum {
	WANT_PARTIAL = 1,                        /* populates: what it has faulted in stays                        */
	WANT_STEPS = 2,                          /* moves VMA by VMA: those that it had moved stay moved           */
	WANT_ARENAS = 4,                         /* in a map that places in arenas                                 */
	WANT_LIMITS = 8,                         /* in a map with limits, far away: windows and marks come in      */
	WANT_ALIKE = 16,                         /* most of its wants are one want that comes again, VMA by VMA    */
	WANT_NO_MAP = 32,                        /* has nothing to do with a map: one policy is enough             */
};

struct want {
	const char *what;
	int64_t (*call)(struct vmmap *map, uint64_t page);
	unsigned places;
	const char *of;                          /* the public functions that it stands for, and their _until forms */
	unsigned how;
	void (*before)(struct vmmap *map, uint64_t page);        /* done first; nothing fails there                */
};

enum nomem_kind { NOMEM_MEMORY, NOMEM_NEEDS, NOMEM_FRAMES };

struct nomem {
	const struct want *w;
	struct vmmap *map;
	enum nomem_kind kind;
	bool stranger, deadline, lasts;          /* lasts: every allocation from the n-th on                      */
	uint64_t page, n;
	bool fired;                              /* out: it came to that                                           */
	unsigned wrong;                          /* out                                                            */
};

/* ---- the books ---- */

#define NOMEM_SITES 1024
#define NOMEM_ROWS  128

static uint8_t nomem_asked[NOMEM_ROWS][NOMEM_SITES];
static uint32_t nomem_refused[NOMEM_ROWS][NOMEM_SITES];

static unsigned nomem_sites(void)
{
	assert_in_range(__stop_vmmap_sites - __start_vmmap_sites, 1, NOMEM_SITES);
	return (unsigned)(__stop_vmmap_sites - __start_vmmap_sites);
}

/* "space/map.c": enough to know a file by. */
static const char *nomem_file(const struct site *s)
{
	const char *end = strrchr(s->file, '/');

	while (end && end > s->file && end[-1] != '/')
		end--;
	return end ? end : s->file;
}

/* Of the library, not of a test. */
static bool nomem_ours(const struct site *s)
{
	return !strstr(s->file, "/tests/");
}

/* For what this thread asks: a round of retired items may come in between, or while the books are read. */
static void nomem_books_open(void)
{
	site_hear_only_me();
	for (struct site **s = __start_vmmap_sites; s < __stop_vmmap_sites; s++) {
		atomic_store_relaxed(&(*s)->asked, 0);
		atomic_store_relaxed(&(*s)->refused, 0);
	}
}

/* True: a frame was refused. */
static bool nomem_books_close(unsigned row)
{
	bool frames = false;

	for (unsigned i = 0; i < nomem_sites(); i++) {
		const struct site *s = __start_vmmap_sites[i];
		uint32_t refused = atomic_load_relaxed(&s->refused);

		nomem_asked[row][i] |= atomic_load_relaxed(&s->asked) != 0;
		nomem_refused[row][i] += refused;
		frames |= refused && s->kind == SITE_FRAME;
	}
	return frames;
}

/* ---- frames: all but so many are taken ---- */

#define NOMEM_FRAMES_MAX (1u << 11)

static uint64_t nomem_pfn[NOMEM_FRAMES_MAX];
static unsigned nomem_taken;

static void nomem_frames_take(uint64_t left)
{
	uint64_t pfn;

	while (nomem_taken < NOMEM_FRAMES_MAX && (pfn = physmem_frame_alloc(maps_memory)) != PHYSMEM_NONE)
		nomem_pfn[nomem_taken++] = pfn;
	while (left-- && nomem_taken)
		physmem_frame_free(maps_memory, nomem_pfn[--nomem_taken]);
}

static void nomem_frames_give(void)
{
	while (nomem_taken)
		physmem_frame_free(maps_memory, nomem_pfn[--nomem_taken]);
}

/* ---- one call ---- */

/* Set by the `before` of a row that has more to look at than the crowded map: how much of it is wrong after a call that
 * said this. */
static unsigned (*nomem_after)(struct vmmap *map, int64_t got);

/* Pages that hold their own number. */
static const struct { uint64_t from, to, step; } nomem_written[] = { { 2, 320, 4 }, { 1000, 3000, 512 },
								     { 5010, 5011, 1 } };

static void nomem_write(struct vmmap *map)
{
	for (unsigned i = 0; i < ARRAY_SIZE(nomem_written); i++)
		for (uint64_t p = nomem_written[i].from; p < nomem_written[i].to; p += nomem_written[i].step)
			assert_int_equal(vmmap_write(map, BASE + p * PAGE, &p, sizeof p), sizeof p);
}

static unsigned nomem_lost(struct vmmap *map)
{
	unsigned lost = 0;
	uint64_t has;

	for (unsigned i = 0; i < ARRAY_SIZE(nomem_written); i++)
		for (uint64_t p = nomem_written[i].from; p < nomem_written[i].to; p += nomem_written[i].step)
			lost += vmmap_read(map, BASE + p * PAGE, &has, sizeof has) != sizeof has || has != p;
	return lost;
}

static void nomem_say(const struct nomem *t, const char *what, int64_t number)
{
	print_error("%s at %llu%s%s, %s %llu%s: %s %lld\n", t->w->what, (unsigned long long)t->page,
		    t->stranger ? ", a stranger" : "", t->deadline ? ", with a deadline" : "",
		    t->kind == NOMEM_FRAMES ? "frame" : t->kind == NOMEM_NEEDS ? "need" : "allocation",
		    (unsigned long long)t->n,
		    t->lasts ? " and all after it" : "", what, (long long)number);
}

static void nomem_resident(uint64_t addr, uint64_t entry, void *arg)
{
	(void)addr;
	*(uint64_t *)arg += pt_has_frame(entry);
}

/* VMAs, and how much is resident. To be freed. vmmap_get_usage would go through the VMAs once more: a third of the time
 * of this program. */
static char *nomem_listing(const struct nomem *t)
{
	struct thread_slot *self = thread_self();
	uint64_t resident = 0;
	size_t bytes;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_int_equal(vmmap_walk(t->map, 0, UINT64_MAX, listing_line, out), 0);
	rcu_enter(self);
	pt_walk(&t->map->pt, (struct lock_range){ 0, ADDRESS_END }, nomem_resident, &resident);
	rcu_leave(self);
	if (!(t->w->how & WANT_PARTIAL))
		fprintf(out, "%llu resident\n", (unsigned long long)resident);
	fclose(out);
	return text;
}

static unsigned nomem_changed(const struct nomem *t, const char *before)
{
	char *after = nomem_listing(t);
	unsigned wrong = strcmp(before, after) != 0;

	if (wrong) {
		print_error("changed the map from\n%sto\n%s", before, after);
		nomem_say(t, "changed VMAs or usage", 0);
	}
	free(after);
	return wrong;
}

/* Contents. */
static unsigned nomem_forgot(const struct nomem *t)
{
	unsigned lost = nomem_lost(t->map);

	if (lost)
		nomem_say(t, "pages that lost what was stored:", lost);
	return lost;
}

/* What the row itself looks at. */
static void nomem_look(struct nomem *t, int64_t got)
{
	unsigned wrong = nomem_after ? nomem_after(t->map, got) : 0;

	if (wrong)
		nomem_say(t, "things beside the map that are wrong:", wrong);
	t->wrong += wrong;
}

static int64_t nomem_fail(struct nomem *t, unsigned row)
{
	uint64_t deadline = PARK_FOREVER;
	int64_t got;

	if (t->kind == NOMEM_FRAMES)
		nomem_frames_take(t->n - 1);
	nomem_books_open();
	if (t->deadline)
		deadline = thread_deadline(thread_self(), clock_ns() + UINT64_C(600000000000));
	if (t->kind == NOMEM_MEMORY && t->lasts)
		mem_fail_from(t->n);
	else if (t->kind == NOMEM_MEMORY)
		mem_fail_nth(t->n);
	else if (t->kind == NOMEM_NEEDS)
		site_refuse_nth(t->n, t->lasts);
	got = t->w->call(t->map, t->page);
	t->fired = mem_fail_fired() || (t->kind == NOMEM_NEEDS && site_refuse_fired());
	mem_fail_nth(0);
	site_refuse_nth(0, false);
	if (t->deadline)
		thread_deadline(thread_self(), deadline);
	if (nomem_books_close(row) && t->kind == NOMEM_FRAMES)
		t->fired = true;
	nomem_frames_give();
	return got;
}

/* On the thread that calls. */
static void nomem_run(struct nomem *t, unsigned row)
{
	char *before = nomem_listing(t);
	int64_t got = nomem_fail(t, row);

	nomem_look(t, got);
	if (got == -ENOMEM && t->fired) {
		if (!(t->w->how & WANT_STEPS))
			t->wrong += nomem_changed(t, before) + nomem_forgot(t);
		if (vmmap_audit(t->map, stderr)) {
			nomem_say(t, "the map is not sound after", got);
			t->wrong++;
		}
		got = t->w->call(t->map, t->page);
		nomem_look(t, got);
		if (t->w->how & WANT_STEPS && got == -EFAULT)
			got = 0;
	}
	free(before);
	if (got < 0) {
		nomem_say(t, "then the call said", got);
		t->wrong++;
	}
}

struct nomem_stranger { struct nomem *t; unsigned row; };

static void *nomem_stranger_main(void *arg)
{
	struct nomem_stranger *s = arg;

	nomem_run(s->t, s->row);
	return NULL;
}

static void nomem_run_by(struct nomem *t, unsigned row)
{
	struct nomem_stranger s = { t, row };
	pthread_t thread;

	if (!t->stranger) {
		nomem_run(t, row);
		return;
	}
	assert_int_equal(pthread_create(&thread, NULL, nomem_stranger_main, &s), 0);
	pthread_join(thread, NULL);
}

/* ---- the table ---- */

/* What is never refused in this program, and why. */
struct spared { const char *file, *function, *why; };

static bool nomem_same(const struct site *a, const struct site *b)
{
	return a->line == b->line && !strcmp(a->file, b->file);
}

/* A site in an inline function is one per file that uses it. */
static uint64_t nomem_sum(unsigned row, unsigned site)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nomem_sites(); i++)
		if (nomem_same(__start_vmmap_sites[i], __start_vmmap_sites[site]))
			sum += nomem_refused[row][i];
	return sum;
}

/* Refused in this row: the site of that function. */
static uint64_t nomem_refusals(unsigned row, const char *file, const char *function)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nomem_sites(); i++)
		if (!strcmp(nomem_file(__start_vmmap_sites[i]), file) &&
		    !strcmp(__start_vmmap_sites[i]->function, function))
			sum += nomem_refused[row][i];
	return sum;
}

static bool nomem_first(unsigned site)
{
	for (unsigned i = 0; i < site; i++)
		if (nomem_same(__start_vmmap_sites[i], __start_vmmap_sites[site]))
			return false;
	return true;
}

/* Memory that this row asks for, and was never refused; or a need of its that no row was refused. Frames: all are. */
static bool nomem_missed(unsigned row, enum nomem_kind kind)
{
	for (unsigned i = 0; i < nomem_sites(); i++) {
		const struct site *s = __start_vmmap_sites[i];
		uint64_t sum = 0;

		if (s->kind != (kind == NOMEM_NEEDS ? SITE_NEED : SITE_MEMORY) || kind == NOMEM_FRAMES ||
		    !nomem_ours(s) || !nomem_asked[row][i])
			continue;
		for (unsigned r = 0; r < NOMEM_ROWS && !sum; r++)
			sum += kind == NOMEM_NEEDS || r == row ? nomem_sum(r, i) : 0;
		if (!sum)
			return true;
	}
	return false;
}

static const char *nomem_mark(const struct site *s)
{
	return s->kind == SITE_FRAME ? "frame " : s->kind == SITE_NEED ? "-> " : "";
}

/* call -> sites that were refused in it; what was asked for memory and never refused is a sin of the test. */
static unsigned nomem_row_print(const struct want *w, unsigned row)
{
	unsigned missed = 0;

	print_message("%s\n", w->what);
	for (unsigned i = 0; i < nomem_sites(); i++) {
		const struct site *s = __start_vmmap_sites[i];

		if (nomem_ours(s) && nomem_first(i) && nomem_sum(row, i))
			print_message("\t%s%s:%d %s (%llu)\n", nomem_mark(s), nomem_file(s), s->line, s->function,
				      (unsigned long long)nomem_sum(row, i));
		/* A copy of an inlined place may be asked only where the one before it was refused: one place. */
		if (s->kind != SITE_MEMORY || !nomem_ours(s) || !nomem_asked[row][i] || nomem_sum(row, i))
			continue;
		print_error("%s: %s:%d %s was asked, and never refused\n", w->what, nomem_file(s), s->line,
			    s->function);
		missed++;
	}
	return missed;
}

static const struct spared *nomem_spared(const struct site *s, const struct spared *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(nomem_file(s), list[i].file) && !strcmp(s->function, list[i].function))
			return &list[i];
	return NULL;
}

/* Every site of the library, reached or not: refused in some row, or spared for a reason. */
static unsigned nomem_sites_missed(unsigned rows, const struct spared *list, unsigned n)
{
	unsigned missed = 0, refused = 0, spared = 0;

	for (unsigned i = 0; i < nomem_sites(); i++) {
		const struct site *s = __start_vmmap_sites[i];
		const struct spared *why = nomem_spared(s, list, n);
		uint64_t sum = 0;

		if (!nomem_ours(s) || !nomem_first(i))
			continue;
		for (unsigned row = 0; row < rows; row++)
			sum += nomem_sum(row, i);
		refused += sum != 0;
		spared += !sum && why;
		if (sum || why)
			continue;
		print_error("%s%s:%d %s was never refused, and is not on the list of those that are spared\n",
			    nomem_mark(s), nomem_file(s), s->line, s->function);
		missed++;
	}
	for (unsigned i = 0; i < n; i++)
		print_message("spared: %s %s: %s\n", list[i].file, list[i].function, list[i].why);
	print_message("%u sites refused, %u spared\n", refused, spared);
	return missed;
}

#endif
