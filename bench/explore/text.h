/* SPDX-License-Identifier: MIT */
/* text.h - words in a line, for who reads lists. */
#ifndef BENCH_EXPLORE_TEXT_H
#define BENCH_EXPLORE_TEXT_H

#include <stdbool.h>
#include <string.h>
#include "base/assert.h"

/* Is word one of the words of text, which are parted by blanks? text may be NULL. */
static inline bool text_has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; at != NULL && (at = strstr(at, word)) != NULL; at += n)
		if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
			return true;
	return false;
}

static inline char *text_copy(const char *text)
{
	char *mine = strdup(text);

	CHECK(mine != NULL);
	return mine;
}

#endif
