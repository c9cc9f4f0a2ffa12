// A position in a text that is being read, with errors that say where and what was expected.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "librm/base/result.hpp"

namespace librm::detail {

/// What the texts of resources, requests and attributes have in common: tokens between optional
/// white space, and limits that keep a hostile text cheap.
class Cursor {
 public:
  static constexpr std::size_t text_bytes_max = 64 * 1024;
  static constexpr std::size_t entries_max = 256;
  static constexpr std::size_t name_bytes_max = 64;

  static constexpr std::size_t token_bytes_max = 255;

  /// Errors count from the text's begin, wherever reading begins.
  explicit Cursor(std::string_view text, std::size_t start = 0) : text_(text), at_(start) {}

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_name(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool done() {
    skip_space();
    return at_ == text_.size();
  }
  /// The next byte that is not white space; 0 at the end.
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char wanted) {
    if (done() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    skip_space();
    const std::size_t first = at_;
    while (at_ < text_.size() && predicate(text_[at_])) ++at_;
    return text_.substr(first, at_ - first);
  }
  std::size_t position() const { return at_; }
  std::string_view since(std::size_t position) const {
    return text_.substr(position, at_ - position);
  }
  /// 1..64 bytes of a name.
  Result<std::string_view> take_name() {
    const std::string_view name = take_while(is_name);
    if (name.empty()) return expected("a name");
    if (name.size() > name_bytes_max) return wrong(name, "is longer than 64 bytes");
    return name;
  }

  /// What `is_plain` takes, or any bytes between quotes, where `\\"`, `\\\\` and `\\x0a` stand for
  /// one byte each; at most 255 bytes as written. Fails with `what` where there is nothing.
  template <class Predicate>
  Result<std::string> take_token(std::string_view what, Predicate is_plain) {
    const bool is_quoted = peek() == '"';
    const std::size_t start = at_;
    Result<std::string> token = std::string();
    if (is_quoted) {
      token = take_quoted();
    } else {
      token = std::string(take_while(is_plain));
      if (token->empty()) return expected(what);
    }
    if (token && at_ - start > token_bytes_max) {
      return wrong(since(start), "is longer than 255 bytes");
    }
    return token;
  }
  static bool is_bare(char c) { return is_name(c) || c == '/'; }

  /// `at position 6: expected ':', found 'x'`.
  tl::unexpected<Error> expected(std::string_view what) {
    std::string message = "expected " + std::string(what) + ", found ";
    const bool at_end = done();
    const unsigned char byte = at_end ? '\0' : static_cast<unsigned char>(text_[at_]);
    if (at_end) {
      message += "the end";
    } else if (byte > 0x20 && byte < 0x7f) {
      message += std::string("'") + text_[at_] + "'";
    } else {
      message += "byte " + std::to_string(byte);
    }
    return at(at_, message);
  }
  /// `at position 6: 'abc' is given twice`; the token must be a part of the text.
  tl::unexpected<Error> wrong(std::string_view token, std::string_view what) const {
    constexpr std::size_t shown_max = 40;
    std::string message = "'" + std::string(token.substr(0, shown_max));
    message += token.size() > shown_max ? "...' " : "' ";
    return at(static_cast<std::size_t>(token.data() - text_.data()), message + std::string(what));
  }

  /// `at position 6: ` and the message, for a place that was passed already.
  static tl::unexpected<Error> at(std::size_t position, const std::string& message) {
    return fail(ErrorCode::invalid_argument,
                "at position " + std::to_string(position + 1) + ": " + message);
  }

  static Result<void> check_size(std::string_view text) {
    if (text.size() <= text_bytes_max) return {};
    return fail(ErrorCode::invalid_argument,
                "text of " + std::to_string(text.size()) + " bytes is longer than 65536 bytes");
  }

 private:
  static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }
  /// The opening quote is next.
  Result<std::string> take_quoted() {
    std::string bytes;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return bytes;
      }
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return expected("a printable byte");
      if (c != '\\') {
        bytes += c;
        continue;
      }
      const std::string_view rest = text_.substr(at_ + 1, 3);
      if (rest.starts_with('"') || rest.starts_with('\\')) {
        bytes += rest[0];
        ++at_;
      } else if (rest.size() == 3 && rest[0] == 'x' && hex_digit(rest[1]) >= 0 &&
                 hex_digit(rest[2]) >= 0) {
        bytes += static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
        at_ += 3;
      } else {
        return at(at_, "expected one of \\\", \\\\ and \\x00 to \\xff");
      }
    }
    return at(at_, "expected '\"', found the end");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// What take_token() reads: the text itself where all of it is plain, else in quotes.
template <class Predicate>
std::string token_text(std::string_view token, Predicate is_plain) {
  bool plain = !token.empty() && token.front() != '"';
  for (const char c : token) plain = plain && is_plain(c);
  if (plain) return std::string(token);
  std::string text = "\"";
  for (const char c : token) {
    constexpr const char* digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      text += "\\x";
      text += {digits[byte >> 4], digits[byte & 15]};
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

/// Reads entries between `;` until the end; one `;` after the last is allowed. `read_entry` reads
/// one entry and returns Result<void>.
template <class ReadEntry>
Result<void> read_entries(std::string_view text, ReadEntry read_entry) {
  if (auto size = Cursor::check_size(text); !size) return size;
  Cursor cursor(text);
  for (std::size_t entries = 0; !cursor.done(); ++entries) {
    if (entries == Cursor::entries_max) return cursor.expected("at most 256 entries");
    if (auto read = read_entry(cursor); !read) return read;
    if (!cursor.take(';') && !cursor.done()) return cursor.expected("';'");
  }
  return {};
}

}  // namespace librm::detail
