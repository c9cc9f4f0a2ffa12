// Strong ids: an agent's number cannot be passed where a framework's is wanted.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace librm {

/// A number with a type and a printed prefix: `a-17`. Zero means "none"; issued ids start at 1
/// and are never reused.
template <class Tag>
struct NumberId {
  std::uint64_t value = 0;

  constexpr explicit operator bool() const { return value != 0; }
  constexpr auto operator<=>(const NumberId&) const = default;
};

template <class Tag>
std::string to_string(NumberId<Tag> id) {
  std::string text(Tag::prefix);
  text += std::to_string(id.value);
  return text;
}

/// Reads `a-17` (or the bare `17`); empty where the text is neither.
template <class Id>
std::optional<Id> parse_id(std::string_view text);

namespace detail {
template <class Id>
struct IdTag;
template <class Tag>
struct IdTag<NumberId<Tag>> {
  using type = Tag;
};
}  // namespace detail

template <class Id>
std::optional<Id> parse_id(std::string_view text) {
  constexpr std::string_view prefix = detail::IdTag<Id>::type::prefix;
  if (text.substr(0, prefix.size()) == prefix) text.remove_prefix(prefix.size());
  Id id;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, id.value);
  if (error != std::errc() || stop != end || id.value == 0) return std::nullopt;
  return id;
}

// clang-format off
struct AgentTag      { static constexpr std::string_view prefix = "a-"; };
struct FrameworkTag  { static constexpr std::string_view prefix = "f-"; };
struct OfferTag      { static constexpr std::string_view prefix = "o-"; };
struct InverseOfferTag { static constexpr std::string_view prefix = "i-"; };
struct EarmarkTag    { static constexpr std::string_view prefix = "e-"; };
struct DemandTag     { static constexpr std::string_view prefix = "d-"; };
struct ConnectionTag { static constexpr std::string_view prefix = "c-"; };
struct BootTag       { static constexpr std::string_view prefix = "boot-"; };
// clang-format on

using AgentId = NumberId<AgentTag>;
using FrameworkId = NumberId<FrameworkTag>;
using OfferId = NumberId<OfferTag>;
using InverseOfferId = NumberId<InverseOfferTag>;
using EarmarkId = NumberId<EarmarkTag>;  ///< a future reservation of the allocator
using DemandId = NumberId<DemandTag>;    ///< chosen by the framework, unique within it
/// One connection as its owner sees it. A connection delivers a prefix of what was sent, in
/// order, once; a gap closes it. Never reused within one process.
using ConnectionId = NumberId<ConnectionTag>;
/// The boot of an agent's host. Tasks of an older incarnation cannot be running any more.
using Incarnation = NumberId<BootTag>;

/// Chosen by the framework and never reused by it; the batch front end's are `job.run.attempt`.
/// At most 255 bytes of `[A-Za-z0-9._-]`.
using TaskId = std::string;
using ExecutorId = std::string;

/// Counts leaders. Agents obey only the highest that they have seen.
using Epoch = std::uint32_t;
/// Position in a journal; 0 is "before everything".
using Lsn = std::uint64_t;

}  // namespace librm

template <class Tag>
struct std::hash<librm::NumberId<Tag>> {
  std::size_t operator()(librm::NumberId<Tag> id) const noexcept {
    return std::hash<std::uint64_t>()(id.value);
  }
};
