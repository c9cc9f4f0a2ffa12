# The few functions by which every folder of this tree declares its targets.
#
# A folder globs its sources (with CONFIGURE_DEPENDS, so a new file needs no edit here) and a target
# exists only if it has sources; links to targets that do not exist are dropped. So an embedder
# without, say, hwloc gets everything but hwtopo.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CheckCXXCompilerFlag)

# In the top-level build of everything a missing package is an error, elsewhere it costs one room.
if(LIBRM_BUILD_DAEMONS OR LIBRM_BUILD_TESTS)
  set(librm_every_room ON)
else()
  set(librm_every_room OFF)
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
  set(CMAKE_CXX_FLAGS_RELEASE "-O2")
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")
  # Frame pointers cost next to nothing and make every profile and crash readable.
  add_compile_options(-fno-omit-frame-pointer)

  # ccache refuses precompiled headers unless it is told that their macros may be trusted.
  find_program(LIBRM_CCACHE ccache)
  if(LIBRM_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
      /usr/bin/env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      "${LIBRM_CCACHE}")
  endif()

  find_program(LIBRM_MOLD mold)
  find_program(LIBRM_LLD ld.lld)
  if(LIBRM_MOLD)
    add_link_options(-fuse-ld=mold)
  elseif(LIBRM_LLD)
    add_link_options(-fuse-ld=lld)
  endif()

  if(LIBRM_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -g1)
    add_link_options(-fsanitize=address,undefined)
    add_compile_definitions(_GLIBCXX_ASSERTIONS)
  endif()
endif()

# Every target of ours: C++20 and warnings.
function(librm_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
    -Woverloaded-virtual -Wformat=2 -Wvla -Wextra-semi
    $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wsuggest-override>
    # g++ 12 reports these in its own std::string, std::optional and std::variant at -O2.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds>
    $<$<BOOL:${LIBRM_WERROR}>:-Werror>)
endfunction()

# librm_existing_targets(<out> <target>...): those that exist; plain library names pass unchanged.
function(librm_existing_targets out)
  set(found)
  foreach(item IN LISTS ARGN)
    if(TARGET ${item} OR NOT item MATCHES "::")
      list(APPEND found ${item})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# librm_library(<target> ALIAS <room::name> [OUTPUT <name>] [INCLUDE <dir>...] SOURCES <file>...
#               [LINK <target>...])
# A static library, if SOURCES is not empty.
function(librm_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ALIAS;OUTPUT" "INCLUDE;SOURCES;LINK")
  if(NOT arg_SOURCES)
    return()
  endif()
  add_library(${target} STATIC ${arg_SOURCES})
  librm_compile_settings(${target})
  # Archives may end up in a shared object, such as a Python module.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(arg_ALIAS)
    add_library(${arg_ALIAS} ALIAS ${target})
    string(REGEX REPLACE ".*::" "" export_name ${arg_ALIAS})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${export_name})
  endif()
  if(arg_OUTPUT)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT})
  endif()
  foreach(dir IN LISTS arg_INCLUDE)
    target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${dir}>")
  endforeach()
  librm_existing_targets(links ${arg_LINK})
  target_link_libraries(${target} PUBLIC ${links})
endfunction()

# librm_executable(<target> SOURCES <file>... [LINK <target>...]): in build/bin, if it has sources.
function(librm_executable target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${target} ${arg_SOURCES})
  librm_compile_settings(${target})
  librm_existing_targets(links ${arg_LINK})
  target_link_libraries(${target} PRIVATE ${links})
endfunction()

# librm_program(<target> PARTS <library> DIRECTORY <dir> [LINK <target>...])
# <dir>/main.cpp becomes the program, the other sources a library, so that tests can link them.
function(librm_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PARTS;DIRECTORY" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS "${arg_DIRECTORY}/*.cpp")
  file(GLOB main CONFIGURE_DEPENDS "${arg_DIRECTORY}/main.cpp")
  list(REMOVE_ITEM sources ${main} "")
  librm_library(${arg_PARTS} ALIAS programs::${arg_PARTS} SOURCES ${sources} LINK ${arg_LINK})
  librm_executable(${target} SOURCES ${main} LINK programs::${arg_PARTS} ${arg_LINK})
  foreach(part ${target} ${arg_PARTS})
    if(TARGET ${part})
      target_compile_definitions(${part} PRIVATE RM_VERSION="${PROJECT_VERSION}")
    endif()
  endforeach()
  if(TARGET ${target})
    install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# librm_missing(<what> <package>): an error in the build of everything, else a line of output.
function(librm_missing what package)
  if(librm_every_room)
    message(FATAL_ERROR "${what} needs ${package}; tests/install-packages.sh installs it")
  endif()
  message(STATUS "librm: without ${what} (${package} not found)")
endfunction()
