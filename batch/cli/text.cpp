// Formatting and parsing of what people read and type.
#include "text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>

namespace batch::cli {

namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t size = 0;  ///< bytes; 0 where they are no UTF-8
};

Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  char32_t point = static_cast<char32_t>(first & (0x7f >> size));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | static_cast<char32_t>(byte(i) & 0x3f);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < least[size] || point > 0x10ffff || surrogate) return {};
  return {point, size};
}

bool is_harmful(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

std::size_t columns(char32_t c) {
  if (c >= 0x300 && c <= 0x36f) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
                    (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
                    (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                    (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
  return wide ? 2 : 1;
}

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  char buffer[64];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::size_t size = std::max<std::size_t>(next.size, 1);
    if (next.size != 0 && !is_harmful(next.point)) {
      out += text.substr(0, size);
    } else if (text[0] == '\n') {
      out += "\\n";
    } else if (text[0] == '\t') {
      out += "\\t";
    } else {
      for (std::size_t i = 0; i < size; ++i) {
        out += print("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[i])));
      }
    }
    text.remove_prefix(size);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    width += next.size == 0 ? 1 : columns(next.point);
    text.remove_prefix(std::max<std::size_t>(next.size, 1));
  }
  return width;
}

std::string shorten(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::size_t size = std::max<std::size_t>(next.size, 1);
    used += next.size == 0 ? 1 : columns(next.point);
    if (used + 1 > width) break;
    out += text.substr(0, size);
    text.remove_prefix(size);
  }
  return width == 0 ? std::string() : out + "…";
}

std::string without_colors(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size());
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string shorten_painted(std::string_view text, std::size_t width) {
  const std::string plain = without_colors(text);
  if (width == 0 || display_width(plain) <= width) return std::string(text);
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    if (text.front() == '\x1b') {
      const std::size_t size = std::min(text.find('m'), text.size() - 1) + 1;
      out += text.substr(0, size);
      text.remove_prefix(size);
      continue;
    }
    const Decoded next = decode(text);
    const std::size_t size = std::max<std::size_t>(next.size, 1);
    used += next.size == 0 ? 1 : columns(next.point);
    if (used + 1 > width) break;
    out += text.substr(0, size);
    text.remove_prefix(size);
  }
  return out + (out.find('\x1b') == out.npos ? "…" : "…\x1b[0m");
}

std::string human_span(double seconds) {
  if (!(seconds > 0)) return "0s";
  if (seconds < 9.95) return print("%.1fs", seconds);
  const auto s = static_cast<long long>(std::llround(std::min(seconds, 1e15)));
  if (s < 60) return print("%llds", s);
  if (s < 3'600) return print("%lldm%02llds", s / 60, s % 60);
  if (s < 86'400) return print("%lldh%02lldm", s / 3'600, s % 3'600 / 60);
  return print("%lldd%02lldh", s / 86'400, s % 86'400 / 3'600);
}

std::string human_number(double value) {
  std::string text = print("%.3f", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string human_mib(double mib) {
  if (mib == 0) return "0";
  const char* unit = "M";
  if (mib >= 1024) {
    mib /= 1024;
    unit = "G";
  }
  if (mib >= 1024) {
    mib /= 1024;
    unit = "T";
  }
  const double rounded = std::round(mib * 10) / 10;
  return human_number(mib >= 100 ? std::round(mib) : rounded) + unit;
}

std::optional<double> parse_time(std::string_view text) {
  std::tm at{};
  const std::string copy(text);
  int size = 0;
  const int fields = std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &at.tm_year, &at.tm_mon,
                                 &at.tm_mday, &at.tm_hour, &at.tm_min, &at.tm_sec, &size);
  if (fields != 6 || !copy.ends_with('Z')) return std::nullopt;
  at.tm_year -= 1900;
  at.tm_mon -= 1;
  const char* fraction = copy.c_str() + size;
  return static_cast<double>(::timegm(&at)) +
         (*fraction == '.' ? std::strtod(fraction, nullptr) : 0);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : known) {
    // Optimal string alignment: one letter wrong, missing, too many, or two swapped cost one each.
    std::vector<std::vector<std::size_t>> d(word.size() + 1,
                                            std::vector<std::size_t>(candidate.size() + 1));
    for (std::size_t i = 0; i <= word.size(); ++i) d[i][0] = i;
    std::iota(d[0].begin(), d[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= word.size(); ++i) {
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t differs = word[i - 1] == candidate[j - 1] ? 0 : 1;
        d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + differs});
        if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1]) {
          d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
      }
    }
    if (d[word.size()][candidate.size()] < best_distance) {
      best_distance = d[word.size()][candidate.size()];
      best = candidate;
    }
  }
  return best;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    if (end != 0 && !text.empty()) parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace batch::cli
