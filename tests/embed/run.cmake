# Configures, builds and runs the user's project from nothing, in the way that WAY names.
file(REMOVE_RECURSE "${WORK_DIR}")

set(sources "${CMAKE_CURRENT_LIST_DIR}/consumer.cpp")
foreach(example IN LISTS EXAMPLES)
  list(APPEND sources "${LIBRM_SOURCE_DIR}/librm/examples/${example}.cpp")
endforeach()
foreach(example IN LISTS C_EXAMPLES)
  list(APPEND sources "${LIBRM_SOURCE_DIR}/librm/examples/${example}.c")
endforeach()

# Archives that were built with sanitizers need their runtime.
set(flags)
if(SANITIZE)
  set(flags -fsanitize=address,undefined)
endif()

# pkg-config is asked as by a user: through its search path.
set(ENV{PKG_CONFIG_PATH} "${PREFIX}/${LIBDIR}/pkgconfig")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/project" -B "${WORK_DIR}"
  -G "${GENERATOR}" "-DWAY=${WAY}" "-DSOURCES=${sources}" "-DLIBRM_SOURCE_DIR=${LIBRM_SOURCE_DIR}"
  "-DCMAKE_PREFIX_PATH=${PREFIX}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_C_COMPILER=${CC}" "-DCMAKE_C_FLAGS=${flags}"
  "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_CXX_FLAGS=${flags}"
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${WORK_DIR}" COMMAND_ERROR_IS_FATAL ANY)
