/* SPDX-License-Identifier: MIT */
/* memory.h - where nodes, tables and VMAs of a modelled map come from: arrays, used from the front, never again. */
#ifndef TESTS_MODELS_MEMORY_H
#define TESTS_MODELS_MEMORY_H

/* At the start of an interleaving, before anything is taken. */
void memory_begin();

#endif
