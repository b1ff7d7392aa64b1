/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/mman.h>
#include <vmmap/vmmap.h>

int main(void)
{
	struct physmem_config memory = PHYSMEM_CONFIG;          /* 1 GiB of frames ...                       */
	struct vmmap_config config = VMMAP_CONFIG;              /* policy "vma", addresses below 2^47        */
	struct vmmap_fault_info info;
	struct vmmap *map;
	char text[6] = "";

	memory.bytes = 1;                                       /* ... with contents, made when first used   */
	if (physmem_create(&config.physmem, &memory) || vmmap_create(&map, &config))
		return 1;
	int64_t a = vmmap_mmap(map, 0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	vmmap_write(map, a, "hello", 6);                        /* faults a page in, as a store would        */
	vmmap_mprotect(map, a, 4096, PROT_READ);                /* splits the VMA; other ranges do not wait  */
	vmmap_read(map, a, text, sizeof(text));
	int err = vmmap_fault(map, a, PROT_WRITE, &info);       /* -EFAULT: that page is read-only now       */
	printf("%s, and a write is %s\n", text, err && info.code == VMMAP_ACCERR ? "refused" : "allowed");
	vmmap_print_maps(map, stdout);
	vmmap_destroy(map);
	physmem_destroy(config.physmem);
	return 0;
}
