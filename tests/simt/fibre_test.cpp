#include "kernels/simt/fibre.h"

#include <gtest/gtest.h>

// Also built with COUNTERFOIL_SIMT_UCONTEXT, the fallback for processors without an assembly switch.
namespace counterfoil::simt {
namespace {

Context home;
Fibre* ping = nullptr;
Fibre* pong = nullptr;
int sum = 0;

void ping_main() {
  Fibre::started();
  double kept = 1.0;  // must survive the switches, in a register or on the stack
  for (int i = 0; i < 100; ++i) {
    kept += 1.0;
    sum += 1;
    switch_context(*ping, *pong);
  }
  sum += static_cast<int>(kept);
  switch_context(*ping, home);
}

void pong_main() {
  Fibre::started();
  for (;;) {
    sum += 10;
    switch_context(*pong, *ping);
  }
}

TEST(Fibre, SwitchesKeepStacksAndRegistersApart) {
  Fibre first(ping_main, 0), second(pong_main, 1);
  ping = &first;
  pong = &second;
  for (int round = 0; round < 2; ++round) {
    sum = 0;
    switch_context(home, first);
    EXPECT_EQ(sum, 100 * 11 + 101);
    first.restart();
    second.restart();
  }
}

TEST(Fibre, KnowsItsStack) {
  const Fibre fibre(ping_main, 0);
  const int here = 0;
  EXPECT_FALSE(fibre.owns(&here));
  EXPECT_TRUE(fibre.owns(fibre.stack_bottom));
  EXPECT_FALSE(fibre.owns(static_cast<const char*>(fibre.stack_bottom) + fibre.stack_size));
}

}  // namespace
}  // namespace counterfoil::simt
