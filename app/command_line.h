#pragma once

namespace counterfoil::app {

/// The program. Exit status: 0 done; 1 a self test failed; 2 something given to it is wrong (one line on stderr); 3
/// training diverged; 128 + signal: training was stopped by it and can be resumed.
int run_program(int argc, const char* const* argv);

}  // namespace counterfoil::app
