/* SPDX-License-Identifier: MIT */
/* manycore_main.c - vmmap-manycore: the engine on 1 to 1,024 logical cores (docs/manycore.md). */
#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/manycore/commands.h"
#include "bench/sim/kernel.h"

const long kernel_cpus = 1024;

static const char about[] =
	"The engine's own code on logical cores: throughput and line transfers as the cores grow in number.\nA model: "
	"docs/manycore.md says of what.\v"
	"Examples:\n"
	"  vmmap-manycore run --policy vma --profile local --cores 64\n"
	"  vmmap-manycore --policy rwsem --profile pf --cores 16 --json -        no command: run\n"
	"  vmmap-manycore sweep --seconds 20 --out curves\n"
	"  vmmap-manycore validate --json curves/validation.json\n"
	"  vmmap-manycore plot --out curves\n\n"
	"Exit code: 0; 1 if cores got stuck, a call failed, or a published shape did not\n"
	"come out; 2 if it could not run; 3 if `run` would take much longer than\n"
	"--seconds; a stopped sweep: 128 + the signal.";

int main(int argc, char **argv)
{
	static const struct cli_command commands[] = {
		{ "run", "one policy, one profile, N cores, and the hottest lines", run_main },
		{ "table", "N cores fault in one page-table page, each in a VMA of its own", table_main },
		{ "held", "one core faults, above N - 1 ranges that others hold", held_main },
		{ "sweep", "policies x profiles x cores, with plots", sweep_main },
		{ "validate", "published shapes, real threads, the quantum", validate_main },
		{ "plot", "the plots of a sweep anew", plot_main },
	};

	kernel_same_addresses(argv);
	if (argc > 1 && argv[1][0] == '-' && argv[1][1] == '-' && argv[1][2] != 'h' && argv[1][2] != 'V')
		return run_main(argc, argv);                     /* options without a command: run */
	return cli_run(about, commands, ARRAY_SIZE(commands), argc, argv);
}
