// rm-agent: reads its options, runs the agent service and its HTTP edge until told to stop.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "agent/agent_service.hpp"
#include "agent/http_edge.hpp"
#include "agent/options.hpp"
#include "common/log.hpp"
#include "common/text.hpp"

namespace librm::daemon {
namespace {

int run(const AgentOptionsRead& options) {
  asio::io_context io(1);
  int exit_code = 0;
  AgentService service(io, options.config, [&](int code) {
    exit_code = code;
    io.stop();
  });

  // It binds before the service starts, because the service tells the master its address.
  const auto http = AgentHttpEdge::start(io, service, options.listen, options.http_port,
                                         options.config.agent.work_dir);
  if (!http) {
    log(LogLevel::error, "cannot start", {{"error", http.error().message}});
    return 1;
  }
  const std::string http_address = advertised_address(options.listen, (*http)->port());

  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const asio::error_code& error, int number) {
    if (error) return;
    log(LogLevel::info, "stopping", {{"signal", std::to_string(number)}});
    (*http)->stop();
    service.stop();
  });

  const Result<void> started = service.start(http_address);
  if (!started) {
    log(LogLevel::error, "cannot start", {{"error", started.error().message}});
    return 1;
  }
  std::printf("rm-agent ready http=%s\n", service.http_address().c_str());
  std::fflush(stdout);
  io.run();
  return exit_code;
}

}  // namespace
}  // namespace librm::daemon

int main(int argc, char** argv) {
  using namespace librm::daemon;
  AgentOptionsRead options;
  if (const std::optional<int> code = read_options(argc, argv, options)) return *code;
  std::signal(SIGPIPE, SIG_IGN);
  start_log(options.log_level);
  if (const librm::Result<void> found = detect_host(options); !found) {
    log(LogLevel::error, "cannot start", {{"error", found.error().message}});
    return 1;
  }
  return run(options);
}
