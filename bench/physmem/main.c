/* SPDX-License-Identifier: MIT */
/* main.c - vmmap-physmem: a simulated machine and its memory, driven by a script. Options. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/tool/cli.h"
#include "bench/physmem/command.h"
#include "bench/physmem/picture.h"
#include "bench/physmem/state.h"

#define FILES 16u

struct options { const char *file[FILES], *text, *json, *image; unsigned files; bool picture; };

static const struct argp_option option_list[] = {
	{ "execute", 'e', "COMMANDS", 0, "carry these out, behind the files: 'command; command'", 0 },
	{ "json", 'j', "FILE", 0, "write the machine's state as JSON when all is done (-: to standard output, and what "
	  "commands print to standard error)", 0 },
	{ "picture", 'p', NULL, 0, "... draw its memory in characters", 0 },
	{ "svg", 'o', "FILE", 0, "... or as an image, FILE.svg or FILE.png (gnuplot)", 0 },
	{ 0 },
};

static const char doc[] =
	"Sets a machine up and does to its memory what the script says: segments come and go, frames are taken by name "
	"or by address spaces, which store, fork, pin and exit; a host is told what is free, or takes it; frames go "
	"out of use. "
	"FILE: a script (-: standard input; typed, a command that does not work does not end it). The commands: "
	"vmmap-physmem commands. A script that expects something is a test.\v"
	"Examples:\n"
	"  vmmap-physmem script examples/plug.physmem\n"
	"  vmmap-physmem script -                        type commands\n"
	"  vmmap-physmem script -p -e 'machine memory=32M; map a/heap 8M; touch a/heap; alloc k 100'\n"
	"  vmmap-physmem script examples/balloon.physmem --svg memory.svg --json -\n\n"
	"Exit status: 0; 1 the machine refused something, or a figure was not as expected; 2 usage, a line that means "
	"nothing, or could not run.";

static const char commands_doc[] =
	"Lists the language of scripts: commands, how amounts and places are written, the figures of show and expect.\v"
	"Examples:\n"
	"  vmmap-physmem commands\n"
	"  vmmap-physmem commands | grep -A2 ^unplug\n\n"
	"Exit status: 0; 2 usage.";

static const char about[] =
	"A simulated machine's memory: segments, frames, address spaces.\v"
	"Examples:\n"
	"  vmmap-physmem script examples/fragments.physmem --svg memory.svg\n"
	"  vmmap-physmem script -e 'machine memory=32M; plug 64M 4M dimm1 movable; segments'\n"
	"  vmmap-physmem commands                        what a script can say\n\n"
	"Exit status: 0; 1 the machine refused something, or a figure was not as\n"
	"expected; 2 usage, a line that means nothing, or could not run.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'e': o->text = arg; return 0;
	case 'j': o->json = arg; return 0;
	case 'p': o->picture = true; return 0;
	case 'o': o->image = arg; return 0;
	case ARGP_KEY_ARG:
		if (o->files == FILES)
			cli_die("one script may be several joined, by cat", "more than %u files", FILES);
		o->file[o->files++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->files == 0 && o->text == NULL)
			cli_die("give a FILE, - for standard input, or -e 'commands'", "which script?");
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static int run_file(struct script *s, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	int status;

	if (in == NULL)
		cli_die("give a script that can be read, or - for standard input", "%s: %s", path, strerror(errno));
	s->name = is_stdin ? "stdin" : path;
	s->line = 0;
	s->go_on = is_stdin && isatty(STDIN_FILENO);
	status = script_run_file(s, in);
	if (!is_stdin)
		fclose(in);
	return status;
}

static int run_all(struct script *s, const struct options *o)
{
	int status = CLI_OK;

	for (unsigned i = 0; i < o->files && status == CLI_OK; i++)
		status = run_file(s, o->file[i]);
	if (o->text == NULL || status != CLI_OK)
		return status;
	s->name = "-e";
	s->line = 0;
	s->go_on = false;
	return script_run_text(s, o->text);
}

static void draw(struct script *s, const char *path)
{
	struct picture p;
	int err = 0;

	picture_make(&p, &s->board, path != NULL ? PICTURE_IMAGE_COLUMNS : PICTURE_TEXT_COLUMNS, 0);
	if (path == NULL)
		picture_print(&p, s->out);
	else
		err = picture_plot(&p, path);
	picture_free(&p);
	if (err != 0)
		cli_die("a name that ends with .svg or .png, in a directory that is there; it takes gnuplot",
			"%s: %s", path, strerror(-err));
}

static void tell(struct script *s, const struct options *o)
{
	struct json *root = json_object();
	int err = 0;

	if (s->board.pm != NULL && o->picture)
		draw(s, NULL);
	if (s->board.pm != NULL && o->image != NULL)
		draw(s, o->image);
	state_json(s, root);
	if (o->json != NULL)
		err = json_write(root, o->json);
	json_free(root);
	if (err != 0)
		cli_die("give a path that can be written, or '-' for standard output",
			"--json: cannot write '%s': %s", o->json, strerror(-err));
}

static int script_main(int argc, char **argv)
{
	struct argp argp = { option_list, parse, "[FILE...]", doc, NULL, NULL, NULL };
	struct options o = { 0 };
	static struct script script;                     /* reachable, whoever ends the program                    */
	int status;

	cli_parse(&argp, argc, argv, &o);
	script.out = o.json != NULL && strcmp(o.json, "-") == 0 ? stderr : stdout;
	status = run_all(&script, &o);
	tell(&script, &o);
	if (board_close(&script.board) != 0 && status == CLI_OK)
		status = CLI_VIOLATION;
	return status;
}

static int commands_main(int argc, char **argv)
{
	struct argp argp = { NULL, NULL, NULL, commands_doc, NULL, NULL, NULL };

	cli_parse(&argp, argc, argv, NULL);
	command_help(stdout);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	static const struct cli_command commands[] = {
		{ "script", "runs a script over a machine of its own", script_main },
		{ "commands", "lists the language", commands_main },
	};

	return cli_run(about, commands, ARRAY_SIZE(commands), argc, argv);
}
