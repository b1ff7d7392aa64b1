/* SPDX-License-Identifier: MIT */
/* waive.c - see waive.h. */
#include "bench/conflicts/waive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vmmap/vmmap.h>

#include "base/tool/cli.h"

#define TOLD 20u

static bool known_kind(const char *name, size_t n)
{
	for (unsigned i = 0; i < CALL_KINDS; i++)
		if (strlen(call_kind_name[i]) == n && !strncmp(call_kind_name[i], name, n))
			return true;
	return n == 1 && *name == '*';
}

static bool known_pair(const char *pair)
{
	const char *bar = strchr(pair, '|');

	return bar && known_kind(pair, (size_t)(bar - pair)) && known_kind(bar + 1, strlen(bar + 1));
}

static bool known_placement(const char *name)
{
	return !strcmp(name, "*") || !strcmp(name, placement_name[0]) || !strcmp(name, placement_name[1]);
}

/* "same_object" is what reports call "same object". */
static bool relation_fits(const char *pattern, const char *name)
{
	if (!strcmp(pattern, "*"))
		return true;
	while (*pattern && (*pattern == *name || (*pattern == '_' && *name == ' '))) {
		pattern++;
		name++;
	}
	return !*pattern && !*name;
}

static bool known_relation(const char *name)
{
	unsigned i = 0;

	while (i < SUITE_RELATIONS && !relation_fits(name, suite_relation_name[i]))
		i++;
	return i < SUITE_RELATIONS;
}

static bool known_policy(const char *name)
{
	unsigned i = 0;

	while (vmmap_policy_name(i) && strcmp(vmmap_policy_name(i), name) != 0)
		i++;
	return !strcmp(name, "*") || vmmap_policy_name(i);
}

/* 1: a waiver; 0: blank or a comment; -1: neither. */
static int parse(const char *text, struct waiver *w)
{
	char as[16];
	int used = 0;

	if (text[strspn(text, " \t\n")] == '\0' || *text == '#')
		return 0;
	if (sscanf(text, "%15s %31s %15s %63s %15s %95s %255[^\n]%n", as, w->policy, w->placement, w->pair, w->relation,
		   w->object, w->reason, &used) != 7 || text[used] == '\0')
		return -1;
	w->exempt = !strcmp(as, "waived");
	return (w->exempt || !strcmp(as, "remains")) && known_policy(w->policy) && known_placement(w->placement) &&
	       known_pair(w->pair) && known_relation(w->relation) && strchr(w->object, '.') ? 1 : -1;
}

static int add(struct waivers *w, const struct waiver *one)
{
	struct waiver *more = realloc(w->waiver, (w->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	w->waiver = more;
	w->waiver[w->n++] = *one;
	return 0;
}

int waive_read(struct waivers *w, const char *path)
{
	FILE *f = fopen(path, "r");
	char text[600];
	int err = f ? 0 : -errno;
	unsigned line = 0;

	*w = (struct waivers){ .n = 0 };
	while (!err && fgets(text, sizeof(text), f)) {
		struct waiver one = { .line = ++line };
		int is = parse(text, &one);

		if (is > 0)
			err = add(w, &one);
		if (is < 0) {
			cli_complain("waived or remains; policy placement pair relation type.field reason",
				     "%s:%u: not a waiver", path, line);
			err = -EINVAL;
		}
	}
	if (f && !err && ferror(f))
		err = -errno;
	if (f)
		fclose(f);
	if (err)
		waive_free(w);
	return err;
}

void waive_free(struct waivers *w)
{
	free(w->waiver);
	*w = (struct waivers){ .n = 0 };
}

static bool fits(const char *pattern, size_t n, const char *name)
{
	return (n == 1 && *pattern == '*') || (strlen(name) == n && !strncmp(pattern, name, n));
}

/* "a<by>b" against two names. */
static bool both_fit(const char *pattern, char by, const char *first, const char *second)
{
	const char *at = strchr(pattern, by);

	return at && fits(pattern, (size_t)(at - pattern), first) && fits(at + 1, strlen(at + 1), second);
}

static bool concerns(const struct waiver *w, const struct tally *t)
{
	const char *placement = placement_name[t->placement];

	return fits(w->policy, strlen(w->policy), t->policy) && fits(w->placement, strlen(w->placement), placement);
}

void waive_apply(struct waivers *w, struct tally *t)
{
	for (size_t i = 0; i < t->findings; i++) {
		struct tally_finding *f = &t->finding[i];

		for (size_t k = 0; k < w->n; k++) {
			struct waiver *one = &w->waiver[k];

			if (!concerns(one, t) || !relation_fits(one->relation, suite_relation_name[f->relation]) ||
			    !both_fit(one->object, '.', f->label, f->field) ||
			    !both_fit(one->pair, '|', call_kind_name[f->cell.a], call_kind_name[f->cell.b]))
				continue;
			one->used++;
			f->waived = one->exempt;
			f->known = true;
			break;
		}
	}
}

unsigned waive_unused(const struct waivers *w, const struct tally *t, FILE *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct waiver *one = &w->waiver[i];

		if (one->used || !concerns(one, t))
			continue;
		fprintf(out, "waiver in line %u covers nothing: %s %s %s %s %s\n", one->line, one->policy,
			one->placement, one->pair, one->relation, one->object);
		n++;
	}
	return n;
}

unsigned waive_missing(const struct tally *t, FILE *out)
{
	uint32_t *sorted = tally_sorted(t);
	char cell[64];
	unsigned n = 0;

	for (size_t i = 0; sorted && i < t->findings; i++) {
		const struct tally_finding *f = &t->finding[sorted[i]];

		if (f->known)
			continue;
		if (n++ < TOLD)
			fprintf(out, "no waiver: %s %s %s, %s: %s.%s (%u tests; %s, %s)\n", t->policy,
				placement_name[t->placement], tally_cell_name(cell, f->cell),
				suite_relation_name[f->relation], f->label, f->field, f->tests, f->at_a, f->at_b);
	}
	if (n > TOLD)
		fprintf(out, "... and %u more\n", n - TOLD);
	free(sorted);
	return n;
}
