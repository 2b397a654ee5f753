# Finds what libplumb_cuda.so is built with: nvcc, the toolkit's headers, cudart and NCCL's header, in
# an installed toolkit or in the wheels that ./bootstrap.sh build --cuda puts beside LibTorch's.
#   PLUMB_CUDA=AUTO builds it where all is there; ON insists; OFF leaves it out.
#   plumb_cuda_objects(variable FILE.cu ...)   compiles kernel files and lists their objects
set(PLUMB_CUDA AUTO CACHE STRING "Build libplumb_cuda.so: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE PLUMB_CUDA PROPERTY STRINGS AUTO ON OFF)

# A100 and H100 in their own code; newer devices compile the PTX of H100.
set(PLUMB_CUDA_CODE -gencode arch=compute_80,code=sm_80
                    -gencode "arch=compute_90,code=[sm_90,compute_90]")

set(PLUMB_CUDA_COMPILER "")
if(PLUMB_JOBS AND NOT PLUMB_SANITIZE AND NOT PLUMB_FUZZ AND NOT PLUMB_CUDA STREQUAL "OFF")
  cmake_path(GET PLUMB_TORCH PARENT_PATH wheels)
  set(wheels ${wheels}/nvidia)
  find_program(PLUMB_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin ${wheels}/cu13/bin)
  if(PLUMB_NVCC)
    file(REAL_PATH ${PLUMB_NVCC} real_nvcc)
    cmake_path(GET real_nvcc PARENT_PATH toolkit)
    cmake_path(GET toolkit PARENT_PATH toolkit)
    find_path(PLUMB_CUDA_INCLUDE cusparse.h HINTS ${toolkit}/include ${wheels}/cu13/include)
    find_file(PLUMB_CUDART libcudart.so.13 HINTS ${wheels}/cu13/lib ${toolkit}/lib64 ${toolkit}/lib)
    find_path(PLUMB_NCCL_INCLUDE nccl.h HINTS ${wheels}/nccl/include ${toolkit}/include NO_CACHE)
    # c10d's structs hold NCCL's, which grow: the header must be of the NCCL that LibTorch was built with.
    if(PLUMB_NCCL_INCLUDE)
      file(STRINGS ${PLUMB_NCCL_INCLUDE}/nccl.h nccl_minor REGEX "^#define NCCL_MINOR ")
      if(NOT nccl_minor STREQUAL "#define NCCL_MINOR 29")
        message(STATUS "${PLUMB_NCCL_INCLUDE}/nccl.h is not NCCL 2.29, which LibTorch 2.13 has")
        set(PLUMB_NCCL_INCLUDE "")
      endif()
    endif()
  endif()
  set(missing "")
  foreach(part PLUMB_NVCC PLUMB_CUDA_INCLUDE PLUMB_CUDART)
    if(NOT ${part})
      list(APPEND missing ${part})
    endif()
  endforeach()
  if(NOT EXISTS ${PLUMB_TORCH}/lib/libtorch_cuda.so)
    list(APPEND missing ${PLUMB_TORCH}/lib/libtorch_cuda.so)
  endif()
  if(NOT missing)
    set(PLUMB_CUDA_COMPILER ${PLUMB_NVCC})
  elseif(PLUMB_CUDA STREQUAL "ON")
    message(FATAL_ERROR "PLUMB_CUDA=ON, and these were not found: ${missing}. Install the CUDA "
                        "toolkit 13.0, or run ./bootstrap.sh build --cuda")
  else()
    message(STATUS "no libplumb_cuda.so in this build, for want of: ${missing}")
  endif()
endif()

# One call of nvcc a file, for all architectures; headers are followed. What ptxas says of registers
# and spills is left in FILE.ptxas.txt beside the object.
function(plumb_cuda_objects variable)
  set(objects "")
  foreach(source ${ARGN})
    cmake_path(GET source STEM name)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.cu.o)
    add_custom_command(
      OUTPUT ${object}
      BYPRODUCTS ${CMAKE_CURRENT_BINARY_DIR}/${name}.ptxas.txt
      COMMAND ${CMAKE_SOURCE_DIR}/cmake/nvcc_report.sh ${CMAKE_CURRENT_BINARY_DIR}/${name}.ptxas.txt
              ${CMAKE_CXX_COMPILER_LAUNCHER} ${PLUMB_CUDA_COMPILER} -std=c++20 -O3 ${PLUMB_CUDA_CODE}
              -Xptxas -v -Werror all-warnings -Xcompiler=-fPIC,-Wall,-Wextra,-Werror
              -I${CMAKE_SOURCE_DIR} -MD -MT ${object} -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "nvcc ${name}.cu"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  set(${variable} ${objects} PARENT_SCOPE)
endfunction()
