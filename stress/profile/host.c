/* SPDX-License-Identifier: MIT */
/*
 * host.c - threads that fill and drop memory, while a host is told what is free and discards it, or has it.
 *
 * A word of each page says which page it is, of which filling. The host takes its chance at once: it discards the bytes
 * of what it is told of, so a frame that somebody has all the same loses its word. All of the memory that is free may
 * be in the host's hands, and no call may fail for that. The first thread plays the host between two of its steps.
 * Straight to the engine, as fork.c does, and for its reasons.
 */
#include <errno.h>
#include <stdlib.h>

#include "stress/profile_ops.h"
#include "vmmap/physmem_host.h"

#define PAGES   2048u                            /* of a thread's region, at most                                  */
#define FEWEST  1200u                            /* ... in a short run; so that whole blocks come free             */
#define STRIDE  (PAGES * PROFILE_PAGE)
#define RESTART 64u                              /* rounds of the host until it goes away, and comes again         */

struct host {
	struct physmem *pm;
	struct prng prng;
	uint64_t rounds;
};

static uint64_t frames(const struct profile_map *map) { return (uint64_t)map->threads * PAGES; }

static void wrong(struct profile_thread *t, uint64_t addr, const char *what)
{
	if (t->verify)
		verify_report(t->at->params->verify, SIN_OVERLAP, addr, "%s", what);
	profile_fail(t, CALL_READ, addr, PROFILE_PAGE, -EBADMSG);
}

/* ---- the host ---- */

static void discard(struct host *host, const struct physmem_told *run)
{
	void *bytes = physmem_frame_bytes(host->pm, run->pfn);

	if (bytes != NULL)
		(void)madvise(bytes, PROFILE_PAGE << run->order, MADV_DONTNEED);
}

/* It takes most of it, puts some off, and refuses some. */
static void takes(void *arg, struct physmem_told *run, unsigned n)
{
	struct host *host = arg;

	for (unsigned i = 0; i < n; i++) {
		uint64_t draw = prng_below(&host->prng, 16);

		run[i].verdict = draw == 0 ? PHYSMEM_LATER : draw == 1 ? PHYSMEM_REFUSED : PHYSMEM_ACCEPTED;
		if (run[i].verdict == PHYSMEM_ACCEPTED)
			discard(host, &run[i]);
	}
}

static void gives(void *arg, const struct physmem_told *run, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		discard(arg, &run[i]);
}

static int reports_start(struct host *host)
{
	struct physmem_report_config c = PHYSMEM_REPORT_CONFIG;

	c.tell = takes;
	c.arg = host;
	c.low = 0;
	c.most = 1 + (unsigned)prng_below(&host->prng, 64);
	c.capture = host->rounds / RESTART % 2 ? 16 : 0;
	return physmem_report_start(host->pm, &c);
}

static int balloon_start(struct host *host)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;

	c.inflate = takes;
	c.deflate = gives;
	c.arg = host;
	c.low = 0;
	c.most = 1 + (unsigned)prng_below(&host->prng, 64);
	c.order = (unsigned)(host->rounds / RESTART % 10);
	return physmem_balloon_start(host->pm, &c);
}

static int setup(struct profile_map *map, int (*start)(struct host *host))
{
	struct host *host = calloc(1, sizeof(*host));

	if (host == NULL)
		return -ENOMEM;
	host->pm = map->pm;
	host->prng = prng_seed(map->params->seed, 99);
	map->shared = host;
	return start(host);
}

static int report_setup(struct profile_map *map) { return setup(map, reports_start); }
static int balloon_setup(struct profile_map *map) { return setup(map, balloon_start); }

/* It is off for a moment: what becomes free then is told later. */
static int report_round(struct host *host)
{
	static const enum physmem_report_how how[] = { PHYSMEM_REPORT_SOME, PHYSMEM_REPORT_ALL, PHYSMEM_REPORT_NOW };
	int err;

	if (++host->rounds % RESTART == 0) {
		physmem_report_stop(host->pm);
		err = reports_start(host);
		if (err)
			return err;
	}
	return physmem_report_pass(host->pm, how[host->rounds % 3], NULL);
}

static int balloon_round(struct host *host)
{
	struct physmem_usage use;

	physmem_get_usage(host->pm, &use);
	if (++host->rounds % RESTART == 0) {
		physmem_balloon_stop(host->pm);
		return balloon_start(host);
	}
	if (prng_below(&host->prng, 4) == 0)
		(void)physmem_balloon_deflate(host->pm, prng_below(&host->prng, use.frames));
	else
		(void)physmem_balloon_inflate(host->pm, use.frames);
	return 0;
}

/* ---- the others ---- */

static uint64_t word_of(const struct profile_thread *t, uint64_t addr) { return addr << 16 | (t->round & 0xffff); }

static void fill(struct profile_thread *t, uint64_t base)
{
	t->round++;
	t->next = 1 + prng_below(&t->prng, profile_size(t->at, PAGES, FEWEST));
	if (op_mmap(t, base, t->next * PROFILE_PAGE, PROFILE_RW, PROFILE_ANON | MAP_FIXED) < 0)
		return;
	for (uint64_t i = 0; i < t->next; i++) {
		uint64_t addr = base + i * PROFILE_PAGE, word = word_of(t, addr);
		ssize_t got = vmmap_write(t->vm, addr, &word, sizeof(word));

		if (got != sizeof(word)) {
			profile_fail(t, CALL_WRITE, addr, sizeof(word), got < 0 ? (int)got : -EIO);
			return;
		}
	}
}

static void check(struct profile_thread *t, uint64_t base)
{
	for (uint64_t i = 0; i < t->next; i++) {
		uint64_t addr = base + i * PROFILE_PAGE, word = 0;
		ssize_t got = vmmap_read(t->vm, addr, &word, sizeof(word));

		if (got != sizeof(word) || (word != word_of(t, addr) && t->at->params->bytes)) {
			wrong(t, addr, "a page that nobody has freed has lost its word");
			return;
		}
	}
}

/* Fills the region, or looks whether it is as it was, and drops it. */
static uint64_t churn(struct profile_thread *t)
{
	uint64_t base = PROFILE_BASE + t->number * STRIDE;

	if (t->next == 0) {
		fill(t, base);
		return 1;
	}
	check(t, base);
	(void)op_munmap(t, base, t->next * PROFILE_PAGE);
	t->next = 0;
	return 1;
}

static uint64_t step(struct profile_thread *t, int (*round)(struct host *host))
{
	int err = t->index == 0 ? round(t->at->shared) : 0;

	if (err)
		profile_fail(t, CALL_MADVISE, 0, 0, err);
	return churn(t);
}

static uint64_t report_step(struct profile_thread *t) { return step(t, report_round); }
static uint64_t balloon_step(struct profile_thread *t) { return step(t, balloon_round); }

const struct profile profile_report_churn = {
	.name = "report-churn",
	.idea = "threads fill and drop regions; a host is told what is free, and discards it at once",
	.source = "Lal and van Riel, KVM Forum 2018; Linux, mm/page_reporting.c",
	.destroys = true, .evidence = COUNT_ACCESSES, .evidence_per_unit = 1,
	.frames = frames, .setup = report_setup, .step = report_step,
};

const struct profile profile_balloon = {
	.name = "balloon",
	.idea = "the same, and a balloon takes all that is free: who is short has it back",
	.source = "Waldspurger, OSDI 2002; virtio-balloon, deflate-on-oom",
	.destroys = true, .evidence = COUNT_ACCESSES, .evidence_per_unit = 1,
	.frames = frames, .setup = balloon_setup, .step = balloon_step,
};
