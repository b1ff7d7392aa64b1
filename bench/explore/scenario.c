/* SPDX-License-Identifier: MIT */
/* scenario.c - see scenario.h: the list of scenarios, and what they are made of. */
#include "bench/explore/scenario.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/point.h"
#include "bench/explore/run.h"
#include "bench/explore/scene.h"
#include "bench/explore/turn.h"
#include "bench/explore/weak.h"
#include "bench/sim/core.h"

#define FRAMES        2048
#define VAIN          100                /* yields of all who can run                                               */
#define PATIENCE      150                /* yields at one place: others may poll, each time with a change           */
#define FAR           PAGE(16384)        /* where cores warm up: a table apart for each, the upper ones shared      */

extern const struct scenario *__start_vmmap_scenarios[] __attribute__((visibility("hidden")));
extern const struct scenario *__stop_vmmap_scenarios[] __attribute__((visibility("hidden")));

struct scene scene;

static const struct scenario *sorted[SCENARIOS_MAX];
static unsigned sorted_n;
static const char *policy_wanted;
static uint64_t frames_wanted;
static bool movable_wanted;
static bool stops;                       /* the bodies' own: neither set-up nor warming up                          */
static FILE *report;
static char report_text[400];

/* ---- the list ---- */

static int by_name(const void *a, const void *b)
{
	const struct scenario *x = *(const struct scenario *const *)a, *y = *(const struct scenario *const *)b;

	return strcmp(x->name, y->name);
}

static void sort(void)
{
	for (const struct scenario **s = __start_vmmap_scenarios; s < __stop_vmmap_scenarios; s++) {
		CHECK(sorted_n < SCENARIOS_MAX);
		sorted[sorted_n++] = *s;
	}
	qsort(sorted, sorted_n, sizeof(*sorted), by_name);
}

const struct scenario *scenario_at(unsigned i)
{
	if (sorted_n == 0)
		sort();
	return i < sorted_n ? sorted[i] : NULL;
}

const struct scenario *scenario_find(const char *name)
{
	for (unsigned i = 0; scenario_at(i) != NULL; i++)
		if (strcmp(scenario_at(i)->name, name) == 0)
			return scenario_at(i);
	return NULL;
}

unsigned scenario_bodies(const struct scenario *s)
{
	unsigned n = 0;

	while (n < SCENARIO_CORES && s->body[n] != NULL)
		n++;
	return n;
}

_Noreturn void scene_fail(const char *what, const char *cond, const char *file, int line)
{
	run_fail(FAIL_EXPECTED, "%s:%d: %s: %s", file, line, what, cond);
}

/* ---- maps ---- */

static void make(const struct vmmap_config *limits, int bytes)
{
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = *limits;

	memory.bytes = bytes;
	memory.pages = frames_wanted;
	memory.limit = movable_wanted ? 2 * SCENE_MOVABLE_FROM : frames_wanted;
	config.policy = policy_wanted;
	expect(physmem_create(&scene.physmem, &memory) == 0);
	if (movable_wanted)
		expect(physmem_plug(scene.physmem, SCENE_MOVABLE_FROM, SCENE_MOVABLE_FROM, 1) == 0);
	config.physmem = scene.physmem;
	expect(vmmap_create(&scene.map, &config) == 0);
}

static const struct vmmap_config topdown = { .size = sizeof(struct vmmap_config), .placement = VMMAP_TOPDOWN };

void scene_frames(uint64_t n)
{
	frames_wanted = n;
}

void scene_movable(void)
{
	frames_wanted = SCENE_MOVABLE_FROM;
	movable_wanted = true;
}

void scene_map(void)
{
	make(&topdown, 0);
}

void scene_map_bytes(void)
{
	make(&topdown, 1);
}

void scene_map_with(const struct vmmap_config *config)
{
	make(config, 0);
}

void scene_mmap(uint64_t at, uint64_t len, int prot)
{
	expect(vmmap_mmap(scene.map, at, len, prot, ANON | MAP_FIXED, NULL, 0) == (int64_t)at);
}

/* ---- calls ---- */

int64_t scene_fault(unsigned i, uint64_t at, int access)
{
	return scene.result[i] = vmmap_fault(scene.map, at, access, &scene.info[i]);
}

int64_t scene_munmap(unsigned i, uint64_t at, uint64_t len)
{
	return scene.result[i] = vmmap_munmap(scene.map, at, len);
}

int64_t scene_protect(unsigned i, uint64_t at, uint64_t len, int prot)
{
	return scene.result[i] = vmmap_mprotect(scene.map, at, len, prot);
}

int64_t scene_fixed(unsigned i, uint64_t at, uint64_t len, int prot)
{
	return scene.result[i] = vmmap_mmap(scene.map, at, len, prot, ANON | MAP_FIXED, NULL, 0);
}

int64_t scene_anywhere(unsigned i, uint64_t len)
{
	return scene.result[i] = vmmap_mmap(scene.map, 0, len, RW, ANON, NULL, 0);
}

void scene_hold(unsigned i, uint64_t at, uint64_t len)
{
	expect(vmmap_hold(scene.map, at, len, &scene.held[i]) == 0);
}

void scene_release(unsigned i)
{
	vmmap_release(scene.map, &scene.held[i]);
}

int64_t scene_move(unsigned i, uint64_t at, uint64_t len, uint64_t to)
{
	return scene.result[i] = vmmap_mremap(scene.map, at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

int64_t scene_write(unsigned i, uint64_t at, uint64_t word)
{
	return scene.result[i] = vmmap_write(scene.map, at, &word, sizeof(word));
}

int64_t scene_read(unsigned i, uint64_t at, uint64_t *word)
{
	return scene.result[i] = vmmap_read(scene.map, at, word, sizeof(*word));
}

/* ---- objects ---- */

static int read_page(void *self, uint64_t page, void *bytes)
{
	(void)self;
	memset(bytes, 0, 4096);
	memcpy(bytes, &scene.stored[page % SCENE_WORDS], sizeof(uint64_t));
	return 0;
}

static int write_page(void *self, uint64_t page, const void *bytes)
{
	(void)self;
	memcpy(&scene.stored[page % SCENE_WORDS], bytes, sizeof(uint64_t));
	return 0;
}

void scene_object(uint64_t pages, bool paged)
{
	static const struct vmmap_pager pager = { .read_page = read_page, .write_page = write_page };

	expect(vmmap_object_create(&scene.object, scene.physmem, "scene", pages * 4096, paged ? &pager : NULL) == 0);
}

void scene_share(uint64_t at, uint64_t pages, uint64_t from)
{
	expect(vmmap_mmap(scene.map, at, pages * 4096, RW, MAP_SHARED | MAP_FIXED, scene.object, from * 4096) ==
	       (int64_t)at);
}

bool scene_mapped(uint64_t at, int *prot)
{
	struct vmmap_vma v;

	if (vmmap_query(scene.map, at, &v) != 0 || v.start > at)
		return false;
	if (prot != NULL)
		*prot = v.prot;
	return true;
}

/* ---- led by hand ---- */

static void say(unsigned n)
{
	scene.signal[n] = true;
	turn_changed(core_current->number);      /* who awaits it need not look before                              */
}

static bool heard(unsigned n)
{
	for (unsigned yields = 0; !scene.signal[n] && turn_vain() < VAIN && yields < PATIENCE; yields++)
		sched_yield();
	return scene.signal[n];
}

static void hear(unsigned n)
{
	while (!scene.signal[n])
		sched_yield();
}

/* Between calls it orders them, as the flag of a program would; a stop inside a call orders nothing. */
void scene_signal(unsigned n)
{
	if (weak_on() && core_current->number < RUN_CORES)
		weak_tell(core_current->number);
	say(n);
}

bool scene_await(unsigned n)
{
	bool there = heard(n);

	if (there && weak_on())
		weak_told(core_current->number);
	return there;
}

void scene_must(unsigned n)
{
	hear(n);
	if (weak_on())
		weak_told(core_current->number);
}

static uint64_t sleeps_of(unsigned i)
{
	const struct thread_slot *slot = core_at(i)->slot;

	return slot != NULL ? atomic_load_relaxed(&slot->park_blocked) : 0;
}

/* One that looks from time to time may sleep, and not be seen doing so. */
void scene_asleep(unsigned i)
{
	uint64_t before = sleeps_of(i);

	while (core_at(i)->state != CORE_FUTEX && core_at(i)->state != CORE_IDLE && sleeps_of(i) == before)
		sched_yield();
	if (weak_on() && core_current->number < RUN_CORES)
		weak_knows(core_current->number, i);
}

void scene_pause(void)
{
	if (core_current->number != CORE_MAIN)
		turn_point(true);
}

void scene_stop(unsigned i, const char *at, unsigned says, unsigned awaits)
{
	expect(point_hits(at) != UINT64_MAX);    /* there is such a point                                           */
	for (unsigned n = 0; n < SCENE_STOPS; n++)
		if (scene.stop[n].at == NULL) {
			scene.stop[n] = (struct scene_stop){ at, i, says, awaits };
			return;
		}
	expect(!"room for another stop");
}

void __wrap_point_hit(struct point_site *site);
void __real_point_hit(struct point_site *site);
void __wrap_point_hit(struct point_site *site)
{
	__real_point_hit(site);
	for (unsigned n = 0; stops && n < SCENE_STOPS && scene.stop[n].at != NULL; n++) {
		struct scene_stop *stop = &scene.stop[n];

		if (stop->body != core_current->number || strcmp(stop->at, site->name) != 0)
			continue;
		stop->body = CORE_MAIN;
		say(stop->says);
		if (stop->awaits >= SCENE_MUST)
			hear(stop->awaits - SCENE_MUST);
		else if (!heard(stop->awaits))
			say(stop->awaits);
		break;
	}
}

/* ---- the runner's ---- */

/* On a core of its own, so that its slot, its pools and its caches are there. */
static void warm_up(void *arg)
{
	uint64_t at = FAR + (uint64_t)(uintptr_t)arg * (UINT64_C(2) << 20);

	if (vmmap_mmap(scene.map, at, 16 * 4096, RW, ANON | MAP_FIXED, NULL, 0) != (int64_t)at)
		return;                                  /* not in a map that ends below                            */
	for (uint64_t i = 0; i < 3; i++)
		(void)vmmap_fault(scene.map, at + i * 4096, PROT_WRITE, NULL);
	(void)vmmap_mprotect(scene.map, at + 4 * 4096, 4096, PROT_READ);
	vmmap_munmap(scene.map, at, 16 * 4096);
}

void scenario_prepare(const struct scenario *s, const char *policy)
{
	policy_wanted = s->policy != NULL ? s->policy : policy != NULL ? policy : "vma";
	report = fmemopen(report_text, sizeof(report_text), "w");
	CHECK(report != NULL);
	setvbuf(report, NULL, _IONBF, 0);
	memset(&scene, 0, sizeof(scene));
	frames_wanted = FRAMES;
	movable_wanted = false;
	stops = false;
	s->set_up();
	if (!(s->flags & SCENARIO_COLD))
		for (uint32_t i = 0; i < scenario_bodies(s); i++) {
			core_give(i, warm_up, (void *)(uintptr_t)i);
			expect(core_run() == 0);
		}
	stops = true;
}

static uint64_t check_books(const struct scenario *s)
{
	struct physmem_usage frames;
	struct vmmap_usage usage;
	struct vmmap_counters counters;

	rewind(report);
	if (vmmap_audit(scene.map, report) != 0 || physmem_audit(scene.physmem, report) != 0) {
		report_text[strcspn(report_text, "\n")] = 0;
		run_fail(FAIL_EXPECTED, "audit: %s", report_text);
	}
	vmmap_get_usage(scene.map, &usage);
	physmem_get_usage(scene.physmem, &frames);
	if (!(s->flags & SCENARIO_SHARED) && frames.owned != usage.resident_pages)
		run_fail(FAIL_EXPECTED, "%llu frames are owned, %llu pages are resident",
			 (unsigned long long)frames.owned, (unsigned long long)usage.resident_pages);
	vmmap_get_counters(scene.map, &counters);
	if (counters.max_overtakes > scenario_bodies(s) + 2)
		run_fail(FAIL_OVERTAKEN, "a waiter was overtaken %llu times",
			 (unsigned long long)counters.max_overtakes);
	return counters.max_overtakes;
}

uint64_t scenario_check(const struct scenario *s)
{
	if (s->check != NULL)
		s->check();
	return scene.no_more ? 0 : check_books(s);
}
