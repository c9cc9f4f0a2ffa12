// Checks of URIs, names and archive entries; nothing here touches a file.
#include "fetch/rules.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "shepherd/fetch_plan.hpp"

namespace librm::fetch {
namespace {

constexpr std::size_t depth_max = 128;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string last_segment(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

tl::unexpected<Error> refuse(std::string_view what, const std::string& why) {
  return fail(ErrorCode::invalid_argument, shepherd::printable(what) + ": " + why);
}

Result<Source> parse_file(std::string_view uri, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  const std::string host = lower(rest.substr(0, slash));
  if (slash == std::string_view::npos || (!host.empty() && host != "localhost")) {
    return refuse(shown(uri), "need file:///path");
  }
  const auto path = percent_decode(rest.substr(slash));
  if (!path || path->find('\0') != std::string::npos) {
    return refuse(shown(uri), "a % must be followed by two hexadecimal digits, and not be NUL");
  }
  return Source{true, *path, last_segment(*path)};
}

Result<Source> parse_network(std::string_view uri, std::string_view rest) {
  const std::string_view path = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t slash = path.find('/');
  if (path.substr(0, slash).empty()) return refuse(shown(uri), "no host is named");
  for (const char c : uri) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return refuse(shown(uri), "contains a blank");
  }
  Source source{false, std::string(uri), ""};
  if (slash == std::string_view::npos) return source;
  const auto name = percent_decode(last_segment(path));
  if (!name) return refuse(shown(uri), "a % must be followed by two hexadecimal digits");
  source.name = *name;
  return source;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_own_output(const std::vector<std::string>& parts) {
  return parts.size() == 1 && (parts[0] == "stdout" || parts[0] == "stderr");
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    if (!part.empty() && part != ".") parts.push_back(part);
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace

Result<Source> parse_source(std::string_view uri) {
  if (uri.empty()) return fail(ErrorCode::invalid_argument, "an URI is empty");
  if (uri.front() == '/') return Source{true, std::string(uri), last_segment(uri)};
  const std::size_t colon = uri.find("://");
  if (colon != std::string_view::npos) {
    const std::string scheme = lower(uri.substr(0, colon));
    const std::string_view rest = uri.substr(colon + 3);
    if (scheme == "file") return parse_file(uri, rest);
    if (scheme == "http" || scheme == "https" || scheme == "ftp") return parse_network(uri, rest);
  }
  return refuse(shown(uri), "need http, https, ftp, file or an absolute path");
}

std::string shown(std::string_view uri) {
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return shepherd::printable(uri);
  const std::size_t host = colon + 3;
  const std::size_t end = std::min(uri.find_first_of("/?#", host), uri.size());
  const std::size_t at = uri.substr(0, end).rfind('@');
  std::string text(uri.substr(0, host));
  text += uri.substr(at != std::string_view::npos && at >= host ? at + 1 : host);
  return shepherd::printable(text);
}

Result<std::vector<std::string>> split_below(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return refuse(path, "contains a NUL byte");
  if (!path.empty() && path.front() == '/') return refuse(path, "is absolute");
  std::vector<std::string> parts;
  for (const std::string_view part : parts_of(path)) {
    if (part == "..") return refuse(path, "leads out of the sandbox");
    parts.emplace_back(part);
  }
  if (parts.size() > depth_max) return refuse(path, "is too deep");
  return parts;
}

Packing packing_of(std::string_view name) {
  const std::string text = lower(name);
  for (const char* end :
       {".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip"}) {
    if (ends_with(text, end)) return Packing::archive;
  }
  return ends_with(text, ".gz") ? Packing::gzip : Packing::none;
}

Result<Task> plan_task(const Fetch& fetch) {
  const Result<Source> source = parse_source(fetch.uri);
  if (!source) return tl::unexpected<Error>(source.error());
  Task task{*source, shown(fetch.uri), {}, Packing::none, fetch.executable};
  const std::string& name = fetch.output_file.empty() ? source->name : fetch.output_file;
  // A name that comes from an URI is one name, whatever is encoded in it.
  if (fetch.output_file.empty() && name.find('/') != std::string::npos) {
    return refuse(task.shown, "its name contains a slash; name an output file");
  }
  Result<std::vector<std::string>> parts = split_below(name);
  if (!parts) {
    return fail(parts.error().code, "output file " + parts.error().message);
  }
  if (parts->empty() || name.back() == '/') {
    return refuse(task.shown, "names no file; name an output file");
  }
  if (is_own_output(*parts)) return refuse(name, "is the task's own output; name another file");
  task.parts = std::move(*parts);
  if (fetch.extract && !fetch.executable) task.packing = packing_of(task.parts.back());
  return task;
}

Result<std::string> ArchiveRules::check(const Entry& entry) {
  const std::string subject = "entry " + shepherd::printable(entry.path);
  if (++entries_ > limits_.entries_max) {
    return fail(ErrorCode::resource_exhausted,
                "more than " + std::to_string(limits_.entries_max) + " entries");
  }
  Result<std::vector<std::string>> parts = split_below(entry.path);
  if (!parts) return fail(ErrorCode::permission_denied, "entry " + parts.error().message);
  if (entry.kind == EntryKind::other) {
    return fail(ErrorCode::permission_denied, subject + " is a device, a pipe or a socket");
  }
  if (parts->empty()) {
    if (entry.kind == EntryKind::directory) return std::string();
    return fail(ErrorCode::permission_denied, subject + " has no name");
  }
  if (at_top_ && is_own_output(*parts)) {
    return fail(ErrorCode::permission_denied, subject + " is the task's own output");
  }
  if (auto ok = check_link(entry, parts->size()); !ok) return tl::unexpected<Error>(ok.error());
  std::string path;
  for (const std::string& part : *parts) path += (path.empty() ? "" : "/") + part;
  return path;
}

Result<void> ArchiveRules::check_link(const Entry& entry, std::size_t depth) const {
  if (entry.kind != EntryKind::symbolic_link && entry.kind != EntryKind::hard_link) return {};
  const tl::unexpected<Error> out =
      fail(ErrorCode::permission_denied, "entry " + shepherd::printable(entry.path) + " links to " +
                                             shepherd::printable(entry.target) +
                                             ", which may lead out of the sandbox");
  if (entry.target.empty() || entry.target.front() == '/' ||
      entry.target.find('\0') != std::string::npos) {
    return out;
  }
  // A hard link's target counts from the top, a symbolic one's from the link's directory.
  std::size_t ups_max = entry.kind == EntryKind::hard_link ? 0 : depth - 1;
  bool went_down = false;
  for (const std::string_view part : parts_of(entry.target)) {
    if (part != "..") {
      went_down = true;
    } else if (went_down || ups_max == 0) {
      return out;
    } else {
      --ups_max;
    }
  }
  if (entry.kind == EntryKind::hard_link && at_top_) {
    const Result<std::vector<std::string>> target = split_below(entry.target);
    if (!target || is_own_output(*target)) return out;
  }
  return {};
}

Result<void> ArchiveRules::check_size(std::uint64_t unpacked, std::uint64_t packed) const {
  if (unpacked > limits_.bytes_max) {
    return fail(ErrorCode::resource_exhausted,
                "more than " + std::to_string(limits_.bytes_max) + " bytes when unpacked");
  }
  if (unpacked <= limits_.ratio_free_bytes) return {};
  if (unpacked / limits_.ratio_max > packed) {
    return fail(ErrorCode::resource_exhausted,
                std::to_string(packed) + " bytes became " + std::to_string(unpacked) +
                    ", which is more than " + std::to_string(limits_.ratio_max) + " times as much");
  }
  return {};
}

unsigned safe_mode(EntryKind kind, unsigned mode) {
  return (mode & 0777U) | (kind == EntryKind::directory ? 0700U : 0600U);
}

}  // namespace librm::fetch
