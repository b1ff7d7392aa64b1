/* SPDX-License-Identifier: MIT */
/* vmmap_object.c - the public calls on memory objects: argument checks, then one call down. */
#include "vmmap/space/space.h"

#define OBJECT_MAX (UINT64_C(1) << (ADDRESS_BITS - 1))   /* bytes */

int vmmap_object_create(struct vmmap_object **out, struct physmem *pm, const char *name, uint64_t size,
			const struct vmmap_pager *pager)
{
	struct object_new is = { pm, name ? name : "", size, pager };
	struct object *object;
	int err;

	if (!out || !pm || size > OBJECT_MAX || (pager && (!pager->read_page || !pager->write_page)))
		return -EINVAL;
	err = object_make(&object, &is, false);
	if (!err)
		*out = container_of(object, struct vmmap_object, object);
	return err;
}

void vmmap_object_put(struct vmmap_object *object)
{
	if (object)
		object_put(&object->object);
}

uint64_t vmmap_object_number(const struct vmmap_object *object)
{
	return object->object.number;
}

uint64_t vmmap_object_size(const struct vmmap_object *object)
{
	return atomic_load_acquire(&object->object.size);                       /* Z2 -> Z1: one look */
}

int vmmap_object_resize(struct vmmap_object *object, uint64_t size)
{
	return size > OBJECT_MAX ? -EINVAL : object_resize(&object->object, thread_self(), size);
}

int vmmap_object_sync(struct vmmap_object *object, uint64_t offset, uint64_t len)
{
	uint64_t end = len < OBJECT_MAX - (offset < OBJECT_MAX ? offset : OBJECT_MAX) ? offset + len : OBJECT_MAX;

	if (!len || offset >= OBJECT_MAX)
		return 0;
	return object_sync(&object->object, thread_self(), offset >> PAGE_SHIFT, space_up(end) >> PAGE_SHIFT);
}
