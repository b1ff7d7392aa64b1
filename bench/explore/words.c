/* SPDX-License-Identifier: MIT */
/* words.c - see words.h. The engine's memory that goes is told by heap.h, and stays as it is until the run's end. */
#include "bench/explore/words.h"

#include "base/assert.h"
#include "base/point.h"
#include "base/site.h"
#include "bench/sim/heap.h"

struct word *words;
uint32_t words_run = 1;

static uint32_t numbers;

void word_first_touch(struct word *w)
{
	CHECK(++numbers < WORDS_MAX);
	w->number = numbers;
}

void words_next_run(void)
{
	words_run++;
}

static void goes(const struct heap_block *block)
{
	for (size_t i = 0; i < block->bytes; i += 8)
		word_of(block->at + i)->freed_in = words_run;
}

static void ignore(const void *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		word_of((uintptr_t)at + i)->ignored = true;
}

void words_begin(void)
{
	static const struct heap_listener listener = { .goes = goes };

	words = undo_word_table(sizeof(*words));
	heap_listener = &listener;
	for (struct site **s = __start_vmmap_sites; s < __stop_vmmap_sites; s++)
		ignore(*s, sizeof(**s));
}
