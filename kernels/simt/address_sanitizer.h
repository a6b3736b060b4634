#pragma once

// AddressSanitizer's interface where the build has it, and nothing where it has not.

#if defined(__SANITIZE_ADDRESS__)
#define COUNTERFOIL_SIMT_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTERFOIL_SIMT_ASAN
#endif
#endif

#if defined(COUNTERFOIL_SIMT_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#endif
