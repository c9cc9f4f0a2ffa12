// Whatever is written as resources, a request, attributes or constraints: read or refused with a
// position; what was read can be written and read again; an operation loses nothing.
#include <cstdlib>
#include <string>

#include "librm/resource/constraint.hpp"
#include "librm/resource/operation.hpp"
#include "librm/resource/request.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Quotes make what is written longer than what was read, up to the limits.
bool is_over_a_limit(const std::string& message) {
  return message.find("is longer than") != std::string::npos;
}

using librm::to_string;  // attributes are a map, of another namespace

template <class Parse>
auto round_trip(std::string_view text, Parse parse) {
  const auto parsed = parse(text);
  if (!parsed) {
    const std::string& message = parsed.error().message;
    require(message.starts_with("at position ") || is_over_a_limit(message));
    return parsed;
  }
  const std::string written = to_string(*parsed);
  const auto again = parse(written);
  require(again ? *again == *parsed && to_string(*again) == written
                : is_over_a_limit(again.error().message));
  return parsed;
}

void operate(const librm::Resources& total) {
  const librm::Reservation layer{"eng/fuzz", true, "f", {}};
  for (const librm::Resource& entry : total.list()) {
    librm::Resources one;
    one.add(entry);
    for (const auto kind :
         {librm::OperationKind::reserve, librm::OperationKind::unreserve,
          librm::OperationKind::create_volume, librm::OperationKind::destroy_volume}) {
      librm::Operation operation{kind, one, layer, {"fuzz", false, ""}};
      if (!entry.reservations.empty() && kind == librm::OperationKind::unreserve) {
        operation.reservation = entry.reservations.back();
      }
      if (entry.volume) operation.volume = *entry.volume;
      const auto changed = apply(operation, total);
      if (!changed) continue;
      require(changed->unreserved() == total.unreserved());
      require(changed->amount(entry.name) == total.amount(entry.name));
      const auto conversion = convert(operation);
      require(*changed - conversion->converted + conversion->consumed == total);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'a') {
    const auto attributes = round_trip(text, librm::parse_attributes);
    if (!attributes) return 0;
    for (const auto& [name, value] : *attributes) {
      const auto typed = librm::read_attribute(value);
      require(typed.has_value());
    }
  } else if (data[0] == 'c') {
    const auto constraints = round_trip(text, librm::parse_constraints);
    if (!constraints) return 0;
    const librm::Attributes attributes = {{"a", "4"}, {"r", "[1-3]"}, {"s", "{a,b}"}, {"t", "x"}};
    const librm::AgentFacts facts{"n1", attributes};
    librm::Spread spread(*constraints);
    for (const librm::Constraint& one : *constraints) (void)mismatch(one, facts, nullptr);
    spread.add(facts);
    (void)spread.mismatch(facts);
    spread.remove(facts);
  } else if (data[0] == 'q') {
    round_trip(text, librm::parse_request);
  } else {
    const auto total =
        round_trip(text, [](std::string_view one) { return librm::Resources::parse(one); });
    if (total) operate(*total);
  }
  return 0;
}
