// Reading of request targets, hosts and parameters: strict, because all of it comes from outside.
#include "http/text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace librm::http {

namespace {

constexpr std::size_t parameters_max = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

tl::unexpected<Error> malformed(std::string what) {
  return fail(ErrorCode::invalid_argument, "malformed request target: " + std::move(what));
}

Result<void> parse_query(Target& target) {
  std::string_view rest = target.raw_query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    if (target.query.size() >= parameters_max) return malformed("too many parameters");
    const std::size_t equals = pair.find('=');
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value =
        percent_decode(equals == pair.npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!name || !value) return malformed("'%' without two hexadecimal digits in the query");
    if (!target.query.emplace(*name, *value).second) {
      return malformed("parameter '" + *name + "' comes twice");
    }
  }
  return {};
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = lower(c) >= 'a' && lower(c) <= 'z';
    if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

Result<Target> parse_target(std::string_view target) {
  if (target.starts_with("http://")) {
    target.remove_prefix(7);
    const std::size_t path = target.find('/');
    target = path == target.npos ? std::string_view("/") : target.substr(path);
  }
  if (target.empty() || target.front() != '/') return malformed("the path must begin with '/'");
  target = target.substr(0, target.find('#'));
  Target out;
  const std::size_t question = target.find('?');
  if (question != target.npos) out.raw_query = std::string(target.substr(question + 1));
  std::string_view path = target.substr(1, question == target.npos ? question : question - 1);
  for (;;) {
    const std::string_view segment = path.substr(0, path.find('/'));
    auto decoded = percent_decode(segment);
    if (!decoded) return malformed("'%' without two hexadecimal digits in the path");
    out.segments.push_back(std::move(*decoded));
    if (segment.size() == path.size()) break;
    path.remove_prefix(segment.size() + 1);
  }
  // `/v1/jobs/` is `/v1/jobs`; an empty segment in the middle stays and matches nothing.
  if (out.segments.back().empty()) out.segments.pop_back();
  if (auto query = parse_query(out); !query) return tl::unexpected(query.error());
  return out;
}

bool is_loopback_host(std::string_view host) {
  for (const std::string_view name : {"localhost", "127.0.0.1", "[::1]"}) {
    if (!equal_without_case(host.substr(0, name.size()), name)) continue;
    const std::string_view rest = host.substr(name.size());
    if (rest.empty()) return true;
    if (rest.front() == ':' && parse_whole<std::uint16_t>(rest.substr(1))) return true;
  }
  return false;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  return parse_whole<std::uint64_t>(text);
}

std::optional<std::int64_t> parse_signed_number(std::string_view text) {
  return parse_whole<std::int64_t>(text);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() <= form.size() || !text.ends_with('Z')) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) return std::nullopt;
  }
  std::string fraction(text.substr(form.size(), text.size() - form.size() - 1));
  if (!fraction.empty()) {
    if (fraction.front() != '.' || fraction.size() < 2 || fraction.size() > 10 ||
        !std::all_of(fraction.begin() + 1, fraction.end(), is_digit)) {
      return std::nullopt;
    }
    fraction.erase(0, 1);
  }
  fraction.resize(9, '0');
  const auto number = [&](std::size_t at, std::size_t size) {
    return parse_whole<unsigned>(text.substr(at, size)).value_or(0);
  };
  const std::chrono::year_month_day day(std::chrono::year(static_cast<int>(number(0, 4))),
                                        std::chrono::month(number(5, 2)),
                                        std::chrono::day(number(8, 2)));
  const unsigned hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  // Nanoseconds since 1970 fit 64 bits for these years.
  const bool in_range =
      day.year() >= std::chrono::year(1970) && day.year() < std::chrono::year(2262);
  if (!day.ok() || !in_range || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
  return WallTime{seconds * 1'000'000'000 + parse_whole<std::int64_t>(fraction).value_or(0)};
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = pattern.npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace librm::http
