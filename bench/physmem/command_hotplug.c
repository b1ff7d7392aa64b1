/* SPDX-License-Identifier: MIT */
/* command_hotplug.c - memory goes while it is used; who is told when it comes and goes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/tool/cli.h"
#include "bench/physmem/command.h"
#include "bench/physmem/survey.h"

/* ---- unplug ---- */

/* Names of frames and of pins let go what lies in [pfn, pfn + pages). */
static void revoke(void *arg, uint64_t pfn, uint64_t pages)
{
	struct board *b = arg;

	for (unsigned k = 0; k < BOARD_SLOTS; k++) {
		for (uint64_t i = b->pins[k].n; i-- > 0;)
			if (b->pins[k].pin[i].pfn - pfn < pages)
				board_unpin(b, &b->pins[k], i);
		for (uint64_t i = b->group[k].n; i-- > 0;) {
			const struct physmem_run *run = &b->group[k].run[i];

			if (run->pfn < pfn + pages && pfn < run->pfn + (UINT64_C(1) << run->order))
				board_give(b, &b->group[k], i);
		}
	}
}

static int unplug_options(struct call *c, struct physmem_unplug_options *o)
{
	static const char *const names[] = { "fail", "wait", "revoke", NULL };           /* enum physmem_unplug_mode */
	const char *mode = call_option(c, "mode"), *within = call_option(c, "within");
	const char *attempts = call_option(c, "attempts");
	uint64_t n = 0, ns = 0;
	unsigned index = 0;
	int err = mode != NULL ? call_one_of(c, "mode", mode, names, &index) : 0;

	if (err == 0 && attempts != NULL)
		err = call_count(c, "attempts", attempts, UINT32_MAX, &n);
	if (err == 0 && within != NULL && cli_parse_duration(within, &ns) != 0)
		err = call_mistake(c, "for example: within=10ms", "within: '%s' is not a duration", within);
	o->mode = (enum physmem_unplug_mode)index;
	o->attempts = (unsigned)n;
	o->deadline_ns = within != NULL ? clock_ns() + ns : UINT64_MAX;
	o->revoke = revoke;
	o->arg = c->board;
	return err;
}

/* ": 2 frames held, 1 frames pinned, the first at 0x4000000"; or nothing. */
static const char *what_is_left(const struct physmem_unplug_result *r, char *text, size_t bytes)
{
	static const char *const name[PHYSMEM_REASONS] = {
		"movable", "held", "pinned", "busy", "still read", "without room to go to", "",
		"in another one's hands", "not there", "all that there is",
	};
	size_t n = 0;

	text[0] = 0;
	for (unsigned i = 0; i < PHYSMEM_REASONS; i++)
		if (r->left[i] != 0 && n < bytes)
			n += (size_t)snprintf(text + n, bytes - n, "%s %" PRIu64 " frames %s,", n == 0 ? ":" : "",
					      r->left[i], name[i]);
	if (n != 0 && n < bytes)
		snprintf(text + n, bytes - n, " the first at 0x%" PRIx64, r->first * VMMAP_PAGE_SIZE);
	return text;
}

/* A name of a segment of which nothing is left is free again. */
static void forget_segments(struct board *b)
{
	for (unsigned i = 0; i < BOARD_SLOTS; i++) {
		struct board_segment *s = &b->segment[i];
		struct survey_counts counts = { { 0 } };

		if (s->name[0] == 0)
			continue;
		survey_count(b->pm, s->pfn, s->pages, &counts);
		if (counts.n[PHYSMEM_ABSENT] == s->pages)
			memset(s, 0, sizeof(*s));
	}
}

/* What to do about it. */
static const char *remedy(int err, const struct physmem_unplug_result *r)
{
	if (err == -EINVAL)
		return "a size of at least a page, between the machine's base= and limit=";
	switch (r->reason) {
	case PHYSMEM_REASON_HELD:
	case PHYSMEM_REASON_PINNED:  return "`inspect` says who has a frame; mode=revoke has it given back";
	case PHYSMEM_REASON_NO_ROOM: return "what is used there needs room elsewhere: free or plug some";
	case PHYSMEM_REASON_VETO:    return "`listen off` ends the veto";
	case PHYSMEM_REASON_ABSENT:  return "`segments` shows what is there";
	case PHYSMEM_REASON_ALL:     return "a machine keeps some memory: plug other memory first, or unplug less";
	default:                     return err == -ENOMEM ? "the host has no memory for the books" :
							     "later, or longer: mode=wait, within=";
	}
}

int command_unplug(struct call *c)
{
	struct physmem_unplug_options options = PHYSMEM_UNPLUG_OPTIONS;
	uint64_t pfn = 0, pages = 0;
	char left[256];
	int err = command_need_machine(c);

	if (err == 0)
		err = call_place(c, "unplug", c->word[1], &pfn);
	if (err == 0)
		err = call_pages(c, "unplug", c->word[2], &pages);
	if (err == 0)
		err = unplug_options(c, &options);
	if (err != 0)
		return err;
	err = physmem_unplug(c->board->pm, pfn, pages, &options, &c->board->unplugged);
	if (err != 0)
		return call_refused(c, err, remedy(err, &c->board->unplugged), "unplug %s %s%s", c->word[1], c->word[2],
				    what_is_left(&c->board->unplugged, left, sizeof(left)));
	forget_segments(c->board);
	return 0;
}

/* ---- who is told ---- */

static int told(struct physmem_listener *l, enum physmem_event event, uint64_t pfn, uint64_t pages)
{
	static const char *const name[] = { "going online", "online", "cancel online", "going offline", "offline",
					    "cancel offline" };
	struct board_listener *board = (struct board_listener *)l;
	bool veto = board->veto && (event == PHYSMEM_GOING_ONLINE || event == PHYSMEM_GOING_OFFLINE);
	char text[CALL_SIZE_TEXT];

	fprintf(board->out, "%s: 0x%" PRIx64 ", %s%s\n", name[event], pfn * VMMAP_PAGE_SIZE,
		call_size_text(pages, text), veto ? ": veto" : "");
	return veto ? -EPERM : 0;
}

int command_listen(struct call *c)
{
	static const char *const names[] = { "on", "veto", "off", NULL };
	struct board_listener *l = &c->board->listener;
	unsigned what = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_one_of(c, "listen", c->word[1], names, &what);
	if (err != 0)
		return err;
	if (l->l.fn != NULL)
		physmem_unlisten(c->board->pm, &l->l);
	*l = (struct board_listener){ .l.fn = what == 2 ? NULL : told, .out = c->out, .veto = what == 1 };
	err = what == 2 ? 0 : physmem_listen(c->board->pm, &l->l);
	return err == 0 ? 0 : call_refused(c, err, "listen off, first", "listen");
}
