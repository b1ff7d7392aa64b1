/* SPDX-License-Identifier: MIT */
/* script.h - reads commands line by line, finds and runs them, says where one did not work. */
#ifndef BENCH_PHYSMEM_SCRIPT_H
#define BENCH_PHYSMEM_SCRIPT_H

#include <stdio.h>

#include "bench/physmem/call.h"

struct script_command {
	const char *name, *words, *summary;      /* words: as in a line of help                                    */
	unsigned least, most;                    /* words behind the name                                          */
	const char *options;                     /* "at step": keys that it knows; NULL: none                      */
	int (*run)(struct call *c);              /* call.h                                                         */
};
/* Ends with a name of NULL. */
extern const struct script_command script_commands[];

struct script {
	struct board board;
	FILE *out;                               /* what commands print                                            */
	const char *name;                        /* of what is read, for messages                                  */
	unsigned line;
	bool go_on;                              /* after a command that did not work: somebody types              */
	uint64_t commands, failures;             /* carried out; did not work                                      */
};

/* enum cli_exit: OK; VIOLATION, what the machine says or has is not what the script expects; USAGE, a line means
 * nothing. A message says where. */
int script_run_file(struct script *s, FILE *in);
/* Commands between ';' or line ends. */
int script_run_text(struct script *s, const char *text);

#endif
