// rm-journal: what rmctl does with journals' files, apart from it because of what that links.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "journal/check.hpp"
#include "journal/restore.hpp"

namespace librm::journal {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

void print(const Json& json) {
  std::puts(json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
}

int fail_with(const Error& error) {
  print({{"error", {{"code", to_string(error.code)}, {"message", error.message}}}});
  return exit_failed;
}

int run_check(const std::string& path) {
  const Result<Json> report = check(path);
  if (!report) return fail_with(report.error());
  print(*report);
  return report->at("ok").get<bool>() ? 0 : exit_failed;
}

/// BACKUP DIR EPOCH and words: `force`, `run`, `state=URL` in place of an empty DIR,
/// `cluster=NAME`.
int run_restore(int argc, char** argv) {
  constexpr std::string_view state = "state=";
  constexpr std::string_view cluster = "cluster=";
  RestoreRequest request;
  request.backup = argv[2];
  request.work_dir = argv[3];
  request.epoch = static_cast<std::uint32_t>(std::strtoul(argv[4], nullptr, 10));
  for (int i = 5; i < argc; ++i) {
    if (std::strcmp(argv[i], "force") == 0) request.force = true;
    if (std::strcmp(argv[i], "run") == 0) request.hold = false;
    const std::string_view word = argv[i];
    if (word.starts_with(state)) request.state = word.substr(state.size());
    if (word.starts_with(cluster)) request.cluster = word.substr(cluster.size());
  }
  const Result<Json> done = restore(request);
  if (!done) return fail_with(done.error());
  print(*done);
  return 0;
}

}  // namespace
}  // namespace librm::journal

int main(int argc, char** argv) {
  using namespace librm::journal;
  if (argc == 3 && std::strcmp(argv[1], "check") == 0) return run_check(argv[2]);
  if (argc >= 5 && std::strcmp(argv[1], "restore") == 0) return run_restore(argc, argv);
  std::fprintf(stderr, "rm-journal: started by rmctl; see 'rmctl help journal check'\n");
  return exit_usage;
}
