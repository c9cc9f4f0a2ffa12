// Reads and applies rules of the POSIX variable TZ, with the extensions of RFC 8536.
#include "posix_rule.hpp"

#include <algorithm>
#include <chrono>

namespace batch {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool take(char wanted) {
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take_name() {
    const bool quoted = take('<');
    std::size_t size = 0;
    while (size < text_.size() && (quoted ? text_[size] != '>' : is_letter(text_[size]))) ++size;
    text_.remove_prefix(size);
    return size >= 3 && (!quoted || take('>'));
  }
  std::optional<std::int64_t> take_number() {
    std::int64_t number = 0;
    std::size_t size = 0;
    for (; size < text_.size() && size < 3 && is_digit(text_[size]); ++size) {
      number = number * 10 + (text_[size] - '0');
    }
    text_.remove_prefix(size);
    return size == 0 ? std::nullopt : std::optional(number);
  }
  /// `-1`, `+5:30`, `24:00:00`.
  std::optional<std::int64_t> take_time() {
    const bool negative = take('-');
    if (!negative) take('+');
    std::int64_t sum = 0;
    std::int64_t unit = 3600;
    do {
      const auto part = take_number();
      if (!part) return std::nullopt;
      sum += *part * unit;
      unit /= 60;
    } while (unit > 0 && take(':'));
    return negative ? -sum : sum;
  }
  std::optional<PosixChange> take_change() {
    PosixChange change;
    if (!take(',') || !take('M')) return std::nullopt;
    const auto month = take_number();
    const auto week = take('.') ? take_number() : std::nullopt;
    const auto weekday = take('.') ? take_number() : std::nullopt;
    if (!month || !week || !weekday) return std::nullopt;
    if (*month < 1 || *month > 12 || *week < 1 || *week > 5 || *weekday > 6) return std::nullopt;
    change.month = static_cast<unsigned>(*month);
    change.week = static_cast<unsigned>(*week);
    change.weekday = static_cast<unsigned>(*weekday);
    if (!take('/')) return change;
    const auto time = take_time();
    if (!time) return std::nullopt;
    change.time_s = *time;
    return change;
  }

 private:
  static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  std::string_view text_;
};

/// On the clock before the change.
std::int64_t local_s(const PosixChange& change, std::chrono::year year) {
  using namespace std::chrono;
  const year_month in = year / month(change.month);
  const weekday day(change.weekday);
  const sys_days date =
      change.week == 5 ? sys_days(in / day[last]) : sys_days(in / day[change.week]);
  return seconds(date.time_since_epoch()).count() + change.time_s;
}

}  // namespace

std::optional<PosixRule> PosixRule::parse(std::string_view text) {
  Reader reader(text);
  PosixRule rule;
  if (!reader.take_name()) return std::nullopt;
  // POSIX counts offsets to the west.
  const auto standard = reader.take_time();
  if (!standard || !reader.take_name()) return std::nullopt;
  rule.standard_s_ = -*standard;
  rule.daylight_s_ = rule.standard_s_ + 3600;
  auto begin = reader.take_change();
  if (!begin) {
    Reader with_offset = reader;
    const auto daylight = with_offset.take_time();
    if (!daylight) return std::nullopt;
    rule.daylight_s_ = -*daylight;
    reader = with_offset;
    begin = reader.take_change();
  }
  const auto end = reader.take_change();
  if (!begin || !end || !reader.done()) return std::nullopt;
  rule.begin_ = *begin;
  rule.end_ = *end;
  return rule;
}

std::int64_t PosixRule::offset_s(std::int64_t instant_s) const {
  using namespace std::chrono;
  const auto day = floor<days>(sys_seconds(seconds(instant_s + standard_s_)));
  const auto year = year_month_day(day).year();
  const std::int64_t begin = local_s(begin_, year) - standard_s_;
  const std::int64_t end = local_s(end_, year) - daylight_s_;
  const bool daylight =
      begin < end ? instant_s >= begin && instant_s < end : instant_s >= begin || instant_s < end;
  return daylight ? daylight_s_ : standard_s_;
}

std::int64_t PosixRule::instant_s(std::int64_t local_s) const {
  const std::int64_t east = std::max(standard_s_, daylight_s_);
  const std::int64_t west = std::min(standard_s_, daylight_s_);
  // The greater offset is the earlier instant; in a gap it is not yet valid, and what was is less.
  return offset_s(local_s - east) == east ? local_s - east : local_s - west;
}

}  // namespace batch
