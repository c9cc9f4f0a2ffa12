// rm-journal: what rmctl does with journals' files, apart from it because of what that links.
#include <cstdio>
#include <cstring>
#include <string>

#include "journal/check.hpp"

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

}  // namespace
}  // namespace librm::journal

int main(int argc, char** argv) {
  using namespace librm::journal;
  if (argc == 3 && std::strcmp(argv[1], "check") == 0) return run_check(argv[2]);
  std::fprintf(stderr, "rm-journal: started by rmctl; see 'rmctl help journal check'\n");
  return exit_usage;
}
