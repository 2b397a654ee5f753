# Compiler flags, dependencies, and the functions every folder uses:
#   plumb_library(name [TORCH] [DEPS ...])   every .cpp of the folder, as a static library
#   plumb_test(name [TORCH] [DEPS ...])      every .cpp of the folder, as one GoogleTest program
#   plumb_simt_test(name KERNELS ...)        every .cpp of the folder and these .cu files, as one
#                                            program whose tests run kernels on the CPU
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

# -fPIC everywhere, also in programs: one precompiled header then serves them all.
# -Wno-restrict: g++ 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651).
add_compile_options(-fPIC -Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # clang, which builds the fuzz entries, warns of other things
  add_compile_options(-Werror -Wno-restrict -fpch-preprocess)
endif()
if(PLUMB_NATIVE)
  add_compile_options(-march=native)
endif()
if(PLUMB_SANITIZE)
  add_compile_options(-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(PLUMB_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PLUMB_FUZZ needs clang's libFuzzer: -DCMAKE_CXX_COMPILER=clang++, or "
                        "cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow
                      -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
include_directories(${CMAKE_SOURCE_DIR})

find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 OLD)  # Debian's Boost 1.74 has FindBoost only
endif()
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-uc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

if(PLUMB_JOBS)
  if(NOT EXISTS "${PLUMB_TORCH}/lib/libtorch_cpu.so")
    message(FATAL_ERROR "PLUMB_TORCH='${PLUMB_TORCH}' holds no lib/libtorch_cpu.so: run "
                        "./bootstrap.sh build, or give -DPLUMB_TORCH=/path/to/libtorch")
  endif()
  # Only torch_cpu and c10: the CUDA half of the wheel is opened when a job asks for it.
  add_library(plumb_torch INTERFACE)
  target_include_directories(plumb_torch SYSTEM INTERFACE
    ${PLUMB_TORCH}/include ${PLUMB_TORCH}/include/torch/csrc/api/include)
  target_link_libraries(plumb_torch INTERFACE
    ${PLUMB_TORCH}/lib/libtorch_cpu.so ${PLUMB_TORCH}/lib/libc10.so
    -Wl,--allow-shlib-undefined -Wl,-rpath,${PLUMB_TORCH}/lib)
  # at::parallel_for is sequential in files compiled without OpenMP. LibTorch's libgomp has the same
  # soname, so there is one pool of threads.
  target_compile_options(plumb_torch INTERFACE -fopenmp)
  target_link_options(plumb_torch INTERFACE -fopenmp)
  # The one precompiled header (ATen and custom autograd functions); 36 s once, 10 s less a file.
  add_library(plumb_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
  target_link_libraries(plumb_pch PUBLIC plumb_torch)
  target_precompile_headers(plumb_pch PRIVATE <ATen/ATen.h> <torch/csrc/autograd/custom_function.h>)
endif()

function(plumb_target_setup name torch)
  if(torch)
    target_link_libraries(${name} PUBLIC plumb_torch)
    target_precompile_headers(${name} REUSE_FROM plumb_pch)
  endif()
endfunction()

function(plumb_library name)
  cmake_parse_arguments(A "TORCH" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${A_DEPS})
    plumb_target_setup(${name} ${A_TORCH})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${A_DEPS})
  endif()
endfunction()

function(plumb_test name)
  cmake_parse_arguments(A "TORCH" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE ${A_DEPS} GTest::gmock GTest::gtest_main)
    plumb_target_setup(${name} ${A_TORCH})
    add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# Kernel files for the CPU. -fsanitize=thread makes the compiler call the harness's hooks before each
# memory access (its library is not linked); without SRA a float4 stays one access, and -O1 keeps
# calls near their lines. CUDA contracts a * b + c, so the host does.
function(plumb_simt_kernels name)
  add_library(${name} STATIC ${ARGN})
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX)
  target_compile_options(${name} PRIVATE
    -x c++ -include ${CMAKE_SOURCE_DIR}/tests/simt/cuda_language.h
    -O1 -g1 -ffp-contract=fast -fno-tree-sra -Wno-unknown-pragmas
    -fsanitize=thread --param=tsan-instrument-func-entry-exit=0)
  target_link_libraries(${name} PUBLIC plumb_simt)
endfunction()

function(plumb_simt_test name)
  cmake_parse_arguments(A "" "" "KERNELS;DEPS" ${ARGN})
  plumb_simt_kernels(${name}_kernels ${A_KERNELS})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${name}_kernels ${A_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} DISCOVERY_MODE PRE_TEST
                       PROPERTIES LABELS simt)
endfunction()
