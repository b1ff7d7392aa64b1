/* SPDX-License-Identifier: MIT */
/*
 * scenario.h - a scenario as data: a map, two to four bodies that run on cores of their own, and what may come of it.
 *
 *   static void set_up(void) { scene_map(); scene_mmap(PAGES(0, 4), RW); }
 *   static void fault(void)  { scene_fault(0, PAGE(1), PROT_WRITE); }
 *   static void unmap(void)  { scene_munmap(1, PAGES(0, 4)); }
 *   static void check(void)  { expect(scene.result[1] == 0); }
 *   SCENARIO(fault_unmap, .what = "...", .set_up = set_up, .body = { fault, unmap }, .check = check);
 *
 * set_up runs once; then each schedule begins from the memory that it has left. What bodies and check want to keep from
 * each other stands in `scene` (other statics are not put back). Behind check come, always: the audit, frames owned
 * against pages resident, overtakes. docs/exploring.md says more.
 */
#ifndef BENCH_EXPLORE_SCENARIO_H
#define BENCH_EXPLORE_SCENARIO_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include "base/compiler.h"
#include "vmmap/vmmap.h"

#define SCENARIO_CORES 4
#define SCENARIOS_MAX  512
#define SCENE_WORDS    16
#define SCENE_STOPS    8
#define SCENE_RANGES   3                 /* that a thread has of a range lock beside the map                        */

enum scenario_flags {
	SCENARIO_TIMERS = 1,             /* deadlines, and the naps of the library's worker, may pass at any time   */
	SCENARIO_COLD   = 2,             /* the bodies' cores have made no call before: no pools, no caches         */
	SCENARIO_SHARED = 4,             /* memory objects own frames: they are not compared with resident pages    */
};

struct scenario {
	const char *name, *what, *file;
	const char *policy;              /* NULL: "vma", or what --policy says                                      */
	unsigned flags;
	void (*set_up)(void);
	void (*body[SCENARIO_CORES])(void);
	void (*check)(void);             /* may be NULL                                                            */
	const char *mutants;             /* those that it is made for, with spaces between: tried here first        */
};

#define SCENARIO(id, ...) \
	static const struct scenario scenario_##id = { .name = #id, .file = __FILE__, __VA_ARGS__ }; \
	static const struct scenario *scenario_entry_##id __attribute__((used, section("vmmap_scenarios"))) = \
		&scenario_##id

/* In the order of their names. NULL: past the last; no such. */
const struct scenario *scenario_at(unsigned i);
const struct scenario *scenario_find(const char *name);
unsigned scenario_bodies(const struct scenario *s);

/* ---- what set_up, bodies and check use ---- */

extern struct scene {
	struct vmmap *map;
	struct physmem *physmem;
	struct vmmap_object *object;
	int64_t result[SCENARIO_CORES];
	struct vmmap_fault_info info[SCENARIO_CORES];
	struct vmmap_held held[SCENARIO_CORES];
	uint64_t word[SCENE_WORDS];      /* for whatever the scenario likes                                         */
	uint64_t stored[SCENE_WORDS];    /* the pager's: the first word of each page                                */
	bool signal[SCENE_WORDS];
	struct scene_stop { const char *at; unsigned body, says, awaits; } stop[SCENE_STOPS];
	struct scene_range { uint64_t lo, hi; bool exclusive; } range[SCENARIO_CORES][SCENE_RANGES];
	unsigned flags;
	bool no_more;                    /* the process may exec or exit: no look at its maps                       */
} scene;

#define SCENE_BASE UINT64_C(0x100000000)
#define PAGE(n)    (SCENE_BASE + (uint64_t)(n) * 4096)
#define PAGES(n, m) PAGE(n), ((uint64_t)(m) * 4096)
#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define RW         (PROT_READ | PROT_WRITE)

void scene_frames(uint64_t n);                           /* of the machine, before scene_map: else 2048             */
void scene_movable(void);                                /* the same: 512, and a segment for what can be moved      */
void scene_map(void);                                    /* TOPDOWN, frames without contents                        */
void scene_map_bytes(void);                              /* the same, frames with contents                          */
void scene_map_with(const struct vmmap_config *config);  /* its limit_*, brk_start, placement                       */
void scene_mmap(uint64_t at, uint64_t len, int prot);    /* private anonymous, fixed; must succeed                  */

/* Calls whose result goes to scene.result[i]; each returns it, too. */
int64_t scene_fault(unsigned i, uint64_t at, int access);        /* fault, and info[i]                              */
int64_t scene_munmap(unsigned i, uint64_t at, uint64_t len);
int64_t scene_protect(unsigned i, uint64_t at, uint64_t len, int prot);
int64_t scene_fixed(unsigned i, uint64_t at, uint64_t len, int prot);    /* mmap, MAP_FIXED                         */
int64_t scene_anywhere(unsigned i, uint64_t len);
void scene_hold(unsigned i, uint64_t at, uint64_t len);  /* held[i]                                                 */
void scene_release(unsigned i);

/* Of what has no public face: inside.c. */
void scene_separate(uint64_t at);                        /* a permanent border of leaves                            */
void scene_separate_for_now(uint64_t at);                /* one that goes when scene_join finds it                  */
void scene_join(uint64_t at);
uint64_t scene_same_notes(uint64_t at);                  /* the next span whose note stands in the same set         */
bool scene_migrate(struct vmmap *map, uint64_t at);      /* the frame of that page moves; false: not now            */
void scene_search(uint64_t at, uint64_t len);            /* for a free page; lowers the bounds that misled it       */
uint64_t scene_version(uint64_t at);                     /* of the VMA there; 0: it is held, or none                */
uint64_t scene_group(uint64_t at);                       /* its anonymous group                                     */
const void *scene_vma(uint64_t at);                      /* its object                                              */
uint64_t scene_owned(void);                              /* frames                                                  */
void scene_shelf(unsigned most);                         /* free frames that a core keeps on its shelf              */
unsigned scene_batch(void);                              /* frames that go together between a core and others       */
void scene_thread_exit(void);                            /* the body goes on as another thread                      */
void scene_grace(void);                                  /* waits for a polled grace period                         */
void scene_no_membarrier(void);                          /* of the machine: read sections order themselves          */
void scene_refuse(uint64_t nth);                         /* this body's: as if pools were dry and memory short      */
void scene_refuse_memory(uint64_t nth);                  /* the same: its nth allocation from here on; 0: none      */
bool scene_refused(void);                                /* it has come to that. Nothing is refused any more        */
void scene_drain(void);                                  /* waits until what is retired is gone                     */
bool scene_insists(unsigned i);                          /* body i insists on its turn                              */
void scene_watch_ranges(void);                           /* a range lock beside the map may only grant what it may  */
uint64_t scene_table_bytes(void);                        /* of all page tables, those in caches too                 */
int64_t scene_move(unsigned i, uint64_t at, uint64_t len, uint64_t to);  /* mremap, MAYMOVE | FIXED                 */
void scene_object(uint64_t pages, bool paged);           /* scene.object; paged: a pager that keeps a word a page   */
void scene_share(uint64_t at, uint64_t pages, uint64_t from);    /* maps it shared, RW                              */
int64_t scene_write(unsigned i, uint64_t at, uint64_t word);     /* result: 8, or the error                         */
int64_t scene_read(unsigned i, uint64_t at, uint64_t *word);

/* Parts of the engine without the rest: parts.c. */
void scene_store_frame(uint64_t pfn, uint64_t word);     /* past the page table, as who has pinned it does          */
int scene_move_entries(uint64_t at, uint64_t len, uint64_t to);  /* what mremap does last: 0, -ENOMEM; both are held */
bool scene_frame_stays(uint64_t at);                     /* what is found there is nobody else's while it is read  */
bool scene_present(uint64_t at);                         /* an entry stands there                                   */
void scene_pins(uint64_t at, uint32_t free);             /* as if so few visits more could count themselves in there;
							    UINT32_MAX: nobody has                                   */
struct pt *scene_tables(void);                           /* a page table of its own                                 */
void scene_tables_unlink(struct pt *pt, unsigned n);     /* makes n tables, and unlinks them                        */
void scene_tables_end(struct pt *pt);
void scene_visit(uint64_t at);                           /* begins a visit of the page, in a read section           */
void scene_visit_end(void);
void scene_section(uint64_t at, uint64_t *lo, uint64_t *hi);     /* enters the leaf's section; what the leaf owns   */
void scene_section_end(void);
void scene_collided(uint64_t at, unsigned times);        /* as if so many had found that leaf taken                 */
void scene_spin(unsigned i);                             /* body i has the queued spin lock for a moment            */
void scene_spin_again(unsigned i);                       /* three times: who is impatient comes between              */
uint32_t scene_chain(void);                              /* a chain of frames from the depot; 0: none is left       */
void scene_chain_back(uint32_t chain);
/* ... and of words around plain memory: parts_words.c. */
void scene_word_free(void);                              /* a lock word, and who is counted in it                   */
void scene_word_visit(unsigned i);                       /* body i: is counted in, if it is still free              */
void scene_word_hold(void);
uint32_t scene_sem_shared(void);                         /* an rwsem; returns how often it was held exclusively      */
void scene_sem_shared_until(unsigned says, unsigned awaits);     /* the same, until a signal                         */
void scene_sem_exclusive(bool downgrade);
void scene_publish(void);                                /* a pointer to plain memory                               */
void scene_published(void);                              /* reads that, in a read section                           */
void scene_unpublish(void);                              /* and uses it again, when a polled grace period is over   */
void scene_range_change(uint64_t at, uint64_t len);      /* under a range lock beside the map, and no word of a VMA */
void scene_range_look(uint64_t at, uint64_t len);
void scene_table_change(bool stray, uint64_t deadline_ns);       /* under a table's lock, which may go then          */
void scene_living(uint64_t at);                          /* the VMA there is looked at,                             */
void scene_is_alike(void);                               /* without a hold, by whoever finds it not changed         */
/* ... and of blocks of frames, word[b] being how many of block b somebody has: parts_report.c. The host says "later" as
 * often as the last word says. */
#define SCENE_LATER (SCENE_WORDS - 1)
void scene_blocks(uint64_t n, unsigned capture);         /* n blocks, free; who reports them, notes as a capture says */
void scene_blocks_untold(uint64_t n);                    /* ... and nobody reports them, until scene_reports_begin  */
void scene_reports_begin(unsigned capture);
void scene_report(void);                                 /* a pass; or another one is at it                         */
bool scene_reported(uint64_t block);
uint64_t scene_frame(uint64_t block);                    /* a frame of that block                                   */
bool scene_frame_try(uint64_t block, uint64_t *index);   /* the same; false: it gives none                          */
void scene_frame_back(uint64_t index);
bool scene_block(uint64_t *index);                       /* a whole block, as who is short of memory gets it        */
void scene_block_back(uint64_t index);
bool scene_block_unplug(uint64_t block);                 /* all of it was to be had                                 */
bool scene_block_there(uint64_t block);
void scene_block_look(uint64_t block);                   /* offline, whether it is drained, online                  */
/* All of the machine is to be emptied: parts_isolate.c. */
void scene_isolate(void);
void scene_isolate_opens(void);                          /* caches were closed, and are open now                    */
void scene_isolate_again(void);                          /* by who has opened them                                  */
void scene_isolate_open(void);                           /* caches, and no more; before they are shut again         */
void scene_isolate_shut(void);
/* A machine of which the first pages go, while a frame of theirs is freed when it is looked at, and had again after. */
int scene_goes_round(uint64_t pages, unsigned attempts);
uint64_t scene_cached(void);                             /* free frames that are in caches of slots                 */
void scene_isolate_ends(void);
/* ... and of a balloon over blocks, word[b] saying whose block b is: parts_balloon.c. */
void scene_balloon(uint64_t n);                          /* n blocks, free                                          */
uint64_t scene_inflate(void);                            /* as far as it goes; how many blocks more                 */
uint64_t scene_deflate(void);
bool scene_use_block(bool press);                        /* takes one and gives it back; press: short of memory     */
bool scene_empty_block(uint64_t block);                  /* the balloon is not in it                                */
uint64_t scene_ballooned(void);                          /* blocks                                                  */
/* ... and of the machine's own: parts_machine.c. While the host is told, body 1 goes on until it sleeps or ends. */
void scene_host(void);                                   /* it is told what is free, and there is a balloon         */
uint64_t scene_told(void);                               /* two passes for all later: frames it knows to be free    */
void scene_listen(void);                                 /* a listener: word[0] beginnings, word[1] ends            */
void scene_named(void);                                  /* a frame that has a name                                 */
void scene_named_anew(void);                             /* freed, and taken for another                            */
void scene_name(void);                                   /* if it has a name, that is of the life of its word       */
void scene_named_ends(void);
bool scene_has_name(uint64_t pfn);
void scene_nine_left(void);                              /* free: a run of 8 frames, and one more; of 64            */
void scene_take_left(void);                              /* one of the run; word[0], [1]: whether, which            */
void scene_left_back(void);                              /* all the others are given back                           */
/* ... and of retired items: parts_rounds.c. */
void scene_retire_batch(void);                           /* as much as a nap is for                                 */
void scene_retire_much(void);                            /* more; it is called back before a nap would end          */
void scene_drain_first(void);                            /* body 0: drains until body 1 queues, then thrice         */
void scene_drain_second(void);
/* ... and of a process that forks: what goes on is the child, without the other bodies. parts_process.c. */
void scene_process(void);                                /* the library's thread is up                              */
void scene_process_forks(void);
void scene_process_forks_inside(void);                   /* a read section; the child may do no more than fork again */
void scene_process_retires(void);                        /* and drains                                              */
void scene_process_reads(void);                          /* a read section                                          */

/* To come to a rare place without a preemption for each step there. */
void scene_signal(unsigned n);
bool scene_await(unsigned n);            /* false: others cannot give signal n, as it seems                         */
void scene_must(unsigned n);             /* signal n, which comes: if not, that is a livelock                       */
void scene_asleep(unsigned i);           /* body i sleeps, or has ended                                             */
void scene_pause(void);                  /* another body may come here                                              */
/* When body i comes to that test point first, it gives one signal and awaits the other: given at the latest when it
 * goes on. The next stop at the same point is for its next coming there. */
void scene_stop(unsigned i, const char *at, unsigned says, unsigned awaits);
#define SCENE_MUST 64                    /* with awaits: for ever                                                   */

/* True: something is mapped at `at`; its protection in *prot (may be NULL). */
bool scene_mapped(uint64_t at, int *prot);

/* Ends the run, and says so. Anywhere. */
#define expect(cond) (likely(cond) ? (void)0 : scene_fail("expected", #cond, __FILE__, __LINE__))
_Noreturn void scene_fail(const char *what, const char *cond, const char *file, int line);

/* For the runner. */
void scenario_prepare(const struct scenario *s, const char *policy);     /* set_up, and cores that are warm         */
/* Check, audit, the rest. Returns how often a waiter was overtaken at most, as the engine counts it. */
uint64_t scenario_check(const struct scenario *s);

#endif
