// Resources as values: named scalars, ranges and sets, each for a role, with an exact algebra.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "librm/base/amount.hpp"
#include "librm/base/config.hpp"
#include "librm/base/result.hpp"

namespace librm {

/// The role that everybody may use: what is not reserved.
inline constexpr std::string_view any_role = "*";

/// Whole numbers from begin to end, both included.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  auto operator<=>(const Range&) const = default;
};

/// Canonical: sorted, disjoint, not adjacent. Printed `[31000-31005,31010-31010]`.
class Ranges {
 public:
  Ranges() = default;
  /// Any order, overlaps allowed; what begins after its own end is empty.
  explicit Ranges(std::vector<Range> ranges);

  const std::vector<Range>& list() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  std::uint64_t count() const;  ///< how many numbers; saturates at 2^64-1
  bool contains(const Ranges& other) const;
  Ranges& operator+=(const Ranges& other);
  Ranges& operator-=(const Ranges& other);  ///< numbers that are not there are ignored
  /// The n lowest numbers; precondition: n <= count().
  Ranges lowest(std::uint64_t n) const;
  bool operator==(const Ranges&) const = default;

 private:
  std::vector<Range> ranges_;
};

/// Sorted and without duplicates. Printed `{gpu0,gpu1}`.
using StringSet = std::vector<std::string>;

/// One entry: `cpus:8`, `ports:[31000-32000]`, `disks(prod):{sda,sdb}`.
struct Resource {
  using Value = std::variant<Amount, Ranges, StringSet>;

  std::string name;
  std::string role = std::string(any_role);  ///< reserved for this role, or `*`
  bool revocable = false;                    ///< may be taken back at any time
  Value value;

  bool operator==(const Resource&) const = default;
};

/// What is offered to a role, and what a request in it may take: reserved for the role or
/// unreserved, never revocable.
inline bool usable(const Resource& entry, std::string_view role) {
  return !entry.revocable && (entry.role == any_role || entry.role == role);
}

/// A canonical multiset of resources: sorted by name, role, revocable, kind; entries of equal key
/// are merged; empty entries (and amounts below zero) are dropped; a scalar's sum stays at
/// Amount::milli_max when it gets there. Ranges and sets are unions, so adding and taking away is
/// exact as long as what is added is disjoint, as the parts of one agent are. A value: copy it,
/// compare it, share it between threads when nobody writes.
class Resources {
 public:
  Resources() = default;

  /// Reads `cpus:8;mem:16384;ports:[31000-32000];disks(prod):{sda,sdb}`. White space around
  /// tokens is ignored; a name may occur once per role, and is of one kind. The error names the
  /// position (from 1) and what was expected. Limits: 64 KiB of text, 256 entries, names of 1..64
  /// bytes `[A-Za-z0-9_.-]`, set members of 1..255 printable ASCII bytes without ` ,;{}`.
  static Result<Resources> parse(std::string_view text);

  /// One unreserved scalar, for tests and arithmetic: `Resources::scalar("cpus", 4)`.
  static Resources scalar(std::string name, Amount amount);

  const std::vector<Resource>& list() const { return entries_; }
  bool empty() const { return entries_.empty(); }

  /// The sum over all roles of a scalar, the count of a ranges' or set's members; 0 if absent;
  /// at most Amount::milli_max.
  Amount amount(std::string_view name) const;

  void add(Resource resource);
  /// True where `other` is a part of this, role by role.
  bool contains(const Resources& other) const;
  /// The same for the entries of `other` that are usable() by the role.
  bool contains_usable(const Resources& other, std::string_view role) const;
  Resources& operator+=(const Resources& other);
  Resources& operator+=(Resources&& other);
  /// Precondition: contains(other); checked.
  Resources& operator-=(const Resources& other);

  /// Entries of the role: reserved for it, or unreserved; revocable ones, too.
  Resources usable_by(std::string_view role) const;
  /// Removes and returns what is usable() by the role.
  Resources take_usable(std::string_view role);
  /// Everything as if unreserved, for adding up.
  Resources unreserved() const;

  bool operator==(const Resources&) const = default;

 private:
  std::vector<Resource> entries_;
};

inline Resources operator+(Resources a, const Resources& b) { return a += b; }
inline Resources operator-(Resources a, const Resources& b) { return a -= b; }

/// Role names: `*`, or parts of `[A-Za-z0-9_.-]` joined by `/`, at most 255 bytes; a part is not
/// `.` or `..` and does not begin with `-`. The error says what is wrong.
LIBRM_DECL Result<void> check_role(std::string_view role);

/// What an entry amounts to: a scalar's value, a count of members otherwise.
LIBRM_DECL Amount amount_of(const Resource& resource);

/// The form that parse() reads; parse(to_string(r)) == r for what has no revocable part, which is
/// printed as `cpus{revocable}:2`.
LIBRM_DECL std::string to_string(const Resources& resources);
LIBRM_DECL std::string to_string(const Ranges& ranges);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/resources.ipp"
#endif
