/* SPDX-License-Identifier: MIT */
/* options.h - what a test is told when it is run by hand: pairs "--name value"; the first of a name counts. */
#ifndef TESTS_OPTIONS_H
#define TESTS_OPTIONS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline const char *option_text(int argc, char **argv, const char *name, const char *otherwise)
{
	for (int i = 1; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return otherwise;
}

static inline uint64_t option_number(int argc, char **argv, const char *name, uint64_t otherwise)
{
	const char *text = option_text(argc, argv, name, NULL);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

#endif
