#include "kernels/caching_allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/error.h"

namespace counterfoil {
namespace {

using testing::HasSubstr;

TEST(CachingAllocator, AsksTheSystemForNoMoreThanItsLimit) {
  std::size_t asked = 0;
  const auto allocate = [&](std::size_t bytes) {
    asked += bytes;
    return allocate_host_memory(bytes);
  };
  CachingAllocator allocator("small", allocate, release_host_memory, 4096);
  void* const kept = allocator.allocate(1024);
  allocator.release(allocator.allocate(2048), 2048);
  EXPECT_EQ(allocator.use().reserved, 3072U);
  EXPECT_THAT(
      [&] { allocator.allocate(4096); },
      testing::ThrowsMessage<Error>(HasSubstr("small: out of memory: 4096 bytes asked for, 1024 bytes in use")));
  EXPECT_EQ(asked, 3072U);
  EXPECT_EQ(allocator.use().reserved, 1024U);  // what was cached went back
  void* const more = allocator.allocate(2048);
  EXPECT_THROW(allocator.allocate(std::size_t{1} << 45), Error);
  EXPECT_EQ(asked, 5120U);
  allocator.release(more, 2048);
  allocator.release(kept, 1024);
}

TEST(CachingAllocator, TheMachineHasMemory) {
  EXPECT_GT(host_memory_size(), std::size_t{1} << 26);
  EXPECT_LT(host_memory_size(), std::size_t{1} << 50);
}

}  // namespace
}  // namespace counterfoil
