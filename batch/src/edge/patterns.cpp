// Patterns by RE2.
#include "batch/edge/patterns.hpp"

#include <re2/re2.h>

#include <memory>

namespace batch {

namespace {

constexpr std::size_t pattern_size_max = 1000;
constexpr std::size_t shown_size_max = 64;
constexpr std::int64_t memory_max = 1 << 20;

RE2::Options options() {
  RE2::Options chosen;
  chosen.set_log_errors(false);
  chosen.set_max_mem(memory_max);
  chosen.set_never_capture(true);
  return chosen;
}

/// One pattern is mostly asked about many texts in a row.
const RE2& compile(std::string_view pattern) {
  thread_local std::unique_ptr<RE2> latest;
  if (!latest || latest->pattern() != pattern) {
    latest = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options());
  }
  return *latest;
}

class Re2Patterns final : public Patterns {
 public:
  librm::Result<void> check(const std::string& pattern) const override {
    if (pattern.size() > pattern_size_max) {
      return librm::fail(librm::ErrorCode::invalid_argument,
                         "a pattern of " + std::to_string(pattern.size()) + " bytes, at most " +
                             std::to_string(pattern_size_max));
    }
    const RE2 compiled(pattern, options());
    if (compiled.ok()) return {};
    return librm::fail(librm::ErrorCode::invalid_argument,
                       "'" + pattern.substr(0, shown_size_max) +
                           (pattern.size() > shown_size_max ? "...'" : "'") +
                           " is not a pattern: " + compiled.error());
  }

  bool matches(const std::string& pattern, const std::string& text) const override {
    if (pattern.size() > pattern_size_max) return false;
    const RE2& compiled = compile(pattern);
    return compiled.ok() && RE2::FullMatch(text, compiled);
  }
};

class Re2Matcher final : public librm::Matcher {
 public:
  librm::Result<bool> matches(std::string_view pattern, std::string_view text) const override {
    const bool known = pattern.size() <= pattern_size_max && compile(pattern).ok();
    if (known) return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), compile(pattern));
    return tl::unexpected<librm::Error>(re2_patterns().check(std::string(pattern)).error());
  }
};

}  // namespace

const Patterns& re2_patterns() {
  static const Re2Patterns patterns;
  return patterns;
}

const librm::Matcher& re2_matcher() {
  static const Re2Matcher matcher;
  return matcher;
}

}  // namespace batch
