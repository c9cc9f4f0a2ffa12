// The user under whom a task runs, looked up by name.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "librm/base/result.hpp"

namespace librm::shepherd {

struct Account {
  std::string name;
  std::string home;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

/// Empty for no name and for the shepherd's own user, since then nothing is to be switched. Fails
/// with `not_found` for an unknown user and `permission_denied` where this process may not become
/// another. Asks the name service: may take long where that is remote.
Result<std::optional<Account>> account_to_become(const std::string& user);

}  // namespace librm::shepherd
