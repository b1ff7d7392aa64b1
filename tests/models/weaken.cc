/* SPDX-License-Identifier: MIT */
/* weaken.cc - the sites that the linker collected, their names, and the choice of one. */
#include "weaken.h"

#include "base/point.h"

extern "C" {
extern const struct model_site *__start_model_sites[], *__stop_model_sites[];
}

static const struct model_site *weak[16];
static unsigned weak_sites;
static enum model_order weak_order;
static const char *broken;

static bool same(const struct model_site *a, const struct model_site *b)
{
	return !strcmp(a->unit, b->unit) && !strcmp(a->file, b->file) && !strcmp(a->function, b->function) &&
	       !strcmp(a->operation, b->operation);
}

/* A header's function stands in several units: counters are compared inside one. */
static void name_of(const struct model_site *site, char *name, size_t bytes)
{
	const char *file = site->file;
	unsigned n = 1;

	if (!strncmp(file, MODEL_ROOT "/", sizeof(MODEL_ROOT)))
		file += sizeof(MODEL_ROOT);
	for (const struct model_site **at = __start_model_sites; at < __stop_model_sites; at++)
		n += same(*at, site) && (*at)->counter < site->counter;
	snprintf(name, bytes, "%s %s %s %u", file, site->function, site->operation, n);
}

void weaken_names(void (*fn)(const char *name, const struct model_site *site))
{
	char name[256];

	for (const struct model_site **at = __start_model_sites; at < __stop_model_sites; at++) {
		name_of(*at, name, sizeof(name));
		fn(name, *at);
	}
}

bool weaken_select(const char *name, const char *order)
{
	static const char *const orders[] = { "relaxed", "acquire", "release", "acqrel", "seqcst" };
	char has[256];

	for (unsigned i = 0; i < 5; i++)
		if (!strcmp(order, orders[i]))
			weak_order = (enum model_order)i;
	for (const struct model_site **at = __start_model_sites; at < __stop_model_sites; at++) {
		name_of(*at, has, sizeof(has));
		if (!strcmp(has, name) && weak_sites < 16)
			weak[weak_sites++] = *at;
	}
	return weak_sites > 0;
}

void weaken_break(const char *mutant) { broken = mutant; }

bool model_mutant(const char *name) { return broken && !strcmp(name, broken); }

enum model_order weaken_order(const struct model_site *site)
{
	for (unsigned i = 0; i < weak_sites; i++)
		if (weak[i] == site)
			return weak_order;
	return site->order;
}
