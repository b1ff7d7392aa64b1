# SPDX-License-Identifier: MIT
# Flags shared by every target of ours: an interface library, so that nothing global leaks into consumers.
option(VMMAP_WERROR "Warnings are errors" OFF)
option(VMMAP_ASSERTS "Assertions (ASSERT)" OFF)
option(VMMAP_COVERAGE "gcov instrumentation" OFF)
option(VMMAP_JEMALLOC "Programs link jemalloc (never under sanitizers)" OFF)
option(VMMAP_TESTS "Build the tests (cmocka, Python 3)" ON)
set(VMMAP_SANITIZE "" CACHE STRING "address,undefined | thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug | Release" FORCE)
endif()
set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g -DNDEBUG")

add_library(vmmap_flags INTERFACE)
# Hidden by default: the public headers push default visibility around what leaves the library.
# No interposition: a call inside the shared library is a call, not a jump through its PLT.
target_compile_options(vmmap_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wwrite-strings
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition>
  $<$<BOOL:${VMMAP_WERROR}>:-Werror>
  # What is stored as two words and soon loaded as one vector stalls until both are in the cache (docs/benchmarking.md).
  -fno-tree-slp-vectorize
  -fno-strict-aliasing -fvisibility=hidden -fno-semantic-interposition)
target_compile_definitions(vmmap_flags INTERFACE _GNU_SOURCE $<$<BOOL:${VMMAP_ASSERTS}>:VMMAP_ASSERTS>)
target_include_directories(vmmap_flags INTERFACE ${PROJECT_SOURCE_DIR})

if(VMMAP_SANITIZE)
  target_compile_options(vmmap_flags INTERFACE
    -fsanitize=${VMMAP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(vmmap_flags INTERFACE -fsanitize=${VMMAP_SANITIZE})
endif()
if(VMMAP_COVERAGE)
  target_compile_options(vmmap_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(vmmap_flags INTERFACE --coverage)
endif()

set(VMMAP_PLAIN_BUILD ON)
if(VMMAP_SANITIZE OR VMMAP_COVERAGE)
  set(VMMAP_PLAIN_BUILD OFF)
endif()
