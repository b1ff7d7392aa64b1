/* SPDX-License-Identifier: MIT */
/* json.c - struct json is cJSON under our own name, so that no program depends on it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/tool/cli.h"
#include "base/tool/json.h"

static cJSON *need(cJSON *item)
{
	if (item == NULL)
		cli_die("close other programs, or ask for fewer rows", "no memory for the JSON output");
	return item;
}

static cJSON *of(struct json *j)
{
	return (cJSON *)j;
}

static cJSON *number(double value)
{
	return need(isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

static cJSON *exact_uint(uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return need(cJSON_CreateRaw(text));
}

static cJSON *string(const char *value)
{
	return need(value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

static cJSON *put(struct json *object, const char *key, cJSON *item)
{
	if (!cJSON_AddItemToObject(of(object), key, item))
		need(NULL);
	return item;
}

static cJSON *push(struct json *array, cJSON *item)
{
	if (!cJSON_AddItemToArray(of(array), item))
		need(NULL);
	return item;
}

struct json *json_object(void)
{
	return (struct json *)need(cJSON_CreateObject());
}

void json_uint(struct json *object, const char *key, uint64_t value)
{
	put(object, key, exact_uint(value));
}

void json_int(struct json *object, const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, value);
	put(object, key, need(cJSON_CreateRaw(text)));
}

void json_real(struct json *object, const char *key, double value)
{
	put(object, key, number(value));
}

void json_bool(struct json *object, const char *key, bool value)
{
	put(object, key, need(cJSON_CreateBool(value)));
}

void json_text(struct json *object, const char *key, const char *value)
{
	put(object, key, string(value));
}

void json_null(struct json *object, const char *key)
{
	put(object, key, need(cJSON_CreateNull()));
}

struct json *json_sub(struct json *object, const char *key)
{
	return (struct json *)put(object, key, need(cJSON_CreateObject()));
}

struct json *json_array(struct json *object, const char *key)
{
	return (struct json *)put(object, key, need(cJSON_CreateArray()));
}

struct json *json_row(struct json *array)
{
	return (struct json *)push(array, need(cJSON_CreateObject()));
}

void json_push_real(struct json *array, double value)
{
	push(array, number(value));
}

void json_push_uint(struct json *array, uint64_t value)
{
	push(array, exact_uint(value));
}

void json_push_text(struct json *array, const char *value)
{
	push(array, string(value));
}

int json_write(const struct json *root, const char *path)
{
	bool to_stdout = strcmp(path, "-") == 0;
	FILE *out = to_stdout ? stdout : fopen(path, "w");
	char *text;
	int rc = 0;

	if (out == NULL)
		return -errno;
	text = cJSON_Print((const cJSON *)root);
	if (text == NULL)
		need(NULL);
	errno = 0;
	if (fprintf(out, "%s\n", text) < 0 || fflush(out) != 0)
		rc = errno ? -errno : -EIO;
	cJSON_free(text);
	if (!to_stdout && fclose(out) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

void json_free(struct json *root)
{
	cJSON_Delete(of(root));
}

/* ---- reading ---- */

/* All of a file, with a zero behind it. 0 or -errno. */
static int contents(const char *path, char **text)
{
	FILE *in = fopen(path, "r");
	size_t room = 0;
	int err = 0;

	*text = NULL;
	if (in == NULL)
		return -errno;
	if (getdelim(text, &room, 0, in) < 0)
		err = ferror(in) ? -errno : -EBADMSG;            /* nothing stands in it */
	fclose(in);
	return err;
}

int json_read(struct json **out, const char *path)
{
	char *text;
	int err = contents(path, &text);

	*out = err ? NULL : (struct json *)cJSON_Parse(text);
	free(text);
	return err ? err : *out != NULL ? 0 : -EBADMSG;
}

static const cJSON *at(const struct json *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive((const cJSON *)object, key);
}

const struct json *json_member(const struct json *object, const char *key)
{
	return (const struct json *)at(object, key);
}

const struct json *json_first(const struct json *array)
{
	return array != NULL ? (const struct json *)((const cJSON *)array)->child : NULL;
}

const struct json *json_next(const struct json *element)
{
	return (const struct json *)((const cJSON *)element)->next;
}

const char *json_text_at(const struct json *object, const char *key, const char *otherwise)
{
	const char *text = cJSON_GetStringValue(at(object, key));

	return text != NULL ? text : otherwise;
}

double json_real_at(const struct json *object, const char *key, double otherwise)
{
	const cJSON *item = at(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

bool json_bool_at(const struct json *object, const char *key, bool otherwise)
{
	const cJSON *item = at(object, key);

	return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}
