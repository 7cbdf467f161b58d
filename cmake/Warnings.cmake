# Warnings are errors with both compilers.
add_library(tidewaiter_warnings INTERFACE)
target_compile_options(tidewaiter_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  # g++ 12 finds an overlap in every optimised `string = "literal"` (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# Hardening for a process that holds the engine's socket: _FORTIFY_SOURCE only where there is optimisation.
add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-D_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(TIDEWAITER_SANITIZE)
  add_compile_options(-fsanitize=${TIDEWAITER_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TIDEWAITER_SANITIZE})
endif()

# libFuzzer follows coverage through the libraries; only the fuzz targets link its main.
if(TIDEWAITER_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=fuzzer-no-link,address,undefined)
endif()
