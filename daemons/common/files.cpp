// Directories, free space, and the master's address file.
#include "common/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace librm::daemon {
namespace {

std::string address_path(const std::string& work_dir) { return work_dir + "/master.address"; }

tl::unexpected<Error> fail_errno(const std::string& path) {
  return fail(ErrorCode::io_error, path + ": " + std::strerror(errno));
}

Result<void> write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return fail_errno(path);
  const ssize_t written = ::write(file, text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size());
  if (::close(file) != 0 || !whole) return fail_errno(path);
  return {};
}

}  // namespace

Result<void> make_directories(const std::string& path, unsigned mode) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0) {
    // mkdir() heeds the umask, our callers mean what they say.
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
    return {};
  }
  if (errno == EEXIST && std::filesystem::is_directory(path, error)) return {};
  return fail_errno("directory " + path);
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error).lexically_normal();
  if (!whole.has_filename() && whole.has_parent_path()) whole = whole.parent_path();
  return whole.string();
}

std::string default_work_dir(const std::string& name) {
  if (::geteuid() == 0) return "/var/lib/librm/" + name;
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/librm/" + name;
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home == '/' ? home : "/tmp") + "/.local/state/librm/" +
         name;
}

std::int64_t free_bytes(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return 0;
  return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

Result<void> write_master_address(const std::string& work_dir, const MasterAddress& address) {
  const nlohmann::json json = {
      {"http", address.http}, {"cluster", address.cluster}, {"pid", address.pid}};
  const std::string path = address_path(work_dir);
  const std::string fresh = path + ".new";
  Result<void> written = write_file(fresh, json.dump() + "\n");
  if (!written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(path);
  return {};
}

Result<MasterAddress> read_master_address(const std::string& work_dir) {
  const std::string path = address_path(work_dir);
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::unavailable, path + ": " + std::strerror(errno));
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  const auto text = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!json.is_object() || text("cluster").empty()) {
    return fail(ErrorCode::corrupt, path + ": need an object with http, cluster and pid");
  }
  MasterAddress address{text("http"), text("cluster"), 0};
  const auto pid = json.find("pid");
  if (pid != json.end() && pid->is_number_integer()) address.pid = pid->get<std::int64_t>();
  return address;
}

void remove_master_address(const std::string& work_dir) {
  ::unlink(address_path(work_dir).c_str());
}

}  // namespace librm::daemon
