/* SPDX-License-Identifier: MIT */
/* debug.c - see debug.h. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "bench/sim/debug.h"

#define LABEL_BYTES 160

struct debug_type {
	const char *name;
	Dwarf_Die die;
	size_t bytes;
	const char **field;              /* of each byte, once it was asked for                                       */
};

static const char padding[] = "";

struct variable {
	uintptr_t at;
	size_t bytes;
	Dwarf_Die type;
	const char *name, *file;
	bool tls;                        /* at: its offset, until place_tls knows where the block is                  */
};

static Dwfl *dwfl;
static Dwfl_Module *program;
static void *structs;                    /* tree of struct debug_type, by name                                      */
static struct variable *variables;       /* by address                                                              */
static size_t nvariables;

/* ---- reading it all, once ---- */

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct debug_type *)x)->name, ((const struct debug_type *)y)->name);
}

static void add_struct(Dwarf_Die *die)
{
	struct debug_type *type;
	Dwarf_Word bytes;

	if (dwarf_diename(die) == NULL || dwarf_hasattr(die, DW_AT_declaration) ||
	    dwarf_aggregate_size(die, &bytes) != 0)
		return;
	type = malloc(sizeof(*type));
	CHECK(type != NULL);
	*type = (struct debug_type){ dwarf_diename(die), *die, bytes, NULL };
	if (*(struct debug_type **)tsearch(type, &structs, by_name) != type)
		free(type);
}

/* Where a variable with a fixed place is. False: it has none. */
static bool place_of(Dwarf_Die *die, struct variable *v)
{
	Dwarf_Attribute location, index;
	Dwarf_Op *op;
	size_t n;
	Dwarf_Addr at;

	if (dwarf_attr(die, DW_AT_location, &location) == NULL || dwarf_getlocation(&location, &op, &n) != 0 || !n)
		return false;
	v->tls = n == 2 && (op[1].atom == DW_OP_GNU_push_tls_address || op[1].atom == DW_OP_form_tls_address);
	if (n != 1 && !v->tls)
		return false;
	if (op[0].atom == DW_OP_addr || op[0].atom == DW_OP_const8u || op[0].atom == DW_OP_const4u) {
		v->at = op[0].number;
		return op[0].atom == DW_OP_addr || v->tls;
	}
	if (dwarf_getlocation_attr(&location, op, &index) != 0 || dwarf_formaddr(&index, &at) != 0)
		return false;
	v->at = at;
	return true;
}

static void add_variable(Dwarf_Die *die, const char *file, Dwarf_Addr bias)
{
	struct variable v = { .name = dwarf_diename(die) };
	Dwarf_Attribute attr;
	Dwarf_Word bytes;

	if (v.name == NULL || !place_of(die, &v) ||
	    dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attr), &v.type) == NULL ||
	    dwarf_aggregate_size(&v.type, &bytes) != 0)
		return;
	v.bytes = bytes;
	v.at += v.tls ? 0 : bias;
	v.file = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
	if ((nvariables & (nvariables - 1)) == 0) {
		variables = realloc(variables, (nvariables ? 2 * nvariables : 64) * sizeof(*variables));
		CHECK(variables != NULL);
	}
	variables[nvariables++] = v;
}

/* Static variables may stand inside of functions. */
static void add_children(Dwarf_Die *of, const char *file, Dwarf_Addr bias)
{
	Dwarf_Die die;

	if (dwarf_child(of, &die) != 0)
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_structure_type:
			add_struct(&die);
			break;
		case DW_TAG_variable:
			add_variable(&die, file, bias);
			break;
		case DW_TAG_subprogram: case DW_TAG_lexical_block: case DW_TAG_inlined_subroutine:
			add_children(&die, file, bias);
			break;
		default:
			break;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

static int by_address(const void *x, const void *y)
{
	const struct variable *a = x, *b = y;

	return a->at < b->at ? -1 : a->at > b->at;
}

/* Where this thread's block of thread-local variables begins: one OS thread plays all cores. */
static void place_tls(void)
{
	uintptr_t block = 0;

	for (size_t i = 0; i < nvariables; i++)
		if (variables[i].tls && strcmp(variables[i].name, "thread_current") == 0)
			block = (uintptr_t)&thread_current - variables[i].at;
	for (size_t i = 0; i < nvariables; i++)
		variables[i].at += variables[i].tls ? block : 0;
}

static void open_all(void)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = dwfl_standard_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	Dwarf_Die *cu = NULL;
	Dwarf_Addr bias;

	if (dwfl != NULL)
		return;
	dwfl = dwfl_begin(&callbacks);
	CHECK(dwfl != NULL && dwfl_linux_proc_report(dwfl, getpid()) == 0 && dwfl_report_end(dwfl, NULL, NULL) == 0);
	program = dwfl_addrmodule(dwfl, (Dwarf_Addr)(uintptr_t)open_all);
	CHECK(program != NULL);
	while ((cu = dwfl_module_nextcu(program, cu, &bias)) != NULL)
		add_children(cu, dwarf_diename(cu), bias);
	place_tls();
	qsort(variables, nvariables, sizeof(*variables), by_address);
}

/* ---- fields ---- */

const struct debug_type *debug_struct(const char *name)
{
	struct debug_type key = { .name = name }, **found;

	open_all();
	found = tfind(&key, &structs, by_name);
	return found != NULL ? *found : NULL;
}

const char *debug_name(const struct debug_type *type)
{
	return type->name;
}

size_t debug_bytes(const struct debug_type *type)
{
	return type->bytes;
}

/* Of a die its type, without const, typedef and the like; a struct that is only declared here, by its name. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attr;

	if (dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attr), type) == NULL ||
	    dwarf_peel_type(type, type) != 0)
		return false;
	if (dwarf_tag(type) == DW_TAG_structure_type && dwarf_hasattr(type, DW_AT_declaration)) {
		const struct debug_type *whole = debug_struct(dwarf_diename(type));

		if (whole == NULL)
			return false;
		*type = whole->die;
	}
	return true;
}

struct path { char *out; size_t room; };

static void path_add(struct path *p, const char *sign, const char *name)
{
	int n = snprintf(p->out, p->room, "%s%s", sign, name);

	CHECK(n >= 0 && (size_t)n < p->room);
	p->out += n;
	p->room -= (size_t)n;
}

static bool walk(Dwarf_Die *type, size_t offset, struct path *p);

static bool walk_members(Dwarf_Die *type, size_t offset, struct path *p)
{
	Dwarf_Die member, of;

	if (dwarf_child(type, &member) != 0)
		return false;
	do {
		Dwarf_Attribute attr;
		Dwarf_Word at = 0, bytes;
		bool bits = false;

		if (dwarf_tag(&member) != DW_TAG_member)
			continue;
		if (dwarf_attr(&member, DW_AT_data_member_location, &attr) != NULL)
			dwarf_formudata(&attr, &at);
		else
			bits = dwarf_attr(&member, DW_AT_data_bit_offset, &attr) != NULL &&
			       dwarf_formudata(&attr, &at) == 0;
		if (!type_of(&member, &of) || dwarf_aggregate_size(&of, &bytes) != 0)
			continue;
		if (bits)                /* all that share a unit of storage go by the name of the first            */
			at = at / (8 * bytes) * bytes;
		if (offset - at >= bytes)
			continue;
		if (dwarf_diename(&member) != NULL)
			path_add(p, ".", dwarf_diename(&member));
		return walk(&of, offset - at, p);
	} while (dwarf_siblingof(&member, &member) == 0);
	return false;
}

static bool walk_elements(Dwarf_Die *type, size_t offset, struct path *p)
{
	Dwarf_Die of;
	Dwarf_Word bytes;

	path_add(p, "[]", "");
	return type_of(type, &of) && dwarf_aggregate_size(&of, &bytes) == 0 && bytes != 0 &&
	       walk(&of, offset % bytes, p);
}

static bool walk(Dwarf_Die *type, size_t offset, struct path *p)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type: case DW_TAG_union_type:
		return walk_members(type, offset, p);
	case DW_TAG_array_type:
		return walk_elements(type, offset, p);
	default:
		return true;
	}
}

static const char *field_at(const struct debug_type *type, size_t offset)
{
	char text[LABEL_BYTES];
	struct path p = { text, sizeof(text) };
	Dwarf_Die die = type->die;
	char *field;

	if (!walk(&die, offset, &p))
		return padding;
	field = strdup(text);
	CHECK(field != NULL);
	return field;
}

const char *debug_field(const struct debug_type *type, size_t offset)
{
	struct debug_type *t = (struct debug_type *)(uintptr_t)type;

	if (offset >= t->bytes)
		return NULL;
	if (t->field == NULL)
		t->field = calloc(t->bytes, sizeof(*t->field));
	CHECK(t->field != NULL);
	if (t->field[offset] == NULL)
		t->field[offset] = field_at(t, offset);
	return t->field[offset] != padding ? t->field[offset] : NULL;
}

/* ---- variables ---- */

static bool constant(uintptr_t at)
{
	Dwarf_Addr adjusted = at, bias;
	Elf_Scn *section = dwfl_module_address_section(program, &adjusted, &bias);
	GElf_Shdr header;

	return section != NULL && gelf_getshdr(section, &header) != NULL && (header.sh_flags & SHF_WRITE) == 0;
}

bool debug_variable(uintptr_t at, char *out, size_t room)
{
	size_t lo = 0, hi;
	struct path p = { out, room };
	Dwarf_Die type;

	open_all();
	hi = nvariables;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (variables[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || at - variables[lo - 1].at >= variables[lo - 1].bytes) {
		if (dwfl_addrmodule(dwfl, at) != program || !constant(at))
			return false;
		path_add(&p, "constants", "");
		return true;
	}
	path_add(&p, "", variables[lo - 1].file);
	path_add(&p, ":", variables[lo - 1].name);
	return dwarf_peel_type(&variables[lo - 1].type, &type) == 0 && walk(&type, at - variables[lo - 1].at, &p);
}

/* ---- code ---- */

struct place { const char *function, *file; int line; };

static bool base_header(const char *file)
{
	bool helper = strstr(file, "/base/") != NULL || strstr(file, "mmintrin") != NULL;

	return helper && strcmp(file + strlen(file) - 2, ".h") == 0;
}

/* From an inlined function to where it is used. */
static void go_out(Dwarf_Die *inlined, Dwarf_Die *cu, struct place *where)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t n;

	if (dwarf_getsrcfiles(cu, &files, &n) != 0 ||
	    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &file) != 0 ||
	    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &line) != 0)
		return;
	where->file = dwarf_filesrc(files, file, NULL, NULL);
	where->line = (int)line;
}

static void find_place(Dwarf_Addr pc, struct place *where)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(program, pc, &bias), *inner, *scope;
	int ninner = cu != NULL ? dwarf_getscopes(cu, pc - bias, &inner) : 0, n;

	if (ninner <= 0)
		return;
	n = dwarf_getscopes_die(&inner[0], &scope);
	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scope[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		where->function = dwarf_diename(&scope[i]);
		if (tag == DW_TAG_subprogram || where->file == NULL || !base_header(where->file))
			break;
		go_out(&scope[i], cu, where);
	}
	free(scope);
	free(inner);
}

static const char *from_root(const char *path)
{
	static const char here[] = __FILE__, name[] = "bench/sim/debug.c";
	size_t root = sizeof(here) - sizeof(name);

	return strncmp(path, here, root) == 0 ? path + root : path;
}

struct location { const void *pc; char text[LABEL_BYTES]; };

static int by_pc(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t)((const struct location *)x)->pc, b = (uintptr_t)((const struct location *)y)->pc;

	return a < b ? -1 : a > b;
}

static void find_location(struct location *l)
{
	Dwarf_Addr at = (Dwarf_Addr)(uintptr_t)l->pc - 1;
	struct place where = { "?", NULL, 0 };
	Dwfl_Line *line;

	open_all();
	line = dwfl_module_getsrc(program, at);
	if (line != NULL)
		where.file = dwfl_lineinfo(line, NULL, &where.line, NULL, NULL, NULL);
	find_place(at, &where);
	if (where.file == NULL)
		snprintf(l->text, sizeof(l->text), "?");
	else
		snprintf(l->text, sizeof(l->text), "%s %s:%d", where.function, from_root(where.file), where.line);
}

const char *debug_location(const void *pc)
{
	static void *known;
	struct location key = { .pc = pc }, **found = tfind(&key, &known, by_pc), *l;

	if (found != NULL)
		return (*found)->text;
	l = malloc(sizeof(*l));
	CHECK(l != NULL);
	l->pc = pc;
	find_location(l);
	CHECK(tsearch(l, &known, by_pc) != NULL);
	return l->text;
}

const char *debug_line(const void *pc, int *line, int *column)
{
	Dwfl_Line *found;
	const char *file;

	open_all();
	found = dwfl_module_getsrc(program, (Dwarf_Addr)(uintptr_t)pc - 1);
	file = found != NULL ? dwfl_lineinfo(found, NULL, line, column, NULL, NULL) : NULL;
	return file != NULL ? from_root(file) : NULL;
}
