# SPDX-License-Identifier: MIT
# How a test program comes to be. All are built with test points and asserts, land in test-bin/, and belong to the
# target vmmap_tests.
find_library(VMMAP_CMOCKA_LIBRARY cmocka REQUIRED)
add_custom_target(vmmap_tests)
set(VMMAP_ALL_MODULES base locks policy phys pt vma space face)

# A report of a sanitizer ends the test at once. The random seed of a run is printed by the tests themselves.
set(VMMAP_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:history_size=4")

# vmmap_test_program(name SOURCES a.c ... [MODULES base locks ...] [LIBS lib ...] [FLAVOUR points | count])
#   MODULES  the modules of the house that are linked; default: all of them
function(vmmap_test_program name)
  cmake_parse_arguments(ARG "" "FLAVOUR" "SOURCES;MODULES;LIBS" ${ARGN})
  if(NOT ARG_MODULES)
    set(ARG_MODULES ${VMMAP_ALL_MODULES})
  endif()
  set(flavour _points)
  if(ARG_FLAVOUR)
    set(flavour _${ARG_FLAVOUR})
  endif()
  vmmap_module_objects(objects ${flavour} ${ARG_MODULES})
  add_executable(${name} ${ARG_SOURCES} ${objects})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test-bin)
  vmmap_flavoured(${name} ${flavour})
  set(tool "")
  if(TARGET vmmap_tool)
    set(tool vmmap_tool)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} ${tool} ${VMMAP_CMOCKA_LIBRARY}
    ${VMMAP_LINK} m $<$<BOOL:${VMMAP_CJSON_LIBRARY}>:${VMMAP_CJSON_LIBRARY}>)
  add_dependencies(vmmap_tests ${name})
endfunction()

# vmmap_test_common(name sources...): what several programs of a directory share, compiled once, with test points:
# $<TARGET_OBJECTS:name> goes among their SOURCES.
function(vmmap_test_common name)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${ARGN})
  vmmap_flavoured(${name} _points)
endfunction()

# What takes long begins first, so that no stage of scripts/test ends with one test alone. In seconds, roughly.
set(VMMAP_LONG_TESTS models.spin 120 space.test_nomem 70 policy.test_busted 50 models.relacy 50 model.test_model 40
  mutation.models.orders 30 programs.conflicts.budget 30 fairness.test_fair_calls 30 space.test_limit 30
  conflicts.test_exec 25 conflicts.test_report 20 space.test_until_torture 16 conflicts.test_suite 15
  manycore.budget 13 explore.engine 10 policy.test_conformance 9 tidy.implicit_orders 8 oracle.kernel 8
  programs.isolation 7 space.test_until 7)

# vmmap_add_test(test-name LABELS l ... COMMAND c ... [TIMEOUT s]): the first label is the kind.
# scripts/test runs four tests at a time, since most of them wait. One that uses two CPUs for long gets the label
# `torture`, and three of the four places: beside it there is one other.
function(vmmap_add_test test)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 900)
  endif()
  add_test(NAME ${test} COMMAND ${ARG_COMMAND})
  set(environment ${VMMAP_TEST_ENVIRONMENT})
  if(test MATCHES "oracle")
    # ASan's fake stacks are mapped as they are needed: in the child whose map is compared with the engine's.
    list(TRANSFORM environment REPLACE "detect_stack_use_after_return=1" "detect_stack_use_after_return=0")
  endif()
  set_tests_properties(${test} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${environment}")
  if("torture" IN_LIST ARG_LABELS)
    set_tests_properties(${test} PROPERTIES PROCESSORS 3)
  endif()
  string(REGEX REPLACE "^(oracle.kernel).*" "\\1" known ${test})
  list(FIND VMMAP_LONG_TESTS ${known} at)
  if(NOT at EQUAL -1)
    math(EXPR at "${at} + 1")
    list(GET VMMAP_LONG_TESTS ${at} cost)
    set_tests_properties(${test} PROPERTIES COST ${cost})
  endif()
endfunction()

# vmmap_test(name SOURCES ... LABELS kind ... [MODULES ...] [LIBS ...] [FLAVOUR ...] [ARGS ...] [TIMEOUT s])
# A program and one ctest named <first label>.<name>. The label `long` keeps it out of scripts/test.
function(vmmap_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;FLAVOUR" "SOURCES;MODULES;LIBS;LABELS;ARGS" ${ARGN})
  vmmap_test_program(${name} SOURCES ${ARG_SOURCES} MODULES ${ARG_MODULES} LIBS ${ARG_LIBS} FLAVOUR ${ARG_FLAVOUR})
  list(GET ARG_LABELS 0 kind)
  vmmap_add_test(${kind}.${name} LABELS ${ARG_LABELS} COMMAND ${name} ${ARG_ARGS} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# vmmap_mutants(program mutant ...): for each mutant a ctest mutation.<program>.<mutant>: the program, run with
# VMMAP_MUTANT=<mutant> in its environment, must fail (or hang); exit 99 = it does not know the mutant = our failure.
function(vmmap_mutants program)
  foreach(mutant ${ARGN})
    vmmap_add_test(mutation.${program}.${mutant} LABELS mutation TIMEOUT 120 COMMAND
      ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/kill_mutant.py ${mutant} $<TARGET_FILE:${program}>)
  endforeach()
endfunction()

# vmmap_mutants_of(program source): the mutants that the source's opening comment names, one " * mutant: name" a line.
function(vmmap_mutants_of program source)
  file(STRINGS ${source} lines REGEX "^ \\* mutant: +[a-z0-9_]+")
  foreach(line ${lines})
    string(REGEX REPLACE "^ \\* mutant: +([a-z0-9_]+).*" "\\1" mutant ${line})
    vmmap_mutants(${program} ${mutant})
  endforeach()
endfunction()
