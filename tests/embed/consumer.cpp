// The least that a user of librm writes: include the core, return a Result, look at it.
#include <cstdio>

#include "librm/librm.hpp"

librm::Result<int> half(int value) {
  if (value % 2 != 0) {
    return tl::unexpected(librm::Error{librm::ErrorCode::invalid_argument, "value: odd"});
  }
  return value / 2;
}

int main() {
  const auto good = half(4);
  const auto bad = half(3);
  if (!good || *good != 2 || bad) return 1;
  std::printf("half of 4 is %d; half of 3: %s\n", *good, bad.error().message.c_str());
  return 0;
}
