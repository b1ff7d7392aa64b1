# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: both libraries, include/vmmap/*.h, vmmap.pc, lib/cmake/vmmap.
include(CMakePackageConfigHelpers)

function(vmmap_install)
  if(NOT TARGET vmmap_static)
    return()
  endif()
  set(package ${CMAKE_INSTALL_LIBDIR}/cmake/vmmap)
  install(TARGETS vmmap_static vmmap_shared EXPORT vmmapTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/vmmap/*.h)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vmmap)

  install(EXPORT vmmapTargets NAMESPACE vmmap:: DESTINATION ${package})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/vmmapConfig.cmake.in
    ${PROJECT_BINARY_DIR}/vmmapConfig.cmake INSTALL_DESTINATION ${package})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/vmmapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/vmmapConfig.cmake ${PROJECT_BINARY_DIR}/vmmapConfigVersion.cmake
    DESTINATION ${package})

  # From lib/<triplet>/pkgconfig back to the prefix: the tree may be moved.
  file(RELATIVE_PATH VMMAP_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/vmmap.pc.in ${PROJECT_BINARY_DIR}/vmmap.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/vmmap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
