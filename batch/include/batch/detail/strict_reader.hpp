// A position in a text without white space, and the first thing that is wrong with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "librm/base/result.hpp"

namespace batch::detail {

/// The first error sticks and moves the position to the end, so that a parser can go on without
/// looking and ask ok() once. Positions in messages are bytes, from 1: `at 14: expected a digit`.
class StrictReader {
 public:
  explicit StrictReader(std::string_view text) : text_(text) {}

  bool ok() const { return !error_; }
  /// Precondition: !ok().
  tl::unexpected<librm::Error> error() const { return tl::unexpected(*error_); }

  std::size_t position() const { return at_; }
  bool done() const { return at_ == text_.size(); }
  /// 0 at the end.
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }

  /// Precondition: there are so many.
  void skip(std::size_t count) { at_ += count; }
  bool take(char wanted) {
    if (done() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) expected(std::string("'") + wanted + "'");
  }
  void expect_end() {
    if (!done()) expected("the end");
  }
  /// One digit at least; `digits_max` is at most 19, so that nothing overflows.
  std::uint64_t take_number(std::size_t digits_max) {
    const std::size_t first = at_;
    std::uint64_t number = take_digits(1);
    while (at_digit()) {
      if (at_ - first == digits_max) {
        wrong(at_, "a number has at most " + std::to_string(digits_max) + " digits");
        return 0;
      }
      number = number * 10 + static_cast<std::uint64_t>(text_[at_++] - '0');
    }
    return number;
  }
  /// Exactly so many.
  std::uint64_t take_digits(std::size_t count) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!at_digit()) {
        expected("a digit");
        return 0;
      }
      number = number * 10 + static_cast<std::uint64_t>(text_[at_++] - '0');
    }
    return number;
  }

  /// `at 6: expected a digit, found 'x'`.
  void expected(std::string_view what) {
    wrong(at_, "expected " + std::string(what) + ", found " + found());
  }
  void wrong(std::size_t position, const std::string& reason) {
    if (error_) return;
    error_ = librm::Error{librm::ErrorCode::invalid_argument,
                          "at " + std::to_string(position + 1) + ": " + reason};
    at_ = text_.size();
  }

 private:
  std::string found() const {
    if (done()) return "the end";
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte == ' ') return "a space";
    if (byte > ' ' && byte < 0x7f) return std::string("'") + text_[at_] + "'";
    constexpr std::string_view digits = "0123456789abcdef";
    return std::string("byte 0x") + digits[byte / 16] + digits[byte % 16];
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<librm::Error> error_;
};

}  // namespace batch::detail
