// Runs an Asio loop in a test until something is true, or a generous deadline has passed.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>

namespace librm::test {

/// True where `condition` came true in time.
template <class Condition>
bool run_until(asio::io_context& io, Condition condition,
               std::chrono::seconds timeout = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!condition() && std::chrono::steady_clock::now() < end) {
    io.restart();
    io.run_one_for(std::chrono::milliseconds(50));
  }
  return condition();
}

/// Everything that is ready now, and what follows from it.
inline void run_ready(asio::io_context& io) {
  for (int quiet = 0; quiet < 3;) {
    io.restart();
    quiet = io.run_one_for(std::chrono::milliseconds(5)) == 0 ? quiet + 1 : 0;
  }
}

}  // namespace librm::test
