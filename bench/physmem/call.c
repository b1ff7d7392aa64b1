/* SPDX-License-Identifier: MIT */
/* call.c - see call.h. */
#include "bench/physmem/call.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tool/cli.h"

#define PAGE_SHIFT 12
#define BLANKS     " \t\r\n"

/* ---- words ---- */

/* key=value, but no operator of `expect`. */
static bool is_option(const char *word)
{
	size_t key = strspn(word, "abcdefghijklmnopqrstuvwxyz");

	return key != 0 && word[key] == '=';
}

bool call_split(struct call *c, char *text)
{
	c->words = c->options = 0;
	for (char *rest, *word = strtok_r(text, BLANKS, &rest); word != NULL; word = strtok_r(NULL, BLANKS, &rest)) {
		if (c->words == CALL_WORDS || c->options == CALL_WORDS)
			return false;
		if (is_option(word))
			c->option[c->options++] = word;
		else
			c->word[c->words++] = word;
	}
	return true;
}

const char *call_option(const struct call *c, const char *key)
{
	size_t n = strlen(key);

	for (unsigned i = 0; i < c->options; i++)
		if (strncmp(c->option[i], key, n) == 0 && c->option[i][n] == '=')
			return c->option[i] + n + 1;
	return NULL;
}

/* ---- what does not work ---- */

static int say(struct call *c, const char *remedy, const char *cause, va_list args)
{
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy != NULL ? remedy : "");
	return vsnprintf(c->cause, sizeof(c->cause), cause, args);
}

int call_mistake(struct call *c, const char *remedy, const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	say(c, remedy, cause, args);
	va_end(args);
	return CALL_MISTAKE;
}

int call_unmet(struct call *c, const char *remedy, const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	say(c, remedy, cause, args);
	va_end(args);
	return CALL_UNMET;
}

int call_refused(struct call *c, int err, const char *remedy, const char *cause, ...)
{
	va_list args;
	int n;

	va_start(args, cause);
	n = say(c, remedy, cause, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(c->cause))
		snprintf(c->cause + n, sizeof(c->cause) - (size_t)n, ": %s", call_errno_name(err));
	return err;
}

const char *call_errno_name(int err)
{
	const char *name = strerrorname_np(err < 0 ? -err : err);

	return name != NULL ? name : "error";
}

int call_errno(const char *name)
{
	for (int err = 1; err < 200; err++) {
		const char *is = strerrorname_np(err);

		if (is != NULL && strcmp(is, name) == 0)
			return -err;
	}
	return 0;
}

/* ---- amounts and places ---- */

/* A number and its unit: bytes by powers of 1024, or pages. False: it is none. */
static bool amount(const char *text, uint64_t *pages)
{
	size_t n = strlen(text);
	uint64_t bytes;
	char plain[64];

	if (n == 0 || n >= sizeof(plain))
		return false;
	if (tolower((unsigned char)text[n - 1]) == 'p') {
		snprintf(plain, sizeof(plain), "%.*s", (int)n - 1, text);
		return cli_parse_count(plain, pages) == 0;
	}
	if (isdigit((unsigned char)text[n - 1]) || cli_parse_size(text, &bytes) != 0)
		return false;
	*pages = bytes >> PAGE_SHIFT;
	return bytes % VMMAP_PAGE_SIZE == 0;
}

int call_pages(struct call *c, const char *what, const char *word, uint64_t *pages)
{
	if (amount(word, pages) && *pages != 0)
		return 0;
	return call_mistake(c, "examples: 64K 2M 1.5G, in whole pages of 4K; or pages: 1p 512p",
			    "%s: '%s' is not an amount of memory", what, word);
}

static bool hex(const char *text, uint64_t *pfn)
{
	unsigned long long addr;
	char *end;

	if (strncmp(text, "0x", 2) != 0)
		return false;
	errno = 0;
	addr = strtoull(text, &end, 16);
	*pfn = addr >> PAGE_SHIFT;
	return *end == 0 && errno == 0 && end != text + 2;
}

/* Without what may be added to it. */
static bool place(struct call *c, const char *text, uint64_t *pfn)
{
	struct board_segment *s = text[0] != 0 ? board_segment(c->board, text) : NULL;

	if (s != NULL)
		*pfn = s->pfn;
	else if (strcmp(text, "0") == 0)
		*pfn = 0;
	else
		return hex(text, pfn) || amount(text, pfn);
	return true;
}

int call_place(struct call *c, const char *what, const char *word, uint64_t *pfn)
{
	const char *plus = strrchr(word, '+');
	uint64_t more = 0;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", plus != NULL ? (int)(plus - word) : (int)sizeof(text), word);
	if (place(c, text, pfn) && (plus == NULL || amount(plus + 1, &more)) && *pfn <= UINT64_MAX - more) {
		*pfn += more;
		return 0;
	}
	return call_mistake(c, "examples: 0 64M 0x40000000 512p, or a segment's name; dimm1+4M is 4M above its start",
			    "%s: '%s' is not a place in memory", what, word);
}

int call_count(struct call *c, const char *what, const char *word, uint64_t most, uint64_t *n)
{
	if (cli_parse_count(word, n) == 0 && *n <= most)
		return 0;
	return call_mistake(c, "examples: 4 1000 10k", "%s: '%s' is not a count up to %llu", what, word,
			    (unsigned long long)most);
}

const char *call_size_text(uint64_t pages, char text[CALL_SIZE_TEXT])
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)pages * 4;
	unsigned i = 0;

	for (; value >= 1024 && i < 3; i++)
		value /= 1024;
	snprintf(text, CALL_SIZE_TEXT, value == (double)(uint64_t)value ? "%.0f %s" : "%.2f %s", value, unit[i]);
	return text;
}

int call_one_of(struct call *c, const char *what, const char *word, const char *const *names, unsigned *index)
{
	char list[128] = "";

	for (*index = 0; names[*index] != NULL; ++*index) {
		if (strcmp(names[*index], word) == 0)
			return 0;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *index != 0 ? ", " : "one of: ",
			 names[*index]);
	}
	return call_mistake(c, list, "%s: '%s'?", what, word);
}

/* ---- names ---- */

int call_new_name(struct call *c, const char *word)
{
	size_t n = strlen(word);

	if (n >= BOARD_NAME || !isalpha((unsigned char)word[0]))
		return call_mistake(c, "a letter first, then letters, digits, - _ .; up to 31",
				    "'%s' is not a name", word);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)word[i]) && strchr("-_.", word[i]) == NULL)
			return call_mistake(c, "a letter first, then letters, digits, - _ .; up to 31",
					    "'%s' is not a name", word);
	if (board_has_name(c->board, word))
		return call_mistake(c, "each name is used once: for a segment, frames, pins, or an address space",
				    "there is a '%s' already", word);
	return 0;
}

int call_space(struct call *c, const char *word, struct board_space **space, const char **mapping)
{
	const char *slash = strchr(word, '/');
	char name[BOARD_NAME];

	snprintf(name, sizeof(name), "%.*s", slash != NULL ? (int)(slash - word) : (int)sizeof(name) - 1, word);
	*space = name[0] != 0 ? board_space(c->board, name) : NULL;
	*mapping = slash != NULL ? slash + 1 : NULL;
	if (*space != NULL)
		return 0;
	return call_mistake(c, "make it by: map SPACE/MAPPING SIZE", "there is no address space '%s'", name);
}

int call_mapping(struct call *c, const char *word, struct board_space **space, struct board_mapping **mapping)
{
	const char *name;
	int err = call_space(c, word, space, &name);

	if (err != 0)
		return err;
	*mapping = name != NULL && name[0] != 0 ? board_mapping(*space, name) : NULL;
	if (*mapping != NULL)
		return 0;
	return call_mistake(c, "name it SPACE/MAPPING, as map did", "'%s' is no mapping", word);
}

int call_part(struct call *c, const char *word, uint64_t pages, struct call_pages *out)
{
	const char *at = call_option(c, "at"), *step = call_option(c, "step");
	int err = 0;

	*out = (struct call_pages){ 0, 0, 1 };
	if (at != NULL)
		err = call_place(c, "at", at, &out->first);
	if (err == 0 && out->first >= pages)
		err = call_mistake(c, "give a place within it", "at: that is behind the end of it, %llu pages",
				   (unsigned long long)pages);
	out->n = err == 0 ? pages - out->first : 0;
	if (err == 0 && word != NULL)
		err = call_pages(c, "size", word, &out->n);
	if (err == 0 && out->n > pages - out->first)
		err = call_mistake(c, "give a smaller size, or leave it out", "size: it has only %llu pages from there",
				   (unsigned long long)(pages - out->first));
	if (err == 0 && step != NULL)
		err = call_pages(c, "step", step, &out->step);
	return err;
}
