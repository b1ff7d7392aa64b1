/* SPDX-License-Identifier: MIT */
/*
 * log.h - what strace wrote, as records: memory calls with their results, in the order in which they started.
 *
 * Understood: `strace -f -ttt -e trace=memory` to a file or a terminal, with or without -y, with or without process
 * calls (execve, clone, fork, exit); calls that strace splits into "<unfinished ...>" and "<... resumed>"; signals,
 * exits, errors with errno names. A line that makes no sense is counted and skipped, whatever it holds.
 */
#ifndef STRESS_REPLAY_LOG_H
#define STRESS_REPLAY_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum call {
	CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_MREMAP, CALL_MADVISE, CALL_BRK,
	CALL_REPLAYED,                           /* below: are replayed                                            */
	CALL_IGNORED = CALL_REPLAYED,            /* msync, mlock, mincore ...: change no VMA here; counted         */
	CALL_CLONE, CALL_EXEC, CALL_EXIT,        /* process calls: who shares which address space                  */
};
extern const char *const call_name[CALL_REPLAYED];

struct record {
	enum call call;
	uint32_t thread;                         /* index of log.thread                                            */
	uint32_t space;                          /* address space; see log_spaces                                  */
	uint32_t line, end_line;                 /* where it starts and returns                                    */
	uint64_t addr, len, new_len, new_addr, offset;
	int prot, flags, advice;                 /* as in <sys/mman.h>                                             */
	uint32_t file;                           /* index of log.file + 1; 0 = anonymous                           */
	bool shared_space;                       /* CLONE: CLONE_VM                                                */
	bool finished;                           /* its result is known                                            */
	bool odd_flags;                          /* had flags that mean nothing to the engine (STACK, HUGETLB ...) */
	int64_t result;                          /* value, or -errno                                               */
};

struct log_thread { int64_t tid; bool exited; };
struct log_file { char *name; uint64_t size; };  /* size: as far as it is mapped                                   */

struct log {
	struct record *record;
	struct log_thread *thread;
	struct log_file *file;
	uint32_t records, threads, files, spaces;
	uint32_t lines, bad_lines, resumed, orphans;     /* orphans: resumed lines without a beginning             */
	bool process_calls;                      /* else: every pid is taken for a thread                          */
	bool paths;                              /* -y                                                             */
	uint64_t ignored;                        /* memory calls that are not replayed by their nature             */
};

/* 0; -errno of reading; -ENOMEM. */
int  log_read(struct log *log, FILE *in);
void log_free(struct log *log);

/* One call's text, `name(arguments) = result`, into r. False: not understood. Exposed for tests. */
bool log_parse_call(struct log *log, const char *text, struct record *r);

#endif
