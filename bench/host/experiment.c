/* SPDX-License-Identifier: MIT */
/*
 * experiment.c - see experiment.h. A guest's life: it boots; reads files, if caches are to be full; runs the program;
 * reads them again, since memory that was free is a cache soon; and then idles, until the end.
 */
#include "bench/host/experiment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE UINT64_C(250000000)
#define STEP   UINT64_C(10000000)                /* in which an idle world goes on                                 */

struct world {
	const struct experiment_setup *setup;
	struct experiment_outcome *out;
	struct host host;
	struct guest *guest[EXPERIMENT_GUESTS];
	unsigned guests, active;                 /* who is running something: it is not asked to shrink            */
	bool sampling;
};

static void sample(struct world *w)
{
	struct experiment_outcome *out = w->out;

	if (!w->sampling || out->samples == EXPERIMENT_SAMPLES ||
	    (out->samples != 0 && w->host.now - out->sample[out->samples - 1].now < SAMPLE))
		return;
	out->sample[out->samples++] = (struct experiment_sample){ w->host.now, w->host.used, w->host.swapped };
}

/* Everybody's reporter may run. */
static void tick(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; i < w->guests; i++)
		guest_tick(w->guest[i]);
	sample(w);
}

/* Who has most gives. */
static uint64_t shrink_somebody(void *arg, uint64_t want)
{
	struct world *w = arg;
	uint64_t got = 0;

	while (got < want) {
		struct guest *g = NULL;
		uint64_t most = 0;

		for (unsigned i = 0; i < w->guests; i++) {
			uint64_t has = guest_has(w->guest[i]);

			if (i != w->active && has > most) {
				most = has;
				g = w->guest[i];
			}
		}
		if (g == NULL)
			break;
		got += guest_shrink(g, want);
	}
	return got;
}

static void idle(struct world *w, uint64_t ns)
{
	for (uint64_t end = w->host.now + ns; w->host.now < end; tick(w))
		w->host.now += STEP;
}

/* All that the program had is told within the bound of frame_report.c. */
static void settle(struct world *w, struct guest *g)
{
	struct experiment_outcome *out = w->out;
	uint64_t start = w->host.now, took = 0;

	while (g->config.reports && !guest_all_told(g) && w->host.now - start < w->setup->settle)
		idle(w, STEP);
	took = w->host.now - start;
	out->bound = 2 * g->config.age + 3 * g->longest_pass + 2 * STEP;
	out->wrong += g->config.reports && took > out->bound;
	if (took > out->told_after)
		out->told_after = took;
	idle(w, w->setup->settle);
}

static void files(struct world *w, struct guest *g, bool caches)
{
	if (caches)
		guest_read_files(g, tick, w);
}

struct life { uint64_t program, all; };          /* virtual ns                                                     */

static struct life live(struct world *w, struct guest *g, bool caches)
{
	uint64_t birth = w->host.now, start;
	struct life life;

	files(w, g, caches);
	start = w->host.now;
	guest_hog(g, w->setup->hog, tick, w);
	life.program = w->host.now - start;
	guest_hog_ends(g, tick, w);
	files(w, g, caches);
	life.all = w->host.now - birth;
	settle(w, g);
	return life;
}

static int start(struct world *w, const struct experiment_arm *arm)
{
	struct guest_config c = w->setup->guest;
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return -ENOMEM;
	c.reports = arm->reports;
	c.balloon = arm->balloon;
	c.files = arm->caches ? c.files : 0;
	c.seed = w->setup->guest.seed + w->guests;
	w->active = w->guests;
	w->guest[w->guests++] = g;
	return guest_init(g, &w->host, w->guests, &c);
}

static void when_the_last_has_ended(struct world *w, struct life life)
{
	struct experiment_outcome *out = w->out;
	uint64_t before = w->host.now;

	out->last_hog = life.program;
	out->last_life = life.all;
	out->outs = w->host.outs;
	out->ins = w->host.ins;
	w->sampling = false;
	w->active = 0;
	guest_read_files(w->guest[0], tick, w);
	out->reread = w->host.now - before;
}

static int run(struct world *w, const struct experiment_arm *arm)
{
	struct experiment_outcome *out = w->out;
	bool swapped = false;

	for (unsigned n = 1; n <= w->setup->guests && (n <= w->setup->last || !swapped); n++) {
		uint64_t outs = w->host.outs;
		struct life life;
		int err = start(w, arm);

		if (err != 0)
			return err;
		life = live(w, w->guest[n - 1], arm->caches);
		swapped |= w->host.outs != outs;
		out->fit += !swapped;
		if (n == 1)
			out->first_hog = life.program;
		if (n == w->setup->last)
			when_the_last_has_ended(w, life);
	}
	out->all_fit = !swapped;
	return 0;
}

static void end(struct world *w)
{
	struct experiment_outcome *out = w->out;

	out->wrong += host_audit(&w->host);
	for (unsigned i = 0; i < w->guests; i++) {
		struct guest *g = w->guest[i];

		out->wrong += guest_audit(g);
		out->reported += g->reported;
		out->calls += g->calls;
	}
	while (w->guests != 0) {
		guest_fini(w->guest[--w->guests]);
		free(w->guest[w->guests]);
	}
	host_fini(&w->host);
}

int experiment_run(const struct experiment_setup *s, const struct experiment_arm *arm, struct experiment_outcome *out)
{
	struct world *w = calloc(1, sizeof(*w));
	int err = w != NULL ? host_init(&w->host, s->host_frames, &s->cost) : -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (err == 0) {
		w->setup = s;
		w->out = out;
		w->sampling = true;
		w->host.pressure = arm->hook ? shrink_somebody : NULL;
		w->host.arg = w;
		err = run(w, arm);
		end(w);
	}
	free(w);
	return err;
}
