/* SPDX-License-Identifier: MIT */
/* script.h - what the scripted tests of race windows share: the second threads, and gates that hold them. */
#ifndef TESTS_POLICY_SCRIPT_H
#define TESTS_POLICY_SCRIPT_H

#include "tests/policy/gate.h"
#include "tests/policy/rules.h"

#define NEVER_MS 60                              /* long enough to see that something does not happen             */
#define SOON_MS  20000                           /* it must happen                                                 */

extern struct gate hold;                         /* passed by an edit that is to be held, while it is              */
extern struct gate asleep, woken;                /* of the role "edit": before it sleeps, after it was granted     */
extern struct gate second_hold, second_asleep, second_woken;     /* of the role "second"                           */

/* A fresh script and map. */
struct fake_map *script_start(const char *policy);
uint64_t in_ms(unsigned ms);
/* Joins it; a thread that hangs ends the program: it can never be joined. */
void must_end(struct actor *a);

void as_fault(struct actor *a);                  /* role "fault"                                                   */
void as_edit(struct actor *a);                   /* role "edit", and all below: begin, end                         */
void hold_edit(struct actor *a);                 /* begin, hold, end                                               */
void shut_edit(struct actor *a);                 /* begin, shut, done, end                                         */

/* An edit of these pages; must not fail. */
struct lock_edit script_begin(struct fake_map *map, struct lock_range r);
/* A visit of this page; must not fail. */
struct lock_visit script_visit(struct fake_map *map, unsigned page);
/* A visit of page 6, from which an edit cuts its VMA off while it is open: is it valid then? */
bool valid_under_cut(struct fake_map *map);
/* Starts `a`, which wants [lo, hi) and finds it held; returns when it is asleep. */
void start_waiter(struct fake_map *map, struct actor *a, void (*fn)(struct actor *), unsigned lo, unsigned hi);
/* The same for an edit of the role "second": begin, second_hold, end. */
void second_edit(struct actor *a);
void start_second(struct fake_map *map, struct actor *a, unsigned lo, unsigned hi);
/* A waiter (role edit) waits for what e holds: e is given up, and taken again before it looks, so many times. */
void overtake(struct fake_map *map, struct lock_edit *e, unsigned times);
/* Both are granted a retry, which a newer edit takes from them; `second` queues again before the other one does. */
void both_lose(struct fake_map *map, struct lock_edit *e);
/* A whole script: is a note that comes after the holder has read its notes the taker's own business, as it must be? */
bool note_after_close(const char *policy);
/* A quiet map without fault; frees it. */
void end_clean(struct fake_map *map);

#endif
