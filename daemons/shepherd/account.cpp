// Looks accounts up through the system's name service.
#include "shepherd/account.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "shepherd/descriptor.hpp"

namespace librm::shepherd {

Result<std::optional<Account>> account_to_become(const std::string& user) {
  if (user.empty()) return std::nullopt;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(1024);
  int reason = 0;
  while ((reason = ::getpwnam_r(user.c_str(), &entry, text.data(), text.size(), &found)) ==
             ERANGE &&
         text.size() < (1u << 20)) {
    text.resize(2 * text.size());
  }
  if (found == nullptr) {
    return fail(ErrorCode::not_found, "user " + user + ": no such user on this host" +
                                          (reason == 0 ? "" : ": " + errno_text(reason)));
  }
  if (entry.pw_uid == ::geteuid()) return std::nullopt;
  if (::geteuid() != 0) {
    return fail(ErrorCode::permission_denied, "user " + user + ": the agent runs as uid " +
                                                  std::to_string(::geteuid()) +
                                                  ", only root may run tasks as somebody else");
  }
  Account account{user, entry.pw_dir, entry.pw_uid, entry.pw_gid, {}};
  int count = 32;
  account.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(user.c_str(), account.gid, account.groups.data(), &count) < 0) {
    account.groups.resize(static_cast<std::size_t>(count));
    ::getgrouplist(user.c_str(), account.gid, account.groups.data(), &count);
  }
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

}  // namespace librm::shepherd
