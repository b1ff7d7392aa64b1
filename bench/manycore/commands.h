/* SPDX-License-Identifier: MIT */
/* commands.h - the sub-commands of vmmap-manycore: each gets argv from its own name on and returns the exit code. */
#ifndef BENCH_MANYCORE_COMMANDS_H
#define BENCH_MANYCORE_COMMANDS_H

int run_main(int argc, char **argv);
int table_main(int argc, char **argv);
int held_main(int argc, char **argv);
int sweep_main(int argc, char **argv);
int validate_main(int argc, char **argv);
int plot_main(int argc, char **argv);

#endif
