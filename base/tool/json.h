/* SPDX-License-Identifier: MIT */
/*
 * json.h - what programs write with --json: one object, built top-down. Over cJSON.
 *
 * Want of memory ends the program with a message: these are tools. 64-bit numbers are written exactly (a double would
 * lose the low bits of a seed). Not-a-number and infinity become null.
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

#endif
