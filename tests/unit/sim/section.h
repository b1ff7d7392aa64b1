/* SPDX-License-Identifier: MIT */
/* section.h - a reader and a retirer for test_core, compiled as the engine is. */
#ifndef TESTS_UNIT_SIM_SECTION_H
#define TESTS_UNIT_SIM_SECTION_H

void section_reset(void);
void section_read(void *arg);                    /* a core: reads the thing in a long section                      */
void section_retire(void *arg);                  /* a core: once the reader is inside, retires it and drains       */
unsigned section_reads_of_freed(void);

#endif
