# Installs the libraries and the package files that find_package(librm) and pkg-config read.
include(CMakePackageConfigHelpers)

set(librm_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/librm")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/librm/include/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.ipp" PATTERN "*.h")

# One export a component, so that a user of core is not asked for SQLite.
function(librm_install_component component)
  set(targets)
  foreach(target IN LISTS ARGN)
    if(TARGET ${target})
      list(APPEND targets ${target})
    endif()
  endforeach()
  if(NOT targets)
    return()
  endif()
  install(TARGETS ${targets} EXPORT librm-${component}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT librm-${component} NAMESPACE librm:: FILE librm-${component}.cmake
    DESTINATION ${librm_package_dir})
endfunction()

librm_install_component(core librm_core)
librm_install_component(header_only librm_header_only)
librm_install_component(wire librm_wire)
librm_install_component(c librm_c)
librm_install_component(runtime librm_runtime librm_asio)
librm_install_component(sim librm_sim)
librm_install_component(postgres librm_postgres)
librm_install_component(zookeeper librm_zookeeper)

configure_package_config_file("${PROJECT_SOURCE_DIR}/librm/cmake/librmConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/librmConfig.cmake" INSTALL_DESTINATION ${librm_package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/librmConfigVersion.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/librmConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/librmConfigVersion.cmake" DESTINATION ${librm_package_dir})

# pkg-config names what was built, dependents first.
set(librm_pc_libs)
set(librm_pc_requires)
foreach(component runtime c wire core)
  if(TARGET librm_${component})
    string(APPEND librm_pc_libs " -lrm_${component}")
  endif()
endforeach()
if(TARGET librm_runtime)
  set(librm_pc_requires sqlite3)
endif()
# Relative, so that an installed tree may be moved, or installed with another --prefix.
file(RELATIVE_PATH librm_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/librm/cmake/librm.pc.in"
  "${CMAKE_CURRENT_BINARY_DIR}/librm.pc" @ONLY)
configure_file("${PROJECT_SOURCE_DIR}/librm/cmake/librm-c.pc.in"
  "${CMAKE_CURRENT_BINARY_DIR}/librm-c.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/librm.pc" "${CMAKE_CURRENT_BINARY_DIR}/librm-c.pc"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
