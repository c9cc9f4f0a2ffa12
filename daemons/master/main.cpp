// rm-master: reads its options, runs the master service and its HTTP edge until told to stop.
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/log.hpp"
#include "common/text.hpp"
#include "common/version.hpp"
#include "master/http_edge.hpp"
#include "master/master_service.hpp"
#include "master/options.hpp"

namespace librm::daemon {
namespace {

/// Whoever led, or tried to, knows nothing that is worth keeping: what it had is in the journal.
/// At once, without waiting for a database that may be out of reach.
void start_over(char** argv) {
  ::sleep(1);
  ::execv("/proc/self/exe", argv);
  std::perror("rm-master: cannot begin anew");
  std::_Exit(1);
}

int run(const MasterOptionsRead& options, char** argv) {
  asio::io_context io(1);
  int exit_code = 0;
  MasterService service(io, options.config, [&](int code) {
    if (code == begin_anew) start_over(argv);
    exit_code = code;
    io.stop();
  });

  // It binds before the service starts, because the service tells others its address.
  const auto http = MasterHttpEdge::start(io, service, options.config.listen, options.http_port);
  if (!http) {
    log(LogLevel::error, "cannot start", {{"error", http.error().message}});
    return 1;
  }
  const std::string http_address = advertised_address(options.config.listen, (*http)->port());

  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const asio::error_code& error, int number) {
    if (error) return;
    log(LogLevel::info, "stopping", {{"signal", std::to_string(number)}});
    (*http)->stop();
    service.stop();
  });

  const Result<void> started = service.start(http_address, [&] {
    std::printf("rm-master ready http=%s cluster=%s epoch=%u\n", service.http_address().c_str(),
                service.cluster_address().c_str(), service.core().master().epoch());
    std::fflush(stdout);
    log(LogLevel::info, "ready",
        {{"http", service.http_address()},
         {"cluster", service.cluster_address()},
         {"epoch", std::to_string(service.core().master().epoch())}});
  });
  if (!started) {
    log(LogLevel::error, "cannot start", {{"error", started.error().message}});
    // One of several waits for its database, which may be on its way back.
    if (started.error().code == ErrorCode::unavailable && !options.config.zk.empty()) {
      start_over(argv);
    }
    return 1;
  }

  if (!options.config.zk.empty() && !service.ready()) {
    std::printf("rm-master standby http=%s cluster=%s\n", service.http_address().c_str(),
                service.cluster_address().c_str());
    std::fflush(stdout);
  }

  io.run();
  return exit_code;
}

}  // namespace
}  // namespace librm::daemon

int main(int argc, char** argv) {
  using namespace librm::daemon;
  MasterOptionsRead options;
  if (const std::optional<int> code = read_options(argc, argv, options)) return *code;
  std::signal(SIGPIPE, SIG_IGN);
  start_log(options.log_level);
  return run(options, argv);
}
