# How the sources of kernels/cuda are compiled: by the host compiler against kernels/simt, and by nvcc where it is found.

option(COUNTERFOIL_DEBUG_KERNELS "Kernels for the device simt unoptimised, for stepping through them" OFF)

# counterfoil_simt_sources(TARGET [RACE_CHECK] FILES.cu...)
#
# Adds the files to TARGET, compiled by the host compiler, and links the execution layer. With RACE_CHECK every memory
# access is reported to the race check, which makes kernels 3 to 30 times slower; an executable or shared library has
# either all of its kernels so or none, because inline functions are shared between them.
function(counterfoil_simt_sources target)
  cmake_parse_arguments(ARG "RACE_CHECK" "" "" ${ARGN})
  foreach(file IN LISTS ARG_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH file NORMALIZE)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE relative)
    set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/${target}.simt/${relative}.cpp)
    # A wrapper rather than `-x c++`, so that the same file can be a CUDA source of another target.
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${relative}\"\n" @ONLY)
    target_sources(${target} PRIVATE ${wrapper})
    # Reports name source lines; binutils 2.40 takes the wrapper's name for the file's in version 5. Unrolling pragmas are nvcc's; signedness of CUDA's indices is clang's complaint alone.
    set(options $<$<NOT:$<CONFIG:Debug>>:-g1> -gdwarf-4 -Wno-unknown-pragmas $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>)
    if(COUNTERFOIL_DEBUG_KERNELS)
      list(APPEND options -O0 -g)
    endif()
    if(ARG_RACE_CHECK)
      # Kept whole, a float4 is one access of 16 bytes, as it is on the device.
      list(APPEND options -O1 -fsanitize=thread $<$<CXX_COMPILER_ID:GNU>:-fno-tree-sra>)
    endif()
    set_property(SOURCE ${wrapper} APPEND PROPERTY COMPILE_OPTIONS ${options})
  endforeach()
  target_link_libraries(${target} PRIVATE counterfoil_simt)
  if(ARG_RACE_CHECK)
    target_link_libraries(${target} PRIVATE counterfoil_simt_race)
  endif()
endfunction()

find_program(COUNTERFOIL_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda/bin)
# -DFMT_USE_CONSTEXPR=1: fmt 9 switches constexpr off under nvcc, although its consteval format checks need it.
set(COUNTERFOIL_NVCC_FLAGS -std=c++20 -DFMT_USE_CONSTEXPR=1)
