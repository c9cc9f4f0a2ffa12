// Reads the kernel's clocks.
#include "librm/runtime/clock.hpp"

#include <ctime>

#include "librm/base/check.hpp"

namespace librm {
namespace {

std::int64_t read(clockid_t clock) {
  timespec value{};
  LIBRM_CHECK(clock_gettime(clock, &value) == 0, "every Linux since 2.6.39 has both clocks");
  return static_cast<std::int64_t>(value.tv_sec) * 1'000'000'000 + value.tv_nsec;
}

}  // namespace

Now read_clocks() { return {Instant{read(CLOCK_BOOTTIME)}, WallTime{read(CLOCK_REALTIME)}}; }

}  // namespace librm
