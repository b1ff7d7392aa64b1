/* SPDX-License-Identifier: MIT */
/* test_json.c - what is written can be read again, exactly. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "base/tool/json.h"
#include "base/tool/machine.h"
#include "tests/unit/base/crew.h"

static char *read_file(const char *path)
{
	static char text[8192];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static void what_is_written_can_be_read(void **state)
{
	char path[] = "test_json_XXXXXX";
	int fd = mkstemp(path);
	struct json *root = json_object(), *rows, *row;
	cJSON *back, *second;
	char *text;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	json_uint(root, "seed", UINT64_MAX - 1);
	json_int(root, "offset", INT64_MIN);
	json_real(root, "ratio", 1.25);
	json_real(root, "none", NAN);
	json_bool(root, "ok", true);
	json_text(root, "quote", "a\"b\\c\n");
	json_text(root, "absent", NULL);
	json_null(root, "null");
	json_uint(json_sub(root, "inner"), "x", 3);
	rows = json_array(root, "rows");
	for (int i = 0; i < 2; i++) {
		row = json_row(rows);
		json_uint(row, "i", (uint64_t)i);
	}
	json_push_real(json_array(root, "reals"), 0.5);
	json_push_uint(json_array(root, "uints"), 7);
	json_push_text(json_array(root, "texts"), "t");
	assert_int_equal(json_write(root, path), 0);
	json_free(root);

	text = read_file(path);
	unlink(path);
	assert_non_null(strstr(text, "18446744073709551614"));
	assert_non_null(strstr(text, "-9223372036854775808"));
	back = cJSON_Parse(text);
	assert_non_null(back);
	assert_true(cJSON_GetObjectItem(back, "ratio")->valuedouble == 1.25);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "none")));
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(back, "ok")));
	assert_string_equal(cJSON_GetObjectItem(back, "quote")->valuestring, "a\"b\\c\n");
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "absent")));
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "null")));
	assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(back, "inner"), "x")->valueint, 3);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(back, "rows")), 2);
	second = cJSON_GetArrayItem(cJSON_GetObjectItem(back, "rows"), 1);
	assert_int_equal(cJSON_GetObjectItem(second, "i")->valueint, 1);
	assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(back, "reals"), 0)->valuedouble == 0.5);
	assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(back, "texts"), 0)->valuestring, "t");
	cJSON_Delete(back);
}

static void what_is_read_has_what_was_written(void **state)
{
	char path[] = "test_json_XXXXXX";
	int fd = mkstemp(path);
	struct json *root = json_object(), *rows, *back;
	const struct json *row;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	json_text(root, "name", "a\tb");
	json_real(root, "ratio", 0.25);
	json_bool(root, "no", false);
	json_null(root, "nothing");
	rows = json_array(root, "rows");
	for (unsigned i = 0; i < 3; i++)
		json_uint(json_row(rows), "i", i);
	assert_int_equal(json_write(root, path), 0);
	json_free(root);

	assert_int_equal(json_read(&back, path), 0);
	assert_string_equal(json_text_at(back, "name", "?"), "a\tb");
	assert_true(json_real_at(back, "ratio", 7) == 0.25);
	assert_false(json_bool_at(back, "no", true));
	assert_string_equal(json_text_at(back, "nothing", "?"), "?");
	assert_true(json_real_at(back, "name", 7) == 7);
	assert_true(json_bool_at(back, "absent", true));
	row = json_first(json_member(back, "rows"));
	for (unsigned i = 0; i < 3; i++, row = json_next(row))
		assert_true(json_real_at(row, "i", 7) == i);
	assert_null(row);
	assert_null(json_first(json_member(back, "absent")));
	json_free(back);

	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(json_read(&back, path), -EBADMSG);
	assert_null(back);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(json_read(&back, path), -EBADMSG);
	unlink(path);
	assert_int_equal(json_read(&back, path), -ENOENT);
	assert_int_equal(json_read(&back, "."), -EISDIR);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
	struct json *root = json_object();

	(void)state;
	assert_int_equal(json_write(root, "no-such-directory/x.json"), -ENOENT);
	assert_int_equal(json_write(root, "/dev/full"), -ENOSPC);
	json_free(root);
}

static void the_machine_is_described_without_names_of_hosts(void **state)
{
	struct machine m;
	char line[256], host[256] = "";
	struct json *root = json_object();

	(void)state;
	machine_read(&m);
	machine_line(&m, line, sizeof(line));
	assert_true(m.cores >= 1);
	assert_true(m.memory_bytes > 1 << 20);
	assert_true(strncmp(m.kernel, "Linux ", 6) == 0);
	assert_true(strncmp(m.compiler, "gcc ", 4) == 0 || strncmp(m.compiler, "clang ", 6) == 0);
	assert_non_null(strstr(line, m.cpu));
	assert_non_null(strstr(line, m.build));
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	assert_true(strlen(host) < 4 || strstr(line, host) == NULL);
	machine_json(&m, root, "machine");
	json_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(what_is_read_has_what_was_written),
		cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
		cmocka_unit_test(the_machine_is_described_without_names_of_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
