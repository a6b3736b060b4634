#include "app/command_line.h"

int main(int argc, char** argv) {
  return counterfoil::app::run_program(argc, argv);
}
