/* SPDX-License-Identifier: MIT */
/* command_look.c - what a machine looks like, and whether that is as a script says. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/tool/cli.h"
#include "bench/physmem/command.h"
#include "bench/physmem/figure.h"
#include "bench/physmem/picture.h"

/* ---- figures ---- */

static int figure_of(struct call *c, const char *name, struct figure_value *value)
{
	if (figure_get(c->board, name, value))
		return 0;
	return call_mistake(c, "`vmmap-physmem commands` lists the figures", "there is no figure '%s'", name);
}

/* "512 (2 MiB)" of an amount of memory. */
static const char *value_text(const struct figure_value *value, char text[64])
{
	char size[CALL_SIZE_TEXT];
	int n = snprintf(text, 64, "%" PRIu64, value->n);

	if (value->frames)
		snprintf(text + n, 64 - (size_t)n, " (%s)", call_size_text(value->n, size));
	return text;
}

int command_show(struct call *c)
{
	struct figure_value value;
	char text[64];
	int err = command_need_machine(c);

	if (err == 0 && c->words == 1)
		figure_print_all(c->board, c->out);
	for (unsigned i = 1; i < c->words && err == 0; i++) {
		err = figure_of(c, c->word[i], &value);
		if (err == 0)
			fprintf(c->out, "%s %s\n", c->word[i], value_text(&value, text));
	}
	return err;
}

/* A count, an amount, or a figure. */
static int value_of(struct call *c, const char *word, struct figure_value *value)
{
	size_t n = strlen(word);

	if (figure_get(c->board, word, value))
		return 0;
	value->frames = call_pages(c, "expect", word, &value->n) == 0;
	if (value->frames || (isdigit((unsigned char)word[n - 1]) && cli_parse_count(word, &value->n) == 0))
		return 0;
	return call_mistake(c, "a count (1000), an amount of memory (64M, 512p), or another figure",
			    "expect: '%s' is no value", word);
}

static bool holds(uint64_t is, const char *op, uint64_t value, bool *known)
{
	*known = true;
	if (strcmp(op, "=") == 0)
		return is == value;
	if (strcmp(op, "!=") == 0)
		return is != value;
	if (strcmp(op, "<") == 0)
		return is < value;
	if (strcmp(op, "<=") == 0)
		return is <= value;
	if (strcmp(op, ">") == 0)
		return is > value;
	if (strcmp(op, ">=") == 0)
		return is >= value;
	*known = false;
	return false;
}

int command_expect(struct call *c)
{
	struct figure_value is = { 0 }, value = { 0 };
	char is_text[64], other_text[64];
	bool known, good;
	int err = command_need_machine(c);

	if (err == 0)
		err = figure_of(c, c->word[1], &is);
	if (err == 0)
		err = value_of(c, c->word[3], &value);
	if (err != 0)
		return err;
	good = holds(is.n, c->word[2], value.n, &known);
	if (!known)
		return call_mistake(c, "one of = != < <= > >=", "expect: '%s' is no comparison", c->word[2]);
	return good ? 0 : call_unmet(c, "`show` before this line prints all figures", "%s is %s, expected %s %s",
				     c->word[1], value_text(&is, is_text), c->word[2], value_text(&value, other_text));
}

/* ---- checks ---- */

int command_verify(struct call *c)
{
	uint64_t bad = 0;
	int err = command_need_machine(c);

	if (err == 0 && !c->board->bytes)
		err = call_mistake(c, "begin with machine bytes=on", "verify: frames have no contents here");
	if (err == 0)
		bad = board_verify(c->board, stderr);
	return bad == 0 ? err : call_unmet(c, "the lines above say which", "verify: %" PRIu64 " pages or frames have "
					   "lost what was stored", bad);
}

int command_audit(struct call *c)
{
	int err = command_need_machine(c);
	uint64_t bad = err == 0 ? board_audit(c->board, stderr) : 0;

	return bad == 0 ? err : call_unmet(c, "the lines above say what", "audit: %" PRIu64 " violations", bad);
}

/* ---- pictures ---- */

int command_segments(struct call *c)
{
	struct survey_segment s;
	int err = command_need_machine(c);

	for (unsigned i = 0; err == 0 && survey_segment(c->board->pm, i, &s); i++) {
		struct survey_counts counts = { { 0 } };
		char text[CALL_SIZE_TEXT];

		survey_count(c->board->pm, s.pfn, s.pages, &counts);
		fprintf(c->out, "%14" PRIx64 "  %-10s %s", s.pfn * VMMAP_PAGE_SIZE, call_size_text(s.pages, text),
			s.movable ? "for movable memory only" : "for all memory");
		for (unsigned k = PHYSMEM_FREE; k < SURVEY_STATES; k++)
			if (counts.n[k] != 0)
				fprintf(c->out, ", %s %s", survey_text[k].name, call_size_text(counts.n[k], text));
		fputc('\n', c->out);
	}
	return err;
}

int command_picture(struct call *c)
{
	const char *cell_text = call_option(c, "cell"), *path = c->words > 1 ? c->word[1] : NULL;
	struct picture p;
	uint64_t cell = 0;
	int err = command_need_machine(c);

	if (err == 0 && cell_text != NULL)
		err = call_pages(c, "cell", cell_text, &cell);
	if (err != 0)
		return err;
	picture_make(&p, c->board, path != NULL ? PICTURE_IMAGE_COLUMNS : PICTURE_TEXT_COLUMNS, cell);
	if (path == NULL)
		picture_print(&p, c->out);
	else
		err = picture_plot(&p, path);
	picture_free(&p);
	if (err == -EINVAL)
		return call_mistake(c, "picture FILE.svg, or FILE.png", "picture: '%s' is no name of an image", path);
	return err == 0 ? 0 : call_refused(c, err, "the directory has to be there, and gnuplot (gnuplot-nox)",
					   "picture %s", path);
}

/* ---- one frame ---- */

/* The frame that a page has. */
static int frame_under(struct call *c, uint64_t *pfn)
{
	struct vmmap_fault_info info;
	struct board_mapping *m;
	struct call_pages part;
	struct board_space *s;
	int err = call_mapping(c, c->word[1], &s, &m);

	if (err == 0)
		err = call_part(c, NULL, m->pages, &part);
	if (err != 0)
		return err;
	if (m->stored[part.first] == BOARD_GONE ||
	    (m->stored[part.first] == 0 && !board_is_pinned(c->board, m, part.first)))
		return call_mistake(c, "touch it first", "page %" PRIu64 " of %s has no frame of its own", part.first,
				    c->word[1]);
	err = vmmap_fault(s->map, m->addr + part.first * VMMAP_PAGE_SIZE, PROT_READ, &info);
	*pfn = err == 0 ? info.pfn : 0;
	return err == 0 ? 0 : call_refused(c, err, "its page could not be read: plug more, or free something",
					   "%s %s", c->word[0], c->word[1]);
}

/* The first one that a name of frames or of pins has. False: there is no such name. */
static bool first_of(struct call *c, int *err, uint64_t *pfn)
{
	const struct board_group *g = board_group(c->board, c->word[1]);
	const struct board_pins *p = board_pins(c->board, c->word[1]);

	if (g == NULL && p == NULL)
		return false;
	if (g != NULL ? g->n == 0 : p->n == 0)
		*err = call_mistake(c, "its frames were revoked", "'%s' has no frame", c->word[1]);
	else
		*pfn = g != NULL ? g->run[0].pfn : p->pin[0].pfn;
	return true;
}

int command_frame(struct call *c, uint64_t *pfn)
{
	int err = 0;

	if (strchr(c->word[1], '/') != NULL)
		err = frame_under(c, pfn);
	else if (!first_of(c, &err, pfn))
		err = call_place(c, c->word[0], c->word[1], pfn);
	if (err == 0 && (*pfn < c->board->base || *pfn >= c->board->limit))
		err = call_mistake(c, "machine base= and limit= say where there may be memory",
				   "%s: no frame can be there", c->word[0]);
	return err;
}

int command_inspect(struct call *c)
{
	uint64_t pfn = 0;
	int err = command_need_machine(c);

	if (err == 0)
		err = command_frame(c, &pfn);
	if (err == 0)
		survey_frame(c->board->pm, pfn, c->out);
	return err;
}

int command_print(struct call *c)
{
	for (unsigned i = 1; i < c->words; i++)
		fprintf(c->out, "%s%s", i > 1 ? " " : "", c->word[i]);
	fputc('\n', c->out);
	return 0;
}
