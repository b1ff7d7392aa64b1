/* SPDX-License-Identifier: MIT */
/* bench_main.c - vmmap-bench: which sub-command. */
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/commands.h"

static const struct cli_command commands[] = {
	{ "bars", "Every bar of the project that is a ratio: asked, measured, met or missed", bars_main },
	{ "ratio", "One workload under two policies, in paired blocks", ratio_main },
	{ "scaling", "One workload from 1 to 2 threads, beside the same on private maps", scaling_main },
	{ "isolation", "Does one writer stop the others?", isolation_main },
	{ "lookup", "The VMA tree against bsearch(3) over an array", lookup_main },
	{ "metadata", "Bytes per VMA, by own count and by the process's size", metadata_main },
	{ "physmem", "Byte address to frame, and frames, beside rivals; a paper's tables again", physmem_main },
	{ "fork", "A fork of many present pages, against copying them", fork_main },
	{ "unplug", "Memory that goes while it is used, against copying it; faults beside it", unplug_main },
	{ "sweep", "Policies x workloads x threads: numbers and plots", sweep_main },
	{ "micro", "Microbenchmarks of single operations (Google Benchmark)", micro_main },
	{ "loop", "One operation in a plain loop, for callgrind and perf", loop_main },
};

static const char about[] =
	"Measures vmmap: ratios in one run, never an absolute time. docs/benchmarking.md tells how to read them.\v"
	"Examples:\n"
	"  vmmap-bench bars --only 'two threads'         some of the bars, by name\n"
	"  vmmap-bench ratio --workload local --a vma --b rwsem --threads 2\n"
	"  vmmap-bench isolation --policy vma --hold-ms 10 --json isolation.json\n"
	"  vmmap-bench physmem --only allocator\n\n"
	"Exit code: 0; 1 if the engine's counters do not bear out what was measured, a\n"
	"call failed, or `bars` missed one; 2 usage, or it could not run.";

int main(int argc, char **argv)
{
	return cli_run(about, commands, ARRAY_SIZE(commands), argc, argv);
}
