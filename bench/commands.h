/* SPDX-License-Identifier: MIT */
/* commands.h - the sub-commands of vmmap-bench: each gets argv from its own name on and returns the exit code. */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

int micro_main(int argc, char **argv);
int loop_main(int argc, char **argv);
int ratio_main(int argc, char **argv);
int scaling_main(int argc, char **argv);
int isolation_main(int argc, char **argv);
int lookup_main(int argc, char **argv);
int metadata_main(int argc, char **argv);
int physmem_main(int argc, char **argv);
int fork_main(int argc, char **argv);
int unplug_main(int argc, char **argv);
int sweep_main(int argc, char **argv);
int bars_main(int argc, char **argv);

#endif
