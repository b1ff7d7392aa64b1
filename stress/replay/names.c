/* SPDX-License-Identifier: MIT */
/* names.c - see names.h. */
#include "stress/replay/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct name { const char *text; int value; bool odd; };

static const struct name prots[] = {
	{"PROT_NONE", 0, false},
	{"PROT_READ", PROT_READ, false},
	{"PROT_WRITE", PROT_WRITE, false},
	{"PROT_EXEC", PROT_EXEC, false},
	{"PROT_GROWSDOWN", 0, true},
	{"PROT_GROWSUP", 0, true},
	{"PROT_SEM", 0, true},
	{NULL, 0, false},
};
static const struct name maps[] = {
	{"MAP_SHARED", MAP_SHARED, false},
	{"MAP_PRIVATE", MAP_PRIVATE, false},
	{"MAP_SHARED_VALIDATE", MAP_SHARED, true},
	{"MAP_FIXED", MAP_FIXED, false},
	{"MAP_FIXED_NOREPLACE", MAP_FIXED_NOREPLACE, false},
	{"MAP_ANONYMOUS", MAP_ANONYMOUS, false},
	{"MAP_ANON", MAP_ANONYMOUS, false},
	{"MAP_NORESERVE", MAP_NORESERVE, false},
	{"MAP_DENYWRITE", 0, false},
	{"MAP_EXECUTABLE", 0, false},
	{"MAP_FILE", 0, false},
	{"MAP_STACK", 0, true},
	{"MAP_GROWSDOWN", 0, true},
	{"MAP_HUGETLB", 0, true},
	{"MAP_POPULATE", 0, true},
	{"MAP_NONBLOCK", 0, true},
	{"MAP_LOCKED", 0, true},
	{"MAP_32BIT", 0, true},
	{"MAP_SYNC", 0, true},
	{"MAP_UNINITIALIZED", 0, true},
	{"MAP_DROPPABLE", MAP_PRIVATE, true},
	{"21<<MAP_HUGE_SHIFT", 0, true},
	{"30<<MAP_HUGE_SHIFT", 0, true},
	{NULL, 0, false},
};
static const struct name remaps[] = {
	{ "MREMAP_MAYMOVE", MREMAP_MAYMOVE, false }, { "MREMAP_FIXED", MREMAP_FIXED, false },
	{ "MREMAP_DONTUNMAP", MREMAP_DONTUNMAP, false }, { NULL, 0, false },
};
/* Advices that change no VMA and would need the pages of the original are odd: not replayed, counted. */
static const struct name advices[] = {
	{"MADV_NORMAL", MADV_NORMAL, false},
	{"MADV_RANDOM", MADV_RANDOM, false},
	{"MADV_SEQUENTIAL", MADV_SEQUENTIAL, false},
	{"MADV_WILLNEED", MADV_WILLNEED, false},
	{"MADV_DONTNEED", MADV_DONTNEED, false},
	{"MADV_FREE", MADV_FREE, false},
	{"MADV_DONTFORK", MADV_DONTFORK, false},
	{"MADV_DOFORK", MADV_DOFORK, false},
	{"MADV_MERGEABLE", MADV_MERGEABLE, false},
	{"MADV_UNMERGEABLE", MADV_UNMERGEABLE, false},
	{"MADV_HUGEPAGE", MADV_HUGEPAGE, false},
	{"MADV_NOHUGEPAGE", MADV_NOHUGEPAGE, false},
	{"MADV_DONTDUMP", MADV_DONTDUMP, false},
	{"MADV_DODUMP", MADV_DODUMP, false},
	{"MADV_WIPEONFORK", MADV_WIPEONFORK, false},
	{"MADV_KEEPONFORK", MADV_KEEPONFORK, false},
	{"MADV_POPULATE_READ", 0, true},
	{"MADV_POPULATE_WRITE", 0, true},
	{"MADV_REMOVE", 0, true},
	{"MADV_COLD", 0, true},
	{"MADV_PAGEOUT", 0, true},
	{"MADV_COLLAPSE", 0, true},
	{"MADV_DONTNEED_LOCKED", 0, true},
	{"MADV_HWPOISON", 0, true},
	{"MADV_SOFT_OFFLINE", 0, true},
	{"MADV_GUARD_INSTALL", 0, true},
	{"MADV_GUARD_REMOVE", 0, true},
	{NULL, 0, false},
};
static const struct name *const lists[] = { prots, maps, remaps, advices };

static const struct name *find(const struct name *list, const char *text, size_t n)
{
	for (; list->text; list++) {
		if (strlen(list->text) == n && !memcmp(list->text, text, n))
			return list;
	}
	return NULL;
}

int names_flags(enum name_kind kind, const char *text, size_t n, bool *odd)
{
	const char *end = text + n, *comment = memchr(text, ' ', n);     /* "0x17 with a comment behind"           */
	int value = 0;

	if (comment)
		end = comment;
	if (end == text)
		return -1;
	while (text < end) {
		const char *bar = memchr(text, '|', (size_t)(end - text));
		size_t part = (size_t)((bar ? bar : end) - text);
		const struct name *name = find(lists[kind], text, part);
		char *stop;

		if (name) {
			value |= name->value;
			*odd |= name->odd;
		} else {
			unsigned long number = strtoul(text, &stop, 0);

			if (stop != text + part || number > 0x7fffffff)
				return -1;
			if (kind == NAME_MAP ||
			    kind == NAME_MADVISE) /* a number: a flag that strace does not know    */
				*odd |= number != 0;
			else
				value |= (int)number;
		}
		text += part + 1;
	}
	return value;
}

int names_errno(const char *text, size_t n)
{
	for (int number = 1; number < 134; number++) {
		const char *name = strerrorname_np(number);

		if (name && strlen(name) == n && !memcmp(name, text, n))
			return number;
	}
	return 0;
}
