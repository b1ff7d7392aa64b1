/* SPDX-License-Identifier: MIT */
/* command_memory.c - the machine, its segments, frames by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/physmem/command.h"

#define ROOM (UINT64_C(1) << 18)                 /* pages above boot memory where segments may come                */
#define ORDERS 9u

/* ---- machine ---- */

/* "PLACE+SIZE" */
static int boot_segment(struct call *c, const char *text, struct board_segment *out)
{
	const char *plus = strrchr(text, '+');
	char place[64];
	int err;

	if (plus == NULL)
		return call_mistake(c, "for example: boot=0+16M boot=32M+16M", "boot: '%s' is not PLACE+SIZE", text);
	snprintf(place, sizeof(place), "%.*s", (int)(plus - text), text);
	err = call_place(c, "boot", place, &out->pfn);
	return err != 0 ? err : call_pages(c, "boot", plus + 1, &out->pages);
}

/* Segments that the machine begins with; *n of them. */
static int boot_segments(struct call *c, struct board_segment *boot, unsigned *n)
{
	const char *memory = call_option(c, "memory");
	int err = 0;

	*n = 0;
	for (unsigned i = 0; i < c->options && err == 0; i++)
		if (strncmp(c->option[i], "boot=", 5) == 0) {
			snprintf(boot[*n].name, BOARD_NAME, *n == 0 ? "boot" : "boot%u", *n + 1);
			err = boot_segment(c, c->option[i] + 5, &boot[(*n)++]);
		}
	if (err != 0 || *n != 0)
		return err == 0 && memory != NULL ? call_mistake(c, "give one of the two",
								 "machine: memory= and boot= say the same") : err;
	*n = 1;
	strcpy(boot[0].name, "boot");
	return call_pages(c, "memory", memory != NULL ? memory : "64M", &boot[0].pages);
}

static int limits(struct call *c, const struct board_segment *last, uint64_t *base, uint64_t *limit)
{
	const char *from = call_option(c, "base"), *to = call_option(c, "limit");
	int err = 0;

	*base = 0;
	*limit = last->pfn + last->pages + ROOM;
	if (from != NULL)
		err = call_place(c, "base", from, base);
	if (err == 0 && to != NULL)
		err = call_place(c, "limit", to, limit);
	return err;
}

static int contents(struct call *c, bool *bytes)
{
	const char *text = call_option(c, "bytes");

	*bytes = text == NULL || strcmp(text, "on") == 0;
	if (*bytes || strcmp(text, "off") == 0)
		return 0;
	return call_mistake(c, "bytes=on: frames have contents, bytes=off: they have not",
			    "bytes: '%s' is neither on nor off", text);
}

int command_machine(struct call *c)
{
	struct board_segment boot[CALL_WORDS];
	uint64_t base = 0, limit = 0;
	bool bytes = true;
	unsigned n;
	int err;

	memset(boot, 0, sizeof(boot));
	err = boot_segments(c, boot, &n);
	if (err == 0)
		err = limits(c, &boot[n - 1], &base, &limit);
	if (err == 0)
		err = contents(c, &bytes);
	if (err != 0)
		return err;
	if (board_close(c->board) != 0)
		return call_unmet(c, "the lines above say what", "the machine before is not in order");
	c->board->bytes = bytes;
	c->board->base = base;
	c->board->limit = limit;
	err = board_open(c->board, boot, n);
	if (err == 0)
		return 0;
	memset(c->board, 0, sizeof(*c->board));
	return call_refused(c, err, "segments ascend, do not overlap, and lie in [base, limit), which is below 4096T "
			    "and up to 16T long", "there can be no such machine");
}

static const char *plug_remedy(int err)
{
	switch (err) {
	case -EEXIST: return "some of it is there already: `segments` shows what; plug elsewhere, or unplug that first";
	case -EPERM:  return "a listener has a veto: `listen off` ends that, `listen on` only prints";
	case -EINVAL: return "it has to lie in the machine's [base, limit), and no block of 2M may have memory of both "
			     "kinds";
	default:      return "there are no more books for it: plug less, or unplug something first";
	}
}

int command_plug(struct call *c)
{
	bool movable = c->words > 3 && strcmp(c->word[c->words - 1], "movable") == 0;
	const char *name = c->words > 3u + movable ? c->word[3] : NULL;
	struct board_segment *s, is = { .movable = movable };
	int err = command_need_machine(c);

	if (err == 0)
		err = call_place(c, "plug", c->word[1], &is.pfn);
	if (err == 0)
		err = call_pages(c, "plug", c->word[2], &is.pages);
	if (err == 0 && c->words > 4 && !movable)
		err = call_mistake(c, "usage: plug PLACE SIZE [NAME] [movable]", "plug: '%s'?", c->word[4]);
	if (err == 0 && name != NULL)
		err = call_new_name(c, name);
	if (err != 0)
		return err;
	if (name != NULL && board_segment(c->board, "") == NULL)
		return call_mistake(c, "plug it without a name", "there are %u named segments", BOARD_SLOTS);
	err = physmem_plug(c->board->pm, is.pfn, is.pages, movable);
	if (err != 0)
		return call_refused(c, err, plug_remedy(err), "plug %s %s", c->word[1], c->word[2]);
	if (name == NULL)
		return 0;
	s = board_new_segment(c->board, name);
	memcpy(is.name, s->name, sizeof(is.name));
	*s = is;
	return 0;
}

/* ---- frames ---- */

/* The group of that name; a new one if there is none. */
static int group_of(struct call *c, const char *name, struct board_group **out)
{
	int err;

	*out = board_group(c->board, name);
	if (*out != NULL)
		return 0;
	err = call_new_name(c, name);
	if (err != 0)
		return err;
	*out = board_new_group(c->board, name);
	return *out != NULL ? 0 : call_mistake(c, "free one of them, or use its name", "there are %u names of "
						 "frames", BOARD_SLOTS);
}

static void group_tidy(struct board_group *g)
{
	if (g->n != 0)
		return;
	free(g->run);
	memset(g, 0, sizeof(*g));
}

int command_alloc(struct call *c)
{
	const char *order_text = call_option(c, "order");
	uint64_t order = 0, n = 1, done;
	struct board_group *g = NULL;
	int err = command_need_machine(c);

	if (err == 0 && order_text != NULL)
		err = call_count(c, "order", order_text, ORDERS, &order);
	if (err == 0 && c->words > 2)
		err = call_count(c, "alloc", c->word[2], UINT64_C(1) << 32, &n);
	if (err == 0)
		err = group_of(c, c->word[1], &g);
	if (err != 0)
		return err;
	for (done = 0; done < n && err == 0; done += err == 0)
		err = board_take(c->board, g, (unsigned)order);
	group_tidy(g);
	if (err != 0)
		return call_refused(c, err, "what there is was taken; plug more, or free something",
				    "alloc %s: %llu of %llu runs of %u frames", c->word[1], (unsigned long long)done,
				    (unsigned long long)n, 1u << order);
	return 0;
}

int command_free(struct call *c)
{
	const char *step_text = call_option(c, "step");
	struct board_group *g = NULL;
	uint64_t n, step = 1;
	int err = command_need_machine(c);

	if (err == 0)
		g = board_group(c->board, c->word[1]);
	if (err == 0 && g == NULL)
		err = call_mistake(c, "alloc gives names to frames", "free: there are no frames '%s'", c->word[1]);
	n = err == 0 ? g->n : 0;
	if (err == 0 && c->words > 2)
		err = call_count(c, "free", c->word[2], g->n, &n);
	if (err == 0 && step_text != NULL)
		err = call_count(c, "step", step_text, UINT64_MAX, &step);
	if (err == 0 && step == 0)
		err = call_mistake(c, "for example step=2: each second one", "step: 0 is no step");
	for (uint64_t at = (n + (step - 1)) / (step != 0 ? step : 1); at-- > 0 && err == 0;) {
		err = board_give(c->board, g, at * step);
		if (err != 0)
			return call_refused(c, err, "`audit` says whether its frames are in order", "free %s: run %llu",
					    c->word[1], (unsigned long long)(at * step));
	}
	if (g != NULL)
		group_tidy(g);
	return err;
}
