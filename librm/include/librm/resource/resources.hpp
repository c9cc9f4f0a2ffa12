// Resources as values: named scalars, ranges and sets, each for a role, with an exact algebra.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "librm/base/amount.hpp"
#include "librm/base/boxed.hpp"
#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/reservation.hpp"

namespace librm {

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
  auto operator<=>(const Ranges&) const = default;
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
  Reservations reservations{};  ///< outermost first; empty: unreserved
  bool revocable = false;       ///< may be taken back at any time
  Boxed<Volume> volume{};       ///< set: a persistent volume, and one piece
  Value value;

  /// Whose it is at present: the innermost reservation's role, or `*`.
  std::string_view role() const {
    return reservations.empty() ? any_role : std::string_view(reservations.back().role);
  }
  bool operator==(const Resource&) const = default;
};

/// Whether what may be taken back at any time counts, too.
enum class Revocable : bool { excluded, included };

/// What is offered to a role: unreserved, or reserved for it or for a role above it (`eng/backend`
/// may use what is kept for `eng`); revocable ones only for who asks for them.
inline bool usable(const Resource& entry, std::string_view role,
                   Revocable revocable = Revocable::excluded) {
  if (entry.revocable && revocable == Revocable::excluded) return false;
  return entry.reservations.empty() || entry.role() == role || is_below(role, entry.role());
}

/// A canonical multiset of resources: sorted by name, reservations, revocable, volume, kind;
/// entries of equal key are merged; empty entries (and amounts below zero) are dropped; a scalar's
/// sum stays at Amount::milli_max when it gets there. Ranges and sets are unions, so adding and
/// taking away is exact as long as what is added is disjoint, as the parts of one agent are.
/// Volumes are pieces: each stays an entry of its own, is there once for each time that it was
/// added, and goes as a whole. A value: copy it, compare it, share it between threads when nobody
/// writes.
class Resources {
 public:
  Resources() = default;

  /// Reads entries between `;`, and white space around tokens:
  ///
  ///     cpus:8;mem:16384;ports:[31000-32000];disks:{sda,sdb}    unreserved
  ///     cpus(prod):4                                            reserved statically
  ///     cpus(+eng@alice{tier=gold,owner="a b"}):2               dynamically, with its maker,
  ///     labels cpus(eng>+eng/backend@ops):2                            refined: a role below,
  ///     dynamically disk(eng)[db1]:1024;disk(eng)[db2&@bob]:10              volumes; & is shared;
  ///     @ its maker cpus{revocable}:2                                       may be taken back at
  ///     any time
  ///
  /// With a default role, what names no role is reserved for it statically, except what is
  /// revocable; `disk(*):5` is unreserved. A name may occur once for each of what is in brackets
  /// (volumes, being pieces, more often), and is of one kind. Principals, labels, volume ids and
  /// set members that are not plain words go in quotes: `"\x0a\"\\"`. The error names the position
  /// (from 1) and what was expected. Limits: 64 KiB of text, 256 entries, 16 layers, names of
  /// 1..64 bytes `[A-Za-z0-9_.-]`, other words of 255 bytes as written.
  static Result<Resources> parse(std::string_view text, std::string_view default_role = any_role);

  /// One scalar, reserved statically unless the role is `*`: `Resources::scalar("cpus", four)`.
  static Resources scalar(std::string name, Amount amount, std::string_view role = any_role);

  const std::vector<Resource>& list() const { return entries_; }
  bool empty() const { return entries_.empty(); }

  /// The sum over all roles of a scalar, the count of a ranges' or set's members; 0 if absent;
  /// at most Amount::milli_max.
  Amount amount(std::string_view name) const;

  void add(Resource resource);
  /// True where `other` is a part of this, role by role.
  bool contains(const Resources& other) const;
  /// The same for the entries of `other` that are usable() by the role.
  bool contains_usable(const Resources& other, std::string_view role,
                       Revocable revocable = Revocable::excluded) const;
  Resources& operator+=(const Resources& other);
  Resources& operator+=(Resources&& other);
  /// Precondition: contains(other); checked.
  Resources& operator-=(const Resources& other);

  /// What is usable() by the role, by default with what is revocable.
  Resources usable_by(std::string_view role, Revocable revocable = Revocable::included) const;
  /// Removes and returns what is usable() by the role.
  Resources take_usable(std::string_view role, Revocable revocable = Revocable::excluded);
  /// Everything as if unreserved and without volumes, for adding up.
  Resources unreserved() const;

  bool operator==(const Resources&) const = default;

 private:
  std::vector<Resource> entries_;
};

inline Resources operator+(Resources a, const Resources& b) { return a += b; }
inline Resources operator-(Resources a, const Resources& b) { return a -= b; }

/// What an entry amounts to: a scalar's value, a count of members otherwise.
LIBRM_DECL Amount amount_of(const Resource& resource);

/// The form that parse() reads; parse(to_string(r)) == r for whatever keeps parse()'s rules.
LIBRM_DECL std::string to_string(const Resources& resources);
/// What is before the colon: `cpus(+eng@alice)`.
LIBRM_DECL std::string key_of(const Resource& resource);
LIBRM_DECL std::string to_string(const Reservations& reservations);  ///< `eng>+eng/db`, or `*`
LIBRM_DECL std::string set_text(const StringSet& set);               ///< `{a,b}`
LIBRM_DECL std::string to_string(const Ranges& ranges);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/print.ipp"
#include "librm/resource/impl/resources.ipp"
#endif
