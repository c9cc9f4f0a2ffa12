// Reads the URL of a group in ZooKeeper, from text or from a file.
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "librm/runtime/zookeeper_elector.hpp"

namespace librm {
namespace {

constexpr std::string_view scheme = "zk://";
constexpr std::string_view file_scheme = "file://";
constexpr std::size_t path_bytes_max = 1024;
constexpr std::size_t file_bytes_max = 4096;

tl::unexpected<Error> wrong(std::string_view what) {
  return fail(ErrorCode::invalid_argument, "ZooKeeper URL: " + std::string(what) +
                                               "; it is zk://user:password@host:port,.../path");
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const digits = text.data() + i + 1;
    const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
    if (error != std::errc() || end != digits + 2 || value == 0) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

Result<std::string> read_server(std::string_view text) {
  // An address in brackets has colons of its own.
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = text.substr(0, colon);
  if (host.empty() || bracket == std::string_view::npos ||
      host.find_first_of(" \t\r\n@/?#") != std::string_view::npos) {
    return wrong("'" + std::string(text) + "' is not a server");
  }
  if (colon == std::string_view::npos) return std::string(host) + ":2181";
  const std::string_view digits = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
    return wrong("'" + std::string(digits) + "' is not a port");
  }
  return std::string(host) + ":" + std::to_string(port);
}

bool valid_path(std::string_view path) {
  if (path.size() > path_bytes_max) return false;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    for (char c : part) {
      if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return false;
    }
    path.remove_prefix(part.size());
  }
  return true;
}

}  // namespace

Result<ZookeeperUrl> parse_zookeeper_url(std::string_view text) {
  if (!text.starts_with(scheme)) return wrong("it does not begin with zk://");
  text.remove_prefix(scheme.size());
  ZookeeperUrl url;
  // The last @ before the path: a password may have one.
  const std::size_t slash =
      text.find('/', text.rfind('@') == std::string_view::npos ? 0 : text.rfind('@'));
  if (slash == std::string_view::npos) return wrong("a path is missing");
  std::string_view authority = text.substr(0, slash);
  url.path = text.substr(slash);
  while (url.path.size() > 1 && url.path.back() == '/') url.path.pop_back();
  if (url.path == "/") return wrong("the path is the root, it needs a name");
  if (!valid_path(url.path)) return wrong("the path is not one of ZooKeeper's");
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    const std::size_t colon = login.find(':');
    std::optional<std::string> user = decode_percent(login.substr(0, colon));
    std::optional<std::string> password =
        decode_percent(colon == std::string_view::npos ? "" : login.substr(colon + 1));
    if (!user || !password) return wrong("user or password have a % that is no %XX");
    if (user->empty() || password->empty()) return wrong("user or password is empty");
    if (user->find(':') != std::string::npos) return wrong("a user has no colon");
    url.user = std::move(*user);
    url.password = std::move(*password);
  }
  for (;;) {
    const std::size_t comma = authority.find(',');
    Result<std::string> server = read_server(authority.substr(0, comma));
    if (!server) return tl::unexpected<Error>(std::move(server.error()));
    url.servers.push_back(std::move(*server));
    if (comma == std::string_view::npos) return url;
    authority.remove_prefix(comma + 1);
  }
}

bool is_zookeeper_url(std::string_view text) {
  return text.starts_with(scheme) || text.starts_with(file_scheme);
}

Result<ZookeeperUrl> read_zookeeper_url(const std::string& text) {
  if (!text.starts_with(file_scheme)) return parse_zookeeper_url(text);
  const std::string path = text.substr(file_scheme.size());
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content(file_bytes_max + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.eof() || file.bad()) {
    const std::string why = content.size() > file_bytes_max
                                ? "more than " + std::to_string(file_bytes_max) + " bytes"
                                : std::strerror(errno);
    return fail(ErrorCode::io_error, "ZooKeeper URL in " + path + ": " + why);
  }
  while (!content.empty() && static_cast<unsigned char>(content.back()) <= 0x20) content.pop_back();
  return parse_zookeeper_url(content);
}

std::string to_string(const ZookeeperUrl& url) {
  std::string text(scheme);
  for (const std::string& server : url.servers) {
    if (&server != &url.servers.front()) text += ',';
    text += server;
  }
  return text + url.path;
}

}  // namespace librm
