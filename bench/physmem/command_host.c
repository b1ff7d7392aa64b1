/* SPDX-License-Identifier: MIT */
/* command_host.c - what a machine tells its host, and what that has of it. */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/physmem/command.h"

/* host=accept|refuse|later. A host that is not taken after all leaves the one before as it was. */
static int set_verdict(struct call *c, struct host *host)
{
	static const char *const names[] = { "later", "accept", "refuse", NULL };        /* enum physmem_verdict   */
	const char *text = call_option(c, "host");
	unsigned verdict = PHYSMEM_ACCEPTED;
	int err = text != NULL ? call_one_of(c, "host", text, names, &verdict) : 0;

	*host = (struct host){ c->board->pm, c->board->bytes, (enum physmem_verdict)verdict };
	return err;
}

static int number_option(struct call *c, const char *key, unsigned most, unsigned *out)
{
	const char *text = call_option(c, key);
	uint64_t n = *out;
	int err = text != NULL ? call_count(c, key, text, most, &n) : 0;

	*out = (unsigned)n;
	return err;
}

static int report_on(struct call *c)
{
	struct physmem_report_config config = PHYSMEM_REPORT_CONFIG;
	const char *low = call_option(c, "low");
	struct host before = c->board->told;
	int err = set_verdict(c, &c->board->told);

	config.tell = host_tell;
	config.arg = &c->board->told;
	config.low = 0;
	if (err == 0)
		err = number_option(c, "notify", PHYSMEM_TOLD_MOST, &config.notify);
	if (err == 0)
		err = number_option(c, "most", PHYSMEM_TOLD_MOST, &config.most);
	if (err == 0)
		err = number_option(c, "capture", PHYSMEM_TOLD_MOST, &config.capture);
	if (err == 0 && low != NULL)
		err = call_pages(c, "low", low, &config.low);
	if (err == 0) {
		err = physmem_report_start(c->board->pm, &config);
		if (err != 0)
			call_refused(c, err, err == -EBUSY ? "report off ends it" : "notify is at most `most`, capture "
				     "a power of two", "report on");
	}
	if (err != 0)
		c->board->told = before;
	return err;
}

static int report_pass(struct call *c)
{
	static const char *const names[] = { "some", "all", "now", NULL };       /* enum physmem_report_how        */
	unsigned how = PHYSMEM_REPORT_ALL;
	int err = c->words > 2 ? call_one_of(c, "report pass", c->word[2], names, &how) : 0;

	if (err != 0)
		return err;
	err = physmem_report_pass(c->board->pm, (enum physmem_report_how)how, NULL);
	return err == 0 ? 0 : call_refused(c, err, "report on, first", "report pass");
}

int command_report(struct call *c)
{
	static const char *const names[] = { "on", "off", "pass", NULL };
	unsigned what = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_one_of(c, "report", c->word[1], names, &what);
	if (err == 0 && what != 2 && c->words > 2)
		err = call_mistake(c, "usage: report on|off|pass [some|all|now]", "report: '%s'?", c->word[2]);
	if (err != 0)
		return err;
	if (what == 1)
		physmem_report_stop(c->board->pm);
	return what == 0 ? report_on(c) : what == 2 ? report_pass(c) : 0;
}

/* ---- balloon ---- */

static int balloon_on(struct call *c)
{
	struct physmem_balloon_config config = PHYSMEM_BALLOON_CONFIG;
	const char *low = call_option(c, "low");
	struct host before = c->board->balloon;
	int err = set_verdict(c, &c->board->balloon);

	config.inflate = host_tell;
	config.deflate = host_untell;
	config.arg = &c->board->balloon;
	config.low = 0;
	if (err == 0)
		err = number_option(c, "order", 9, &config.order);
	if (err == 0 && low != NULL)
		err = call_pages(c, "low", low, &config.low);
	if (err == 0) {
		err = physmem_balloon_start(c->board->pm, &config);
		if (err != 0)
			call_refused(c, err, "balloon off ends it", "balloon on");
	}
	if (err != 0)
		c->board->balloon = before;
	return err;
}

static void balloon_off(struct board *b)
{
	physmem_balloon_stop(b->pm);
	b->balloon.pm = NULL;
}

/* How much, if the command says so. */
static int balloon_amount(struct call *c, bool needed, uint64_t *pages)
{
	*pages = UINT64_MAX;
	if (c->words > 2)
		return call_pages(c, c->word[1], c->word[2], pages);
	return needed ? call_mistake(c, "for example: balloon inflate 16M", "balloon %s: how much?", c->word[1]) : 0;
}

int command_balloon(struct call *c)
{
	static const char *const names[] = { "on", "off", "inflate", "deflate", NULL };
	uint64_t pages = 0;
	unsigned what = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_one_of(c, "balloon", c->word[1], names, &what);
	if (err == 0 && what >= 2)
		err = balloon_amount(c, what == 2, &pages);
	else if (err == 0 && c->words > 2)
		err = call_mistake(c, "usage: balloon on|off|inflate SIZE|deflate [SIZE]", "balloon %s: '%s'?",
				   c->word[1], c->word[2]);
	if (err == 0 && what >= 2 && c->board->balloon.pm == NULL)
		err = call_refused(c, -ENXIO, "balloon on, first", "balloon %s", c->word[1]);
	if (err != 0 || what == 0)
		return err != 0 ? err : balloon_on(c);
	if (what == 1)
		balloon_off(c->board);
	else if (what == 2)
		physmem_balloon_inflate(c->board->pm, pages);
	else
		physmem_balloon_deflate(c->board->pm, pages);
	return 0;
}

/* ---- poison ---- */

static const char *poison_remedy(int err)
{
	switch (err) {
	case -EINVAL: return "no segment has it: `segments` shows what is there";
	case -ENOMEM: return "what is stored there needs a frame elsewhere: plug more, or free something";
	default:      return "who has the frame cannot be asked to move: `inspect` says who";
	}
}

int command_poison(struct call *c)
{
	uint64_t pfn = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = command_frame(c, &pfn);
	if (err != 0)
		return err;
	err = physmem_poison(c->board->pm, pfn);
	return err == 0 ? 0 : call_refused(c, err, poison_remedy(err), "poison %s", c->word[1]);
}

int command_unpoison(struct call *c)
{
	uint64_t pfn = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_place(c, "unpoison", c->word[1], &pfn);
	if (err != 0)
		return err;
	err = physmem_unpoison(c->board->pm, pfn);
	return err == 0 ? 0 : call_refused(c, err, "it is not out of use: `inspect` says what it is", "unpoison %s",
					   c->word[1]);
}
