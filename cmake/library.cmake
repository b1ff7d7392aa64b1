# SPDX-License-Identifier: MIT
# libvmmap: the static archive is one object whose only globals are the public functions, so that none of our names
# meets a name of the program; the shared library has the same surface. Both from the same objects.
set(VMMAP_LINK urcu-memb urcu-common Threads::Threads)

# vmmap_library(modules...): vmmap_static, vmmap_shared (as vmmap::vmmap_static, vmmap::vmmap) and, for tests and for
# programs that stop at points, vmmap_points; vmmap_inside (plain, internal symbols visible), vmmap_base and vmmap_tool
# for programs (see programs.cmake).
function(vmmap_library)
  vmmap_module_objects(plain "" ${ARGN})
  vmmap_module_objects(points "_points" ${ARGN})
  if(NOT plain)
    return()
  endif()

  set(whole ${CMAKE_CURRENT_BINARY_DIR}/vmmap-whole.o)
  set(local ${CMAKE_CURRENT_BINARY_DIR}/vmmap-local.o)
  add_custom_command(OUTPUT ${local}
    COMMAND ${CMAKE_LINKER} -r -o ${whole} ${plain}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole} ${local}
    DEPENDS ${plain} COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Joining libvmmap into one object")
  set_source_files_properties(${local} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  add_library(vmmap_static STATIC ${local})
  set_target_properties(vmmap_static PROPERTIES OUTPUT_NAME vmmap LINKER_LANGUAGE C)
  target_link_libraries(vmmap_static INTERFACE ${VMMAP_LINK})

  add_library(vmmap_shared SHARED ${plain})
  set_target_properties(vmmap_shared PROPERTIES OUTPUT_NAME vmmap LINKER_LANGUAGE C
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME vmmap)
  target_link_libraries(vmmap_shared PRIVATE $<BUILD_INTERFACE:vmmap_flags> ${VMMAP_LINK})
  # Never unloaded: its worker thread, its thread-exit key and its fork handlers live as long as the process.
  target_link_options(vmmap_shared PRIVATE LINKER:-z,nodelete)

  foreach(library vmmap_static vmmap_shared)
    target_include_directories(${library} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  add_library(vmmap::vmmap ALIAS vmmap_shared)
  add_library(vmmap::vmmap_static ALIAS vmmap_static)

  add_library(vmmap_points STATIC EXCLUDE_FROM_ALL ${points})
  add_library(vmmap_inside STATIC EXCLUDE_FROM_ALL ${plain})
  foreach(library vmmap_points vmmap_inside)
    set_target_properties(${library} PROPERTIES LINKER_LANGUAGE C)
    target_link_libraries(${library} INTERFACE ${VMMAP_LINK})
  endforeach()
  foreach(name base tool)
    if(TARGET ${name})
      add_library(vmmap_${name} STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${name}>)
      set_target_properties(vmmap_${name} PROPERTIES LINKER_LANGUAGE C)
    endif()
  endforeach()
endfunction()
