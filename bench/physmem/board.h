/* SPDX-License-Identifier: MIT */
/*
 * board.h - the machine that a script has set up: memory, who has frames of it by name, address spaces, pins, contents.
 *
 * Names are unique in a machine, whatever they name. What is stored in a page is a number that the board remembers, so
 * that all of it can be read again and compared, whatever has become of the frames (board_verify).
 */
#ifndef BENCH_PHYSMEM_BOARD_H
#define BENCH_PHYSMEM_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <vmmap/physmem_hotplug.h>
#include <vmmap/vmmap.h>

#include "bench/physmem/host.h"

#define BOARD_NAME   32u                         /* bytes of a name, its zero included                             */
#define BOARD_SLOTS  64u                         /* names of each kind                                             */
#define BOARD_GONE   UINT64_MAX                  /* a page of a mapping that is not mapped any more                */

struct board_segment { char name[BOARD_NAME]; uint64_t pfn, pages; bool movable; };

/* Runs of frames under one name, in the order in which they were taken. */
struct board_group {
	char name[BOARD_NAME];
	struct physmem_run *run;
	uint64_t n, room;
};

struct board_mapping {
	char name[BOARD_NAME];
	uint64_t addr, pages;
	uint64_t *stored;                        /* [pages] 0: nothing, reads zero; BOARD_GONE                     */
};

struct board_space {
	char name[BOARD_NAME], policy[BOARD_NAME];
	struct vmmap *map;                       /* NULL: the slot is empty                                        */
	struct board_mapping mapping[BOARD_SLOTS];
};

/* A pin of a page, until the page goes: then mapping is NULL, and `stored` what it had. */
struct board_pin {
	uint64_t pfn;
	struct board_space *space;
	const struct board_mapping *mapping;
	uint64_t page, stored;
};

/* Pins under one name, in the order in which they were taken. */
struct board_pins {
	char name[BOARD_NAME];
	struct board_pin *pin;
	uint64_t n, room;
};

/* Prints what it is told of; l first. */
struct board_listener { struct physmem_listener l; FILE *out; bool veto; };

struct board {
	struct physmem *pm;                      /* NULL: there is no machine                                      */
	bool bytes;
	uint64_t base, limit;                    /* pfns                                                           */
	uint64_t stamp;                          /* stored last                                                    */
	struct board_listener listener;          /* l.fn NULL: none                                                */
	struct physmem_unplug_result unplugged;  /* the last time                                                  */
	struct host told, balloon;               /* the host, for reports; for a balloon, if it has a pm           */
	struct board_segment segment[BOARD_SLOTS];       /* name "": empty; here and below                         */
	struct board_group group[BOARD_SLOTS];
	struct board_space space[BOARD_SLOTS];
	struct board_pins pins[BOARD_SLOTS];
};

/* The same; out of memory ends the program. */
void *board_need(void *memory);

/* Makes the machine; there is none. The first n segments are told, ascending. 0 or -errno of physmem_create. */
int  board_open(struct board *b, const struct board_segment *boot, unsigned n);
/* Gives all back and takes the machine apart. Any board. Returns how many violations an audit found before that. */
uint64_t board_close(struct board *b);

/* Nothing of that name: NULL. */
struct board_segment *board_segment(struct board *b, const char *name);
struct board_group   *board_group(struct board *b, const char *name);
struct board_space   *board_space(struct board *b, const char *name);
struct board_mapping *board_mapping(struct board_space *s, const char *name);
bool board_has_name(struct board *b, const char *name);

/* An empty slot that bears the name from now on (a space: once it has a map). NULL: all are in use. */
struct board_segment *board_new_segment(struct board *b, const char *name);
struct board_group   *board_new_group(struct board *b, const char *name);
struct board_space   *board_new_space(struct board *b, const char *name);
struct board_mapping *board_new_mapping(struct board_space *s, const char *name, uint64_t pages);

/* 0 or -errno of vmmap_create. */
int  board_space_open(struct board *b, struct board_space *s, const char *policy);
void board_space_close(struct board *b, struct board_space *s);
/* child is an empty slot. 0 or -errno of vmmap_fork. */
int  board_space_fork(struct board_space *parent, struct board_space *child);
/* The slot is empty again; what was mapped is the caller's affair. */
void board_drop_mapping(struct board_mapping *m);

/* Takes a run more into the group, and writes to it. 0 or -errno of physmem_run_alloc. */
int  board_take(struct board *b, struct board_group *g, unsigned order);
/* Gives run i of the group back; those behind it move up. 0 or -errno of physmem_run_free. */
int  board_give(struct board *b, struct board_group *g, uint64_t i);
/* Stores to a page of a mapping; drops what is stored there. 0 or -errno. */
int  board_store(struct board *b, struct board_space *s, struct board_mapping *m, uint64_t page);
int  board_drop(struct board *b, struct board_space *s, struct board_mapping *m, uint64_t page);

/* ---- pins: board_pin.c ---- */

struct board_pins *board_pins(struct board *b, const char *name);
struct board_pins *board_new_pins(struct board *b, const char *name);
/* The slot is empty again, if it has no pin. */
void board_pins_tidy(struct board_pins *p);
/* Pins pages [first, first + n) of a mapping, all or none. 0 or -errno of vmmap_pin. */
int  board_pin(struct board_pins *p, struct board_space *s, struct board_mapping *m, uint64_t first, uint64_t n);
/* Gives pin i back; those behind it move up. 0 or -errno. */
int  board_unpin(struct board *b, struct board_pins *p, uint64_t i);
/* These pages of a mapping are taken out: their pins go on, with what is stored there. */
void board_pages_go(struct board *b, const struct board_mapping *m, uint64_t first, uint64_t n);
bool board_is_pinned(struct board *b, const struct board_mapping *m, uint64_t page);
/* As board_verify. */
uint64_t board_verify_pins(struct board *b, const struct board_pins *p, FILE *report);

/* Reads all that is stored and compares. A line for each that is another to report. Returns how many. */
uint64_t board_verify(struct board *b, FILE *report);
/* The engine's own audits, of memory and of each address space. */
uint64_t board_audit(struct board *b, FILE *report);

#endif
