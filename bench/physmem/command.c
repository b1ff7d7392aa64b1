/* SPDX-License-Identifier: MIT */
/* command.c - the language: a row for each command. */
#include "bench/physmem/command.h"

#include "bench/physmem/figure.h"
#include "bench/physmem/script.h"

const struct script_command script_commands[] = {
	{ "machine", "[memory=SIZE] [boot=PLACE+SIZE]... [base=PLACE] [limit=PLACE] [bytes=on|off]",
	  "a new machine; of one before, all is given back and audited. Default: memory=64M from 0 on, or the\n    "
	  "boot segments that are told; room for segments up to 1G above them; frames have contents",
	  0, 0, "memory boot base limit bytes", command_machine },
	{ "plug", "PLACE SIZE [NAME] [movable]",
	  "a segment comes; movable: it takes only what can be moved away again",
	  2, 4, NULL, command_plug },
	{ "unplug", "PLACE SIZE [mode=fail|wait|revoke] [within=TIME] [attempts=N]",
	  "takes memory away that may be in use: what maps have there moves elsewhere; revoke: names let their\n    "
	  "frames and their pins go",
	  2, 2, "mode within attempts", command_unplug },
	{ "listen", "on | veto | off",
	  "prints who is told of what when memory comes or goes; veto: and says no",
	  1, 1, NULL, command_listen },
	{ "alloc", "NAME [COUNT] [order=N]",
	  "takes COUNT runs (default 1) of 2^N frames, as NAME; more, if there are some of that name",
	  1, 2, "order", command_alloc },
	{ "free", "NAME [COUNT] [step=N]",
	  "gives runs of NAME back: the oldest COUNT (default: all), or of these each N-th",
	  1, 2, "step", command_free },
	{ "map", "SPACE/MAPPING SIZE [policy=NAME]",
	  "maps anonymous memory, in an address space that is made if there is none of that name",
	  2, 2, "policy", command_map },
	{ "touch", "SPACE/MAPPING [SIZE] [at=SIZE] [step=SIZE]",
	  "stores to its pages, or to a part of it, or to one page in each step",
	  1, 2, "at step", command_touch },
	{ "drop", "SPACE/MAPPING [SIZE] [at=SIZE] [step=SIZE]",
	  "drops what is stored there (MADV_DONTNEED)",
	  1, 2, "at step", command_drop },
	{ "unmap", "SPACE/MAPPING [SIZE] [at=SIZE]",
	  "unmaps it, or a part of it",
	  1, 2, "at", command_unmap },
	{ "fork", "SPACE CHILD",
	  "another address space like it: pages are shared until one of the two stores",
	  2, 2, NULL, command_fork },
	{ "exit", "SPACE",
	  "the address space goes, with all that it maps",
	  1, 1, NULL, command_exit },
	{ "pin", "NAME SPACE/MAPPING [SIZE] [at=SIZE] [step=SIZE]",
	  "its pages, or a part of them, stay in their frames, as NAME, whatever becomes of the mapping; what\n    "
	  "lies in a movable segment goes elsewhere first",
	  2, 3, "at step", command_pin },
	{ "unpin", "NAME [COUNT]",
	  "gives pins of NAME back: the oldest COUNT (default: all)",
	  1, 2, NULL, command_unpin },
	{ "report", "on [host=accept|refuse|later] [notify=N] [most=N] [capture=N] [low=SIZE] | off | "
	  "pass [some|all|now]",
	  "on: what becomes free is noted; the host says the same of all that it is told, and overwrites what it\n    "
	  "accepts. pass: it is told, of what has not been used since the pass before (now: of all that is free)",
	  1, 2, "host notify most capture low", command_report },
	{ "balloon", "on [host=accept|refuse|later] [order=N] [low=SIZE] | off | inflate SIZE | deflate [SIZE]",
	  "memory that the host has until it is wanted: whole blocks first, runs of 2^N frames at least, all but\n    "
	  "low; an allocation that would fail deflates it",
	  1, 2, "host order low", command_balloon },
	{ "poison", "PLACE | NAME | SPACE/MAPPING [at=SIZE]",
	  "takes a frame out of use: what is stored there moves first",
	  1, 1, "at", command_poison },
	{ "unpoison", "PLACE",
	  "it can be had again",
	  1, 1, NULL, command_unpoison },
	{ "expect", "FIGURE =|!=|<|<=|>|>= VALUE",
	  "fails unless it is so; VALUE: a count, an amount of memory, or another figure",
	  3, 3, NULL, command_expect },
	{ "fails", "ERRNO COMMAND...",
	  "carries the command out, and fails unless that fails with this error",
	  2, CALL_WORDS, NULL, NULL },
	{ "verify", "",
	  "reads all that is stored anywhere, and fails if some of it is not what was stored",
	  0, 0, NULL, command_verify },
	{ "audit", "",
	  "checks each frame, chain, block, segment and map of the machine; fails if something is wrong",
	  0, 0, NULL, command_audit },
	{ "show", "[FIGURE...]",
	  "prints figures, or all",
	  0, CALL_WORDS - 1, NULL, command_show },
	{ "segments", "",
	  "prints the segments, and what their frames are used for",
	  0, 0, NULL, command_segments },
	{ "inspect", "PLACE | NAME | SPACE/MAPPING [at=SIZE]",
	  "prints what is known of a frame: of the first one of NAME, of the one under a page",
	  1, 1, "at", command_inspect },
	{ "picture", "[FILE.svg | FILE.png] [cell=SIZE]",
	  "draws the memory, a character for each cell; or an image, by gnuplot (FILE.gp is its script)",
	  0, 1, "cell", command_picture },
	{ "print", "WORD...",
	  "prints them",
	  0, CALL_WORDS - 1, NULL, command_print },
	{ 0 },
};

int command_need_machine(struct call *c)
{
	if (c->board->pm != NULL)
		return 0;
	return call_mistake(c, "begin with: machine memory=64M", "%s: there is no machine", c->word[0]);
}

void command_help(FILE *out)
{
	fputs("A command ends at the end of its line, or at ';'. From '#' on a line is a comment.\n\n", out);
	for (const struct script_command *k = script_commands; k->name != NULL; k++)
		fprintf(out, "%s%s%s\n    %s\n", k->name, k->words[0] != 0 ? " " : "", k->words, k->summary);
	fputs("\nSIZE   64K 2M 1.5G, in whole pages of 4K; or pages: 1p 512p\n"
	      "PLACE  the same, or 0, or 0x40000000, or a segment's name; +SIZE behind any of these\n"
	      "NAME   a letter, then letters, digits, - _ .: of a segment, frames, pins, or an address space\n\n", out);
	figure_help(out);
}
