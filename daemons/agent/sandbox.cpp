// Making the directories of runs.
#include "agent/sandbox.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "common/files.hpp"

namespace librm::daemon {
namespace {

Result<void> give_to(const std::string& path, const std::string& user) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16u << 10);
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return fail(ErrorCode::not_found, "user " + user + ": unknown here");
  if (found->pw_uid == ::geteuid()) return {};
  if (::chown(path.c_str(), found->pw_uid, found->pw_gid) == 0) return {};
  return fail(ErrorCode::permission_denied, path + ": " + std::strerror(errno));
}

}  // namespace

Result<void> SandboxMaker::make(const TaskStart& start) {
  const std::string parent = start.sandbox.substr(0, start.sandbox.rfind('/'));
  if (!parents_.contains(parent)) {
    if (auto above = make_directories(parent, 0755); !above) return above;
    parents_.insert(parent);
  }
  int made = ::mkdir(start.sandbox.c_str(), 0700);
  if (made != 0 && errno == ENOENT) {
    // Collected with its last sandbox.
    if (auto again = make_directories(parent, 0755); !again) return again;
    made = ::mkdir(start.sandbox.c_str(), 0700);
  }
  if (made != 0 && errno != EEXIST) {
    return fail(ErrorCode::io_error, start.sandbox + ": " + std::strerror(errno));
  }
  if (start.command.user.empty()) return {};
  return give_to(start.sandbox, start.command.user);
}

}  // namespace librm::daemon
