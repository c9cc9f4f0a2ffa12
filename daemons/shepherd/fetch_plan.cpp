// The plan's text: `bytes_max N`, `directory WORD`, and `file EXTRACT EXECUTABLE NAME URI` lines.
#include "shepherd/fetch_plan.hpp"

#include <charconv>
#include <optional>

namespace librm::shepherd {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// An empty text is `-`, which no encoded one is: a dash at the beginning is encoded.
std::string encode(std::string_view text) {
  if (text.empty()) return "-";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte > 0x20 && byte < 0x7f && byte != '%' && !(i == 0 && byte == '-')) {
      out += text[i];
      continue;
    }
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 0xf];
  }
  return out;
}

std::optional<std::string> decode(std::string_view word) {
  if (word.empty()) return std::nullopt;
  if (word == "-") return "";
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '%') {
      out += word[i];
      continue;
    }
    if (i + 2 >= word.size()) return std::nullopt;
    const std::size_t high = digits.find(word[i + 1]);
    const std::size_t low = digits.find(word[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end + 1);
  }
}

std::optional<std::uint64_t> number_of(std::string_view word) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
  if (read.ec != std::errc() || read.ptr != word.data() + word.size()) return std::nullopt;
  return value;
}

bool is_flag(std::string_view word) { return word == "0" || word == "1"; }

bool take_line(std::string_view line, FetchPlan& plan) {
  const std::vector<std::string_view> words = words_of(line);
  if (words[0] == "bytes_max" && words.size() == 2) {
    const auto number = number_of(words[1]);
    plan.bytes_max = number.value_or(0);
    return number.has_value();
  }
  if (words[0] == "directory" && words.size() == 2) {
    const auto directory = decode(words[1]);
    plan.working_directory = directory.value_or("");
    return directory.has_value();
  }
  if (words[0] != "file" || words.size() != 5 || !is_flag(words[1]) || !is_flag(words[2])) {
    return false;
  }
  const auto name = decode(words[3]);
  const auto uri = decode(words[4]);
  if (!name || !uri) return false;
  plan.files.push_back({*uri, *name, words[1] == "1", words[2] == "1"});
  return true;
}

}  // namespace

std::string print_fetch_plan(const FetchPlan& plan) {
  std::string text = "bytes_max " + std::to_string(plan.bytes_max) + "\n";
  text += "directory " + encode(plan.working_directory) + "\n";
  for (const Fetch& file : plan.files) {
    text += std::string("file ") + (file.extract ? "1 " : "0 ") + (file.executable ? "1 " : "0 ") +
            encode(file.output_file) + " " + encode(file.uri) + "\n";
  }
  return text;
}

Result<FetchPlan> parse_fetch_plan(std::string_view text) {
  FetchPlan plan;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !take_line(text.substr(0, end), plan)) {
      return fail(ErrorCode::invalid_argument,
                  "fetch plan: line " + std::to_string(number) + " cannot be read");
    }
    text.remove_prefix(end + 1);
  }
  return plan;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 0xf];
    }
  }
  return out;
}

}  // namespace librm::shepherd
