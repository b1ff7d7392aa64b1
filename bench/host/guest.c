/* SPDX-License-Identifier: MIT */
/* guest.c - see guest.h. All that it holds has a content of its own: a page that the host takes too early shows. */
#include "bench/host/guest.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"

#define BATCH 64u                                /* frames between two ticks, and that a cache gives up at once    */
#define NONE  UINT32_MAX

enum content { KERNEL = 1, FILES, HOG };

static uint32_t content_of(const struct guest *g, enum content what, uint64_t i)
{
	return (uint32_t)(i * 2654435761u + g->number * 40503u + what) | 1;
}

/* ---- frames ---- */

static void give(struct guest *g, uint32_t frame)
{
	if (frame_bits_give(&g->bits, frame, 0) != 0)
		g->wrong++;
	g->used--;
}

static void flush(struct guest *g)
{
	if (g->some.mask == 0)
		return;
	g->used -= (uint64_t)__builtin_popcountll(g->some.mask);
	if (frame_bits_give_some(&g->bits, &g->some) != 0)
		g->wrong++;
	g->some.mask = 0;
}

/* The oldest page of the cache goes. False: it is empty. */
static bool drop_one(struct guest *g)
{
	uint32_t *cached;

	if (g->dropped == g->read)
		return false;
	cached = &g->cached[g->oldest[g->dropped++ % g->config.files]];
	give(g, *cached - 1);
	*cached = 0;
	g->host->now += g->host->cost.drop;
	return true;
}

static uint64_t drop(struct guest *g, uint64_t n)
{
	uint64_t done = 0;

	while (done < n && drop_one(g))
		done++;
	return done;
}

static void refill(struct guest *g, enum frame_class class)
{
	g->used += frame_bits_refill(&g->bits, &g->search, BATCH, class, &g->some);
}

/* A frame, so that `leave` stay free: at the cache's cost; and at the balloon's, if there is no other. */
static uint32_t take(struct guest *g, enum frame_class class, uint64_t leave)
{
	unsigned bit;

	if (g->some.mask == 0) {
		while (g->used + BATCH + leave > g->config.frames && drop(g, BATCH) != 0)
			;
		refill(g, class);
	}
	if (g->some.mask == 0 && g->config.balloon) {
		g->used -= frame_balloon_press(&g->balloon, FRAME_BLOCK_FRAMES);
		refill(g, class);
		frame_balloon_press_ends(&g->balloon);
	}
	if (g->some.mask == 0)
		return NONE;
	bit = (unsigned)__builtin_ctzll(g->some.mask);
	g->some.mask &= g->some.mask - 1;
	return (uint32_t)(g->some.first + bit);
}

/* ---- reports ---- */

/* The host takes what is behind the blocks. */
static void tell(void *arg, struct frame_told *told, unsigned n)
{
	struct guest *g = arg;

	g->host->now += g->host->cost.call + n * g->host->cost.discard;
	for (unsigned i = 0; i < n; i++) {
		struct host_page *page = &g->page[told[i].block * FRAME_BLOCK_FRAMES];

		for (unsigned k = 0; k < FRAME_BLOCK_FRAMES; k++)
			host_discard(g->host, &page[k]);
		told[i].verdict = FRAME_ACCEPTED;
	}
}

static void pass(struct guest *g, enum frame_report_how how)
{
	struct frame_report_result result;
	uint64_t start = g->host->now;

	if (frame_report_pass(&g->report, how, &result) != 0)
		g->wrong++;
	g->reported += result.accepted;
	g->calls += result.calls;
	if (g->host->now - start > g->longest_pass)
		g->longest_pass = g->host->now - start;
}

void guest_tick(struct guest *g)
{
	if (!g->config.reports)
		return;
	if (g->host->now >= g->until) {
		pass(g, FRAME_REPORT_ALL);
		g->until = g->host->now + g->config.age;
	} else if (frame_report_wait(&g->report, PARK_TRY) == FRAME_REPORT_SOME) {
		pass(g, FRAME_REPORT_SOME);
	}
}

bool guest_all_told(struct guest *g)
{
	if (g->config.frames - g->used < g->report.config.low + FRAME_BLOCK_FRAMES)
		return true;
	for (uint64_t block = 0; block < g->config.frames / FRAME_BLOCK_FRAMES; block++)
		if (frame_block_reportable(frame_bits_word(&g->bits, block)))
			return false;
	return true;
}

/* ---- the host wants memory ---- */

/* It has what is in the balloon. */
static void inflated(void *arg, struct frame_ballooned *run, unsigned n)
{
	struct guest *g = arg;

	g->host->now += g->host->cost.call + n * g->host->cost.discard;
	for (unsigned i = 0; i < n; i++)
		for (uint64_t k = 0; k < UINT64_C(1) << run[i].order; k++)
			host_discard(g->host, &g->page[run[i].index + k]);
}

static void deflated(void *arg, const struct frame_ballooned *run, unsigned n)
{
	struct guest *g = arg;

	(void)run;
	(void)n;
	g->host->now += g->host->cost.call;
}

static uint64_t cached(const struct guest *g) { return g->read - g->dropped; }

uint64_t guest_has(const struct guest *g)
{
	uint64_t keeps = g->config.reserve / 4 + BATCH, has = g->config.frames - g->used + cached(g);

	if (!g->config.balloon)
		return cached(g);
	return has > keeps ? has - keeps : 0;
}

static uint64_t squeeze(struct guest *g, uint64_t n)
{
	uint64_t before = g->host->used;

	while (g->config.frames - g->used < n + g->config.reserve / 4 && drop(g, BATCH) != 0)
		;
	g->used += frame_balloon_inflate(&g->balloon, n);
	return before - g->host->used;
}

uint64_t guest_shrink(struct guest *g, uint64_t n)
{
	uint64_t before = g->host->used;

	if (g->config.balloon)
		return squeeze(g, n);
	if (drop(g, n) == 0 || !g->config.reports)
		return 0;
	pass(g, FRAME_REPORT_NOW);
	return before - g->host->used;
}

/* ---- what runs in it ---- */

void guest_hog(struct guest *g, uint64_t pages, void (*tick)(void *arg), void *arg)
{
	for (g->hogs = 0; g->hogs < pages; g->hogs++) {
		uint32_t frame = take(g, FRAME_CLASS_MOVABLE, 0);

		if (frame == NONE)
			break;
		g->hog[g->hogs] = frame;
		host_write(g->host, &g->page[frame], content_of(g, HOG, frame));
		if (g->hogs % BATCH == 0)
			tick(arg);
	}
	g->wrong += g->hogs != pages;
}

static void shuffle(struct guest *g, uint32_t *a, uint64_t n)
{
	for (; n > 1; n--) {
		uint64_t k = prng_below(&g->rng, n);
		uint32_t last = a[n - 1];

		a[n - 1] = a[k];
		a[k] = last;
	}
}

void guest_hog_ends(struct guest *g, void (*tick)(void *arg), void *arg)
{
	shuffle(g, g->hog, g->hogs);
	for (uint64_t i = 0; i < g->hogs; i++) {
		g->wrong += g->page[g->hog[i]].content != content_of(g, HOG, g->hog[i]);
		give(g, g->hog[i]);
		if (i % BATCH == 0)
			tick(arg);
	}
	g->hogs = 0;
	flush(g);
}

static void read_page(struct guest *g, uint64_t i)
{
	uint32_t frame = g->cached[i];

	if (frame != 0) {
		g->wrong += host_read(g->host, &g->page[frame - 1]) != content_of(g, FILES, i);
		return;
	}
	frame = take(g, FRAME_CLASS_MOVABLE, g->config.reserve);
	if (frame == NONE)
		return;
	g->cached[i] = frame + 1;
	g->oldest[g->read++ % g->config.files] = (uint32_t)i;
	g->host->now += g->host->cost.read;
	host_write(g->host, &g->page[frame], content_of(g, FILES, i));
}

void guest_read_files(struct guest *g, void (*tick)(void *arg), void *arg)
{
	shuffle(g, g->file, g->config.files / BATCH);
	for (uint64_t f = 0; f < g->config.files / BATCH; f++) {
		for (uint64_t i = 0; i < BATCH; i++)
			read_page(g, g->file[f] * (uint64_t)BATCH + i);
		tick(arg);
	}
	flush(g);
}

/* ---- life ---- */

static void boot(struct guest *g)
{
	for (uint64_t i = 0; i < g->config.kernel; i++) {
		uint32_t frame = take(g, FRAME_CLASS_UNMOVABLE, 0);

		if (frame != NONE)
			host_write(g->host, &g->page[frame], content_of(g, KERNEL, frame));
		g->wrong += frame == NONE;
	}
	flush(g);
}

int guest_init(struct guest *g, struct host *host, uint32_t number, const struct guest_config *c)
{
	struct frame_report_config report = FRAME_REPORT_CONFIG;
	struct frame_balloon_config balloon = FRAME_BALLOON_CONFIG;
	int err;

	*g = (struct guest){ .config = *c, .host = host, .number = number, .rng = prng_seed(c->seed, 0) };
	g->page = calloc(c->frames, sizeof(*g->page));
	g->hog = calloc(c->frames, sizeof(*g->hog));
	g->cached = calloc(c->files + 1, sizeof(*g->cached));
	g->oldest = calloc(c->files + 1, sizeof(*g->oldest));
	g->file = calloc(c->files / BATCH + 1, sizeof(*g->file));
	err = !g->page || !g->hog || !g->cached || !g->oldest || !g->file ? -ENOMEM : 0;
	for (uint64_t i = 0; err == 0 && i < c->files / BATCH; i++)
		g->file[i] = (uint32_t)i;
	if (err == 0)
		err = frame_bits_init(&g->bits, c->frames, PLANE_EITHER);
	if (err == 0)
		err = frame_bits_cover(&g->bits, 0, c->frames, FRAME_CLASS_NONE);
	if (err != 0)
		return err;
	frame_bits_come(&g->bits, 0, c->frames, FRAME_CLASS_NONE);
	g->search.end = (c->frames + FRAME_BLOCK_FRAMES - 1) / FRAME_BLOCK_FRAMES;
	report.tell = tell;
	report.arg = g;
	report.capture = c->capture;
	report.low = c->reserve / 4;
	g->until = host->now + c->age;
	balloon.inflate = inflated;
	balloon.deflate = deflated;
	balloon.arg = g;
	balloon.low = c->reserve / 4;
	err = c->reports ? frame_report_init(&g->report, &g->bits) : 0;
	if (err == 0 && c->reports)
		err = frame_report_begin(&g->report, &report);
	if (err == 0 && c->balloon)
		err = frame_balloon_init(&g->balloon, &g->bits, &balloon);
	if (err == 0)
		boot(g);
	return err;
}

void guest_fini(struct guest *g)
{
	for (uint64_t i = 0; g->page != NULL && i < g->config.frames; i++)
		host_discard(g->host, &g->page[i]);
	if (g->balloon.bits != NULL)
		frame_balloon_fini(&g->balloon);
	if (g->report.bits != NULL)
		frame_report_fini(&g->report);
	frame_bits_fini(&g->bits);
	free(g->page);
	free(g->hog);
	free(g->cached);
	free(g->oldest);
	free(g->file);
}

/* Its words and rows, its count; and no page of a block that the host was told of has a frame. */
uint64_t guest_audit(struct guest *g)
{
	uint64_t bad = g->wrong + frame_bits_audit(&g->bits, 0, g->search.end, NULL), from = 0;

	bad += frame_bits_free(&g->bits, UINT64_MAX, &from) != g->config.frames - g->used;

	for (uint64_t i = 0; i < g->config.frames; i++)
		if (frame_bits_word(&g->bits, i / FRAME_BLOCK_FRAMES) & FRAME_BLOCK_REPORTED)
			bad += g->page[i].place != 0 || g->page[i].content != 0;
	return bad;
}
