/* SPDX-License-Identifier: MIT */
/*
 * where.c - see where.h. Asks addr2line (binutils), which is started at the first question and kept. Not by fork: that
 * would run the engine's fork handlers, on whatever core asks.
 */
#include "bench/explore/where.h"

#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/compiler.h"

#define KNOWN (1u << 14)

extern const char __executable_start[];

static struct { const void *pc; struct where where; } known[KNOWN];
static const struct where nowhere = { "?", "?", "?", 0 };
static FILE *asked, *answers;
static pid_t owner;                      /* a child of it starts another one                                        */

static void start(void)
{
	int to[2], from[2];
	char exe[64];
	char name[] = "addr2line", how[] = "-afi", of[] = "-e";
	char *argv[] = { name, how, of, exe, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	CHECK(pipe(to) == 0 && pipe(from) == 0);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)getpid());
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, to[1]);
	posix_spawn_file_actions_addclose(&actions, from[0]);
	CHECK(posix_spawnp(&pid, "addr2line", &actions, NULL, argv, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(to[0]);
	close(from[1]);
	asked = fdopen(to[1], "w");
	answers = fdopen(from[0], "r");
	CHECK(asked != NULL && answers != NULL);
	owner = getpid();
}

/* A line without its end, and without the repository's place. False: no more. */
static bool line_of(char *text, int bytes)
{
	if (fgets(text, bytes, answers) == NULL)
		return false;
	text[strcspn(text, "\n")] = 0;
	return true;
}

static const char *from_root(const char *path)
{
	static const char *const dirs[] = { "/base/", "/locks/", "/vmmap/", "/bench/", "/stress/", "/tests/" };
	const char *best = path;

	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
		const char *at = strstr(path, dirs[i]);

		if (at != NULL && (best == path || at + 1 < best))
			best = at + 1;
	}
	return best;
}

/* The answer: the address, then pairs of lines, innermost first; a second question marks its end. */
static struct where ask(const void *pc)
{
	unsigned long at = (uintptr_t)pc - 1 - (uintptr_t)__executable_start;
	struct where w = nowhere;
	char function[256], place[512];

	if (fprintf(asked, "%#lx\n0\n", at) < 0 || fflush(asked) != 0 || !line_of(place, sizeof(place)))
		return w;
	while (line_of(function, sizeof(function)) && strncmp(function, "0x", 2) != 0) {
		char *colon;

		if (!line_of(place, sizeof(place)))
			break;
		w.outer = strdup(function);
		if (w.function != nowhere.function)
			continue;
		w.function = w.outer;
		colon = strrchr(place, ':');
		if (colon != NULL) {
			w.line = atoi(colon + 1);
			*colon = 0;
		}
		w.file = strdup(from_root(place));
	}
	(void)line_of(function, sizeof(function));       /* of the mark                                            */
	(void)line_of(place, sizeof(place));
	return w;
}

const struct where *where_of(const void *pc)
{
	uint32_t i = (uint32_t)(((uintptr_t)pc * UINT64_C(0x9e3779b97f4a7c15)) >> 50);

	while (known[i].pc != NULL && known[i].pc != pc)
		i = (i + 1) & (KNOWN - 1);
	if (known[i].pc == NULL) {
		if (asked == NULL || owner != getpid())
			start();
		known[i].pc = pc;
		known[i].where = ask(pc);
	}
	return &known[i].where;
}
