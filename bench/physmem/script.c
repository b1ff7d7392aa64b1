/* SPDX-License-Identifier: MIT */
/* script.c - see script.h. */
#include "bench/physmem/script.h"

#include <stdlib.h>
#include <string.h>

#include "base/tool/cli.h"

static const struct script_command *find(const char *name)
{
	for (const struct script_command *k = script_commands; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

/* One of the words of `list`. */
static bool in_list(const char *list, const char *word, size_t n)
{
	for (const char *at = list; at != NULL && *at != 0; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

static int check_words(struct call *c, const struct script_command *k)
{
	char usage[256];

	snprintf(usage, sizeof(usage), "usage: %s %s", k->name, k->words);
	if (c->words - 1 < k->least || c->words - 1 > k->most)
		return call_mistake(c, usage, "%s: too %s words", k->name, c->words - 1 < k->least ? "few" : "many");
	for (unsigned i = 0; i < c->options; i++) {
		size_t n = strcspn(c->option[i], "=");

		if (!in_list(k->options, c->option[i], n))
			return call_mistake(c, usage, "%s: it knows no option '%.*s'", k->name, (int)n, c->option[i]);
	}
	return 0;
}

static int run_command(struct call *c)
{
	const struct script_command *k = find(c->word[0]);
	int err;

	if (k == NULL)
		return call_mistake(c, "`vmmap-physmem commands` lists them", "there is no command '%s'", c->word[0]);
	err = check_words(c, k);
	return err != 0 ? err : k->run(c);
}

/* fails ERRNO command ... */
static int run_failing(struct call *c)
{
	int want = c->words >= 3 ? call_errno(c->word[1]) : 0, err;
	const char *name = c->word[1];

	if (want == 0)
		return call_mistake(c, "for example: fails EEXIST plug 0 4M", "fails: which error, of which command?");
	c->words -= 2;
	memmove(c->word, c->word + 2, c->words * sizeof(c->word[0]));
	err = run_command(c);
	if (err == want)
		return 0;
	return err != 0 ? err : call_unmet(c, "it did what it says: leave out `fails`, or expect that", "%s was to "
					      "fail with %s, and did not", c->word[0], name);
}

static int run_line(struct script *s, char *text)
{
	struct call c = { .board = &s->board, .out = s->out };
	char where[128];
	int err;

	if (!call_split(&c, text))
		err = call_mistake(&c, "make two lines of it", "more than %u words", CALL_WORDS);
	else if (c.words == 0)
		return CLI_OK;
	else
		err = strcmp(c.word[0], "fails") == 0 ? run_failing(&c) : run_command(&c);
	s->commands++;
	if (err == 0)
		return CLI_OK;
	s->failures++;
	snprintf(where, sizeof(where), "%s:%u", s->name, s->line);
	cli_complain(c.remedy[0] != 0 ? c.remedy : NULL, "%s: %s", where, c.cause);
	return err == CALL_MISTAKE ? CLI_USAGE : CLI_VIOLATION;
}

/* The commands of a line, which `text` is the whole of. */
static int run_commands(struct script *s, char *text)
{
	int status = CLI_OK, now;

	text[strcspn(text, "#")] = 0;
	for (char *next; text != NULL; text = next) {
		next = strchr(text, ';');
		if (next != NULL)
			*next++ = 0;
		now = run_line(s, text);
		status = now != CLI_OK ? now : status;
		if (now != CLI_OK && !s->go_on)
			return now;
	}
	return status;
}

static void prompt(const struct script *s)
{
	if (!s->go_on)
		return;
	fputs("physmem> ", s->out);
	fflush(s->out);
}

int script_run_file(struct script *s, FILE *in)
{
	int status = CLI_OK, now;
	char *line = NULL;
	size_t room = 0;

	for (prompt(s); getline(&line, &room, in) >= 0; prompt(s)) {
		s->line++;
		now = run_commands(s, line);
		status = now != CLI_OK ? now : status;
		if (now != CLI_OK && !s->go_on)
			break;
	}
	free(line);
	return status;
}

int script_run_text(struct script *s, const char *text)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	int status;

	if (in == NULL)
		cli_die("for example: -e 'machine; show'", "%s: there is no command", s->name);
	status = script_run_file(s, in);
	fclose(in);
	return status;
}
