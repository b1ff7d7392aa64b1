/* SPDX-License-Identifier: MIT */
/* stress_report.h - what vmmap-stress was asked, what came out, and how it is told. */
#ifndef STRESS_STRESS_REPORT_H
#define STRESS_STRESS_REPORT_H

#include "stress/profile.h"
#include "stress/verify.h"
#include "vmmap/physmem_host.h"

struct stress_options {
	const char *policy, *profile;            /* a name, or "all"                                               */
	unsigned threads;
	uint64_t ns, seed;
	bool verify, bytes, topdown;
	uint32_t noise;                          /* 0: none                                                        */
	enum verify_sin plant;
	unsigned pinned;                         /* per cent                                                       */
	const char *mix, *json;                  /* NULL: not given                                                */
	unsigned weight[CALL_COUNT];
};

struct stress_row {                              /* one policy under one profile                                   */
	const char *policy, *profile, *skipped;  /* skipped: NULL, or why                                          */
	unsigned threads;
	double seconds;
	uint64_t violations, checks, gp_waits, audits;
	enum verify_sin first;
	struct profile_result result;
	struct physmem_report_state reports;     /* of the first map's memory, at the end                          */
	uint64_t balloon;                        /* frames in it then                                              */
	unsigned figures;                        /* what the profile has counted                                   */
	struct profile_figure figure[PROFILE_FIGURES];
};

/* The command that runs this row alone, again. */
void report_command(const struct stress_options *o, const struct stress_row *row, FILE *out);
void report_header(FILE *out);
void report_row(const struct stress_row *row, FILE *out);
void report_total(const struct stress_options *o, const struct stress_row *rows, unsigned n, FILE *out);
int  report_json(const struct stress_options *o, const struct stress_row *rows, unsigned n, const char *path);
/* "1.234 M": three significant digits. Returns buf. */
char *report_number(double value, char buf[16]);

#endif
