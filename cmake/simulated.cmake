# SPDX-License-Identifier: MIT
# The engine on logical cores (bench/sim): its unchanged sources, compiled with -fsanitize=thread, and no runtime of the
# compiler's. Flavours _sim, and _simpoints with test points, mutants and asserts. Under a sanitizer or coverage these
# targets do not exist: the instrumentation would be the wrong one.
set(VMMAP_SIMULATED_CALLS syscall sched_yield nanosleep clock_gettime sysconf
  pthread_create pthread_key_create pthread_setspecific pthread_atfork           # bench/sim/kernel.c
  mem_alloc mem_free mem_reserve mem_unreserve thread_local_make                 # bench/sim/heap.c
  mmap munmap)                                                                   # bench/sim/undo.c
if(VMMAP_PLAIN_BUILD)
  find_library(VMMAP_DW_LIBRARY dw REQUIRED)             # elfutils: what the compiler wrote down about types and code
  find_library(VMMAP_ELF_LIBRARY elf REQUIRED)
endif()

# A module's sources as the simulator sees them. What belongs to the test harness (points, their scripts) is no part of
# the engine: it is compiled plain.
function(vmmap_simulated_module name dir)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/*.c)
  set(harness ${sources})
  list(FILTER harness INCLUDE REGEX "/base/(point|point_none|site|count|assert)\\.c$")
  list(FILTER sources EXCLUDE REGEX "/base/(point|point_none|site|count|assert)\\.c$")
  foreach(flavour _sim _simpoints)
    add_library(${name}${flavour} OBJECT EXCLUDE_FROM_ALL ${sources})
    vmmap_flavoured(${name}${flavour} ${flavour})
    vmmap_instrumented(${name}${flavour})
    target_compile_options(${name}${flavour} PRIVATE -include ${PROJECT_SOURCE_DIR}/bench/sim/readers.h)
    if(harness)
      add_library(${name}${flavour}_harness OBJECT EXCLUDE_FROM_ALL ${harness})
      vmmap_flavoured(${name}${flavour}_harness ${flavour})
    endif()
  endforeach()
endfunction()

function(vmmap_instrumented target)
  target_compile_options(${target} PRIVATE -fsanitize=thread -O2)
  if("${target}" MATCHES "_sim$")             # the same accesses, whatever the preset says
    target_compile_options(${target} PRIVATE -UVMMAP_ASSERTS)
  endif()
  if("${target}" MATCHES "_simpoints$" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")    # each access has a place of its own
    target_compile_options(${target} PRIVATE -fno-crossjumping -fno-tree-tail-merge)
  endif()
  target_compile_definitions(${target} PRIVATE
    memset=access_memset memcpy=access_memcpy memmove=access_memmove)
endfunction()

# vmmap_simulated(name SOURCES ... [POINTS] [TOLD objects] [LIBS ...]): a program on logical cores; cf. vmmap_program.
#   TOLD  its own definitions of what instrumented code calls (bench/sim/access_calls.h), in place of simtold
# vmmap_simulated_link(target flavour [objects]): the same for a target that is there already, a test.
function(vmmap_simulated_link target flavour)
  set(told simtold${flavour})
  if(ARGN)
    set(told ${ARGN})
  endif()
  set(objects $<TARGET_OBJECTS:${told}>)
  foreach(module base locks policy phys pt vma space face simgrace)
    foreach(part ${module}${flavour} ${module}${flavour}_harness)
      if(TARGET ${part})
        list(APPEND objects $<TARGET_OBJECTS:${part}>)
      endif()
    endforeach()
  endforeach()
  target_sources(${target} PRIVATE ${objects} $<TARGET_OBJECTS:sim${flavour}>)
  target_link_libraries(${target} PRIVATE ${VMMAP_DW_LIBRARY} ${VMMAP_ELF_LIBRARY})
  list(TRANSFORM VMMAP_SIMULATED_CALLS PREPEND "LINKER:--wrap=" OUTPUT_VARIABLE wraps)
  target_link_options(${target} PRIVATE ${wraps})
  target_link_libraries(${target} PRIVATE Threads::Threads m)
endfunction()

function(vmmap_simulated name)
  cmake_parse_arguments(ARG "POINTS" "TOLD" "SOURCES;LIBS" ${ARGN})
  set(flavour _sim)
  if(ARG_POINTS)
    set(flavour _simpoints)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  vmmap_flavoured(${name} ${flavour})
  vmmap_simulated_link(${name} ${flavour} ${ARG_TOLD})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} vmmap_tool ${VMMAP_CJSON_LIBRARY})
  add_dependencies(vmmap_programs ${name})
endfunction()
