/* SPDX-License-Identifier: MIT */
/*
 * json.h - what programs write with --json: one object, built top-down; and read again. Over cJSON.
 *
 * Want of memory ends the program with a message: these are tools. 64-bit numbers are written exactly (a double would
 * lose the low bits of a seed); read, a number is a double. Not-a-number and infinity become null.
 */
#ifndef BASE_TOOL_JSON_H
#define BASE_TOOL_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json;

struct json *json_object(void);                          /* a root; json_free it                                   */
/* Members of an object. Keys are copied. The children belong to their parent. */
void json_uint(struct json *object, const char *key, uint64_t value);
void json_int(struct json *object, const char *key, int64_t value);
void json_real(struct json *object, const char *key, double value);
void json_bool(struct json *object, const char *key, bool value);
void json_text(struct json *object, const char *key, const char *value);         /* NULL: null */
void json_null(struct json *object, const char *key);
struct json *json_sub(struct json *object, const char *key);             /* a new object under key                  */
struct json *json_array(struct json *object, const char *key);           /* a new array under key                   */
/* Elements of an array. */
struct json *json_row(struct json *array);                               /* a new object at the array's end         */
void json_push_real(struct json *array, double value);
void json_push_uint(struct json *array, uint64_t value);
void json_push_text(struct json *array, const char *value);

/* Writes it to the file `path`, "-" = stdout, followed by a newline. 0 or -errno. */
int  json_write(const struct json *root, const char *path);
void json_free(struct json *root);

/* ---- what others, or we, have written ---- */

/* A root, as json_object's. 0 or -errno; -EBADMSG: the file is no JSON. */
int json_read(struct json **out, const char *path);
/* NULL: no such member; an array's first element, the next one, NULL past the last. NULL has none. */
const struct json *json_member(const struct json *object, const char *key);
const struct json *json_first(const struct json *array);
const struct json *json_next(const struct json *element);
/* A member's value; `otherwise` where there is none of that type. */
const char *json_text_at(const struct json *object, const char *key, const char *otherwise);
double json_real_at(const struct json *object, const char *key, double otherwise);
bool json_bool_at(const struct json *object, const char *key, bool otherwise);

#endif
