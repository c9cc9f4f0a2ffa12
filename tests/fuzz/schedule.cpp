// Whatever is written as a schedule, an array, a selector or a zone's rule: read or refused with a
// position; what is read can be written and read again; times never descend, searches find them.
//
// The sources are included, because they are small and no other fuzzer needs them.
#include "batch/src/core/array_text.cpp"
#include "batch/src/core/occurrences.cpp"
#include "batch/src/core/schedule_expression.cpp"
#include "batch/src/core/time_zones.cpp"
#include "batch/src/edge/posix_rule.cpp"

#include <cstdlib>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

template <class Parsed, class Parse>
void round_trip(const librm::Result<Parsed>& parsed, Parse parse) {
  if (!parsed) {
    require(parsed.error().message.substr(0, 3) == "at ");
    return;
  }
  const std::string written = to_string(*parsed);
  const auto again = parse(written);
  require(again && *again == *parsed && to_string(*again) == written);
}

/// Puts its clock forward and back each year, by one rule for ever.
class OneRule final : public batch::TimeZones {
 public:
  bool knows(const std::string& zone) const override { return zone == "rule"; }
  librm::WallTime to_instant(const std::string&, batch::LocalTime local) const override {
    const std::int64_t s = whole(local.ns);
    return {local.ns + (rule_.instant_s(s) - s) * second};
  }
  batch::LocalTime to_local(const std::string&, librm::WallTime time) const override {
    return {time.ns + rule_.offset_s(whole(time.ns)) * second};
  }

 private:
  static constexpr std::int64_t second = 1'000'000'000;
  static std::int64_t whole(std::int64_t ns) { return ns / second - (ns % second < 0 ? 1 : 0); }
  batch::PosixRule rule_ = *batch::PosixRule::parse("CET-1CEST,M3.5.0,M10.5.0/3");
};

void expand(batch::ScheduleExpression expression, const std::string& zone) {
  static const OneRule zones;
  if (!expression.start) {
    expression =
        *batch::with_start(expression, librm::WallTime{1'729'990'800'000'000'000}, zone, zones);
  }
  const auto all = batch::Occurrences::make(expression, zone, zones);
  if (!all) std::abort();
  std::optional<librm::WallTime> before = all->at(0);
  std::uint64_t index = 1;
  for (int i = 0; i < 70; ++i, index = i < 6 ? index + 1 : index * 2) {
    const auto time = all->at(index);
    if (!time) break;
    require(before && *time >= *before);
    const auto found = all->first_at_or_after(*time);
    require(found && found->at == *time && found->index <= index);
    const auto next = all->from(index);
    require(!next || (next->index >= index && next->at >= *time));
    before = time;
  }
  require(!all->at(UINT64_MAX));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'a') {
    round_trip(batch::parse_array(text), batch::parse_array);
  } else if (data[0] == 'e') {
    round_trip(batch::split_elements(text), batch::split_elements);
  } else if (data[0] == 'p') {
    const auto rule = batch::PosixRule::parse(text);
    if (rule) (void)rule->instant_s(rule->offset_s(1'729'990'800));
  } else {
    const auto expression = batch::parse_schedule(text);
    round_trip(expression, batch::parse_schedule);
    if (expression) expand(*expression, data[0] == 'z' ? "rule" : "");
  }
  return 0;
}
