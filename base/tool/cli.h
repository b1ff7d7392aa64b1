/* SPDX-License-Identifier: MIT */
/*
 * cli.h - command lines of our programs: argp underneath, one way to report errors, one set of exit codes.
 *
 *   vmmap-bench: --threads: '0' is not a count from 1 to 1024
 *     give a whole number, for example --threads=2
 */
#ifndef BASE_TOOL_CLI_H
#define BASE_TOOL_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

enum cli_exit { CLI_OK = 0, CLI_VIOLATION = 1, CLI_USAGE = 2 };  /* 2 also: could not run (file, memory, machine) */

/* "PROGRAM: cause" and, indented, the remedy (may be NULL), to stderr. */
void cli_complain(const char *remedy, const char *cause, ...) PRINTF_LIKE(2, 3);
/* The same, then exit(CLI_USAGE). */
_Noreturn void cli_die(const char *remedy, const char *cause, ...) PRINTF_LIKE(2, 3);

/* argp_parse with our exit code for usage errors; remembers the program's name for messages. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Programs with subcommands: calls the command's run with argv[0] = "program command"; returns its exit code.
 * --help prints what stands in `about` before '\v' (as in argp), the list of them, and what stands behind it: examples,
 * exit status. An unknown one is reported with the list, CLI_USAGE. */
struct cli_command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
};
int cli_run(const char *about, const struct cli_command *commands, size_t n, int argc, char **argv);

/* 0, or -EINVAL (not understood), -ERANGE (does not fit); *out is written only on 0. */
int cli_parse_duration(const char *text, uint64_t *ns);          /* 10ns 5us 10ms 1.5s 2m 1h; bare number = seconds */
int cli_parse_size(const char *text, uint64_t *bytes);           /* 4096 64k 64KiB 2M 1.5G 1T: powers of 1024       */
int cli_parse_count(const char *text, uint64_t *n);              /* 1000 10k 1M 1e6 1,000,000: powers of 1000       */
int cli_parse_seed(const char *text, uint64_t *seed);            /* 42 0x2a random                                  */

/* The same for an option: a bad text ends the program with a message that names the option. */
uint64_t cli_duration(const char *option, const char *text);
uint64_t cli_size(const char *option, const char *text);
uint64_t cli_count(const char *option, const char *text, uint64_t lo, uint64_t hi);      /* within [lo, hi]          */
uint64_t cli_seed(const char *option, const char *text);
double   cli_real(const char *option, const char *text, double lo, double hi);
/* Index of text in names (n of them); else ends the program with the list of them. */
size_t   cli_choice(const char *option, const char *text, const char *const *names, size_t n);
/* Splits "a,b,c" in place; returns how many; ends the program on more than max or an empty element. */
size_t   cli_list(const char *option, char *text, char **out, size_t max);

/* A fresh seed from the system, for runs without --seed: print it. */
uint64_t cli_random_seed(void);

#endif
