# SPDX-License-Identifier: MIT
# One module = one directory of the house = one object library per flavour. Only what is used gets compiled.
#   (plain)   what the library ships
#   _points   test points, mutants and asserts: tests, and programs that stop inside the engine
#   _count    reports each atomic write (base/count.h): the test that counts the lines an operation writes
set(VMMAP_FLAVOURS ";_points;_count")
set(VMMAP_DEFINES_points VMMAP_POINTS VMMAP_ASSERTS)
set(VMMAP_DEFINES_count VMMAP_COUNT_WRITES)
set(VMMAP_DEFINES_sim VMMAP_TOLD)                        # this and the next: simulated.cmake
set(VMMAP_DEFINES_simpoints VMMAP_POINTS VMMAP_ASSERTS)

# vmmap_flavoured(target flavour): compiles `target` as that flavour.
function(vmmap_flavoured target flavour)
  target_link_libraries(${target} PRIVATE vmmap_flags)
  target_compile_definitions(${target} PRIVATE ${VMMAP_DEFINES${flavour}})
endfunction()

# vmmap_module(name dir): makes `name`, `name_points`, ... from dir/*.c. Nothing while the directory is empty.
function(vmmap_module name dir)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/*.c)
  if(NOT sources)
    return()
  endif()
  foreach(flavour IN LISTS VMMAP_FLAVOURS)
    add_library(${name}${flavour} OBJECT EXCLUDE_FROM_ALL ${sources})
    vmmap_flavoured(${name}${flavour} "${flavour}")
  endforeach()
endfunction()

# vmmap_module_objects(out flavour modules...): the objects of those modules that exist.
function(vmmap_module_objects out flavour)
  set(objects "")
  foreach(module ${ARGN})
    if(TARGET ${module}${flavour})
      list(APPEND objects $<TARGET_OBJECTS:${module}${flavour}>)
    endif()
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()
