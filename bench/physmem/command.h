/* SPDX-License-Identifier: MIT */
/* command.h - what each command does. They return what a call returns (call.h). */
#ifndef BENCH_PHYSMEM_COMMAND_H
#define BENCH_PHYSMEM_COMMAND_H

#include "bench/physmem/call.h"

/* command_memory.c */
int command_machine(struct call *c);
int command_plug(struct call *c);
int command_alloc(struct call *c);
int command_free(struct call *c);
/* command_space.c */
int command_map(struct call *c);
int command_touch(struct call *c);
int command_drop(struct call *c);
int command_unmap(struct call *c);
int command_fork(struct call *c);
int command_exit(struct call *c);
int command_pin(struct call *c);
int command_unpin(struct call *c);
/* command_host.c */
int command_report(struct call *c);
int command_balloon(struct call *c);
int command_poison(struct call *c);
int command_unpoison(struct call *c);
/* command_hotplug.c */
int command_unplug(struct call *c);
int command_listen(struct call *c);
/* command_look.c */
int command_segments(struct call *c);
int command_inspect(struct call *c);
int command_picture(struct call *c);
int command_show(struct call *c);
int command_expect(struct call *c);
int command_verify(struct call *c);
int command_audit(struct call *c);
int command_print(struct call *c);

/* 0; a mistake: there is no machine. */
int command_need_machine(struct call *c);
/* The frame at a place, the first one of a name, or the one under a page of a mapping (option at=): word 1. */
int command_frame(struct call *c, uint64_t *pfn);
/* The names, ready to print as a table: what each does, and the forms of words. */
void command_help(FILE *out);

#endif
