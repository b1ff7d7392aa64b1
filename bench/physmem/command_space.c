/* SPDX-License-Identifier: MIT */
/* command_space.c - address spaces: map, store, drop, unmap, fork, exit; pages that are pinned. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/physmem/command.h"

#define BYTES(pages) ((pages) * VMMAP_PAGE_SIZE)
#define SHORT_OF_FRAMES "there is no frame left; plug more memory, or give some back (exit, unmap, free)"

/* The space that word "SPACE/MAPPING" names, made if there is none; *mapping: its second half. */
static int space_of(struct call *c, char *word, struct board_space **out, const char **mapping)
{
	const char *policy = call_option(c, "policy");
	char *slash = strchr(word, '/');
	int err;

	if (slash == NULL || slash[1] == 0 || strchr(slash + 1, '/') != NULL)
		return call_mistake(c, "for example: map shell/heap 8M", "map: '%s' is not SPACE/MAPPING", word);
	*slash = 0;
	*mapping = slash + 1;
	*out = board_space(c->board, word);
	if (*out != NULL && policy != NULL)
		return call_mistake(c, "give it where the address space is made", "policy: '%s' is there already",
				    word);
	if (*out != NULL)
		return 0;
	err = call_new_name(c, word);
	if (err != 0)
		return err;
	*out = board_new_space(c->board, word);
	if (*out == NULL)
		return call_mistake(c, "one of them may exit", "there are %u address spaces", BOARD_SLOTS);
	err = board_space_open(c->board, *out, policy != NULL ? policy : "vma");
	return err == 0 ? 0 : call_refused(c, err, "policies: see vmmap-stress --policy=help", "address space '%s'",
					   word);
}

int command_map(struct call *c)
{
	struct board_space *s = NULL;
	struct board_mapping *m;
	uint64_t pages = 0;
	const char *name = "";
	int64_t addr;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_pages(c, "map", c->word[2], &pages);
	if (err == 0)
		err = space_of(c, c->word[1], &s, &name);
	if (err != 0)
		return err;
	if (strlen(name) >= BOARD_NAME || board_mapping(s, name) != NULL)
		return call_mistake(c, "unmap it first, or take another name", "map: '%s' has a mapping '%s'", s->name,
				    name);
	addr = vmmap_mmap(s->map, 0, BYTES(pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (addr < 0)
		return call_refused(c, (int)addr, "the address space has no such gap: unmap something, or map less",
				    "map %s/%s", s->name, name);
	m = board_new_mapping(s, name, pages);
	if (m == NULL) {
		vmmap_munmap(s->map, (uint64_t)addr, BYTES(pages));
		return call_mistake(c, "unmap one of them, or use another address space", "'%s' has %u mappings",
				    s->name, BOARD_SLOTS);
	}
	m->addr = (uint64_t)addr;
	return 0;
}

/* Pages of a mapping, named by the words of a command from one on. */
static int part_of(struct call *c, unsigned word, struct board_space **s, struct board_mapping **m,
		   struct call_pages *part)
{
	int err = command_need_machine(c);

	if (err == 0)
		err = call_mapping(c, c->word[word], s, m);
	return err != 0 ? err : call_part(c, c->words > word + 1 ? c->word[word + 1] : NULL, (*m)->pages, part);
}

int command_touch(struct call *c)
{
	struct board_space *s;
	struct board_mapping *m;
	struct call_pages part;
	int err = part_of(c, 1, &s, &m, &part);

	if (err != 0)
		return err;
	for (uint64_t i = 0; i < part.n; i += part.step) {
		err = board_store(c->board, s, m, part.first + i);
		if (err != 0)
			return call_refused(c, err, err == -ENOMEM ? SHORT_OF_FRAMES : "it has been unmapped",
					    "touch %s: page %llu", c->word[1], (unsigned long long)(part.first + i));
	}
	return 0;
}

int command_drop(struct call *c)
{
	struct board_space *s;
	struct board_mapping *m;
	struct call_pages part;
	int err = part_of(c, 1, &s, &m, &part);

	if (err != 0)
		return err;
	for (uint64_t i = 0; i < part.n; i += part.step) {
		err = board_drop(c->board, s, m, part.first + i);
		if (err != 0)
			return call_refused(c, err, "it has been unmapped", "drop %s: page %llu", c->word[1],
					    (unsigned long long)(part.first + i));
	}
	return 0;
}

int command_unmap(struct call *c)
{
	struct board_space *s;
	struct board_mapping *m;
	struct call_pages part;
	uint64_t left = 0;
	int err = part_of(c, 1, &s, &m, &part);

	if (err != 0)
		return err;
	err = vmmap_munmap(s->map, m->addr + BYTES(part.first), BYTES(part.n));
	if (err != 0)
		return call_refused(c, err, "it was left as it is; try again, or exit the address space", "unmap %s",
				    c->word[1]);
	board_pages_go(c->board, m, part.first, part.n);
	for (uint64_t i = 0; i < part.n; i++)
		m->stored[part.first + i] = BOARD_GONE;
	for (uint64_t i = 0; i < m->pages; i++)
		left += m->stored[i] != BOARD_GONE;
	if (left == 0)
		board_drop_mapping(m);
	return 0;
}

int command_fork(struct call *c)
{
	struct board_space *parent = NULL, *child;
	const char *mapping;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_space(c, c->word[1], &parent, &mapping);
	if (err == 0)
		err = call_new_name(c, c->word[2]);
	if (err != 0)
		return err;
	child = board_new_space(c->board, c->word[2]);
	if (child == NULL)
		return call_mistake(c, "one of them may exit", "there are %u address spaces", BOARD_SLOTS);
	err = board_space_fork(parent, child);
	return err == 0 ? 0 : call_refused(c, err, "the copies of pinned pages want frames: plug more, or free "
					   "something", "fork %s", c->word[1]);
}

int command_exit(struct call *c)
{
	struct board_space *s = NULL;
	const char *mapping;
	int err = command_need_machine(c);

	if (err == 0)
		err = call_space(c, c->word[1], &s, &mapping);
	if (err == 0 && mapping != NULL)
		err = call_mistake(c, "unmap lets a mapping go", "exit: '%s' is a mapping", c->word[1]);
	if (err == 0)
		board_space_close(c->board, s);
	return err;
}

/* ---- pins ---- */

/* The pins of that name; a new name if there are none. */
static int pins_of(struct call *c, const char *name, struct board_pins **out)
{
	int err;

	*out = board_pins(c->board, name);
	if (*out != NULL)
		return 0;
	err = call_new_name(c, name);
	if (err != 0)
		return err;
	*out = board_new_pins(c->board, name);
	return *out != NULL ? 0 : call_mistake(c, "unpin one of them, or use its name", "there are %u names of "
						 "pins", BOARD_SLOTS);
}

/* All of the part or nothing. */
static int pin_part(struct board *b, struct board_pins *p, struct board_space *s, struct board_mapping *m,
		    const struct call_pages *part)
{
	uint64_t before = p->n, n = part->step == 1 ? part->n : 1;
	int err = 0;

	for (uint64_t i = 0; i < part->n && err == 0; i += part->step == 1 ? n : part->step)
		err = board_pin(p, s, m, part->first + i, n);
	while (err != 0 && p->n > before)
		board_unpin(b, p, p->n - 1);
	return err;
}

int command_pin(struct call *c)
{
	struct board_pins *p = NULL;
	struct board_mapping *m;
	struct call_pages part;
	struct board_space *s;
	int err = part_of(c, 2, &s, &m, &part);

	if (err == 0)
		err = pins_of(c, c->word[1], &p);
	if (err != 0)
		return err;
	err = pin_part(c->board, p, s, m, &part);
	board_pins_tidy(p);
	return err == 0 ? 0 : call_refused(c, err, err == -ENOMEM ? "no frame is left outside of movable segments; "
					   "plug more, or give some back" : "it has been unmapped", "pin %s",
					   c->word[2]);
}

int command_unpin(struct call *c)
{
	struct board_pins *p = NULL;
	int err = command_need_machine(c);
	uint64_t n = 0;

	if (err == 0)
		p = board_pins(c->board, c->word[1]);
	if (err == 0 && p == NULL)
		err = call_mistake(c, "pin gives names to pins", "unpin: there are no pins '%s'", c->word[1]);
	if (err == 0)
		n = p->n;
	if (err == 0 && c->words > 2)
		err = call_count(c, "unpin", c->word[2], p->n, &n);
	while (err == 0 && n-- > 0) {
		err = board_unpin(c->board, p, n);
		if (err != 0)
			call_refused(c, err, "`audit` says whether its frame is in order", "unpin %s", c->word[1]);
	}
	if (p != NULL)
		board_pins_tidy(p);
	return err;
}
