// Where tasks may run, said in attributes: on which agents, and how spread over them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/attributes.hpp"

namespace librm {

enum class ConstraintKind : std::uint8_t {
  equals,      ///< `rack == r7`
  not_equals,  ///< `rack != r7`
  like,        ///< `os like lin.*`: a regular expression that matches the whole value
  unlike,      ///< `os unlike win.*`
  unique,      ///< `@hostname unique`: each value once
  group_by,    ///< `rack group_by 3`: evenly over the values, at least 3; without a number over
               ///< those that are known
  max_per,     ///< `rack max_per 2`: at most 2 on each value
};

/// One condition on one attribute; several are all to be kept. An agent without the attribute
/// keeps not_equals and unlike, and no other.
struct Constraint {
  std::string attribute;  ///< a name as in Attributes, or `@hostname`, `@region`, `@zone`
  ConstraintKind kind = ConstraintKind::equals;
  std::string value;        ///< of equals, not_equals; the pattern of like, unlike
  std::uint32_t count = 0;  ///< of group_by, max_per
  bool operator==(const Constraint&) const = default;
};

/// Reads one as above. A value goes to the end, without the white space around it; one that is
/// empty, begins with a quote or has `;`, control characters or such white space goes in quotes,
/// as in Resources. The error names the position (from 1) and what was expected.
LIBRM_DECL Result<Constraint> parse_constraint(std::string_view text);
LIBRM_DECL std::string to_string(const Constraint& constraint);

/// Reads `rack == r7; @hostname unique`. Limits: 64 KiB of text, 256 constraints, values of 255
/// bytes as written.
LIBRM_DECL Result<std::vector<Constraint>> parse_constraints(std::string_view text);
LIBRM_DECL std::string to_string(const std::vector<Constraint>& constraints);

/// Regular expressions, which this library does not know itself.
class Matcher {
 public:
  virtual ~Matcher() = default;
  /// Whether the pattern matches the whole text; fails with invalid_argument for a bad pattern.
  virtual Result<bool> matches(std::string_view pattern, std::string_view text) const = 0;
};

/// Why this agent does not keep the constraint: `rack: need r7, agent has r9`, `rack: agent has no
/// rack`. Of unique, group_by and max_per only that the attribute is there is asked here; see
/// Spread. What a value equals depends on the agent's: a scalar the same number; ranges and sets
/// each member, and what lists members only; text the same text. like looks at the text, and of a
/// set for any member. Without a matcher, and with a bad pattern, like and unlike are not kept.
LIBRM_DECL std::optional<std::string> mismatch(const Constraint& constraint,
                                               const AgentFacts& facts, const Matcher* matcher);

/// How many of one group of tasks are on each value, for unique, group_by and max_per; other kinds
/// are ignored. A value; not safe for writers and readers at once.
class Spread {
 public:
  explicit Spread(const std::vector<Constraint>& constraints);

  /// Why one more on this agent would break a constraint: `rack r7 has 2 of at most 2`.
  std::optional<std::string> mismatch(const AgentFacts& facts) const;
  /// One more was put there, allowed or not.
  void add(const AgentFacts& facts);
  /// One of those is gone.
  void remove(const AgentFacts& facts);
  /// The agent could be chosen, so group_by counts its value as a group; to be told of all agents
  /// where the spread should be over all that there is, not only over what was chosen.
  void know(const AgentFacts& facts);

 private:
  struct Group {
    std::uint64_t count = 0;
    bool known = false;  ///< stays without any
  };
  struct Tally {
    Constraint constraint;
    std::map<std::string, Group> groups;                 ///< by canonical value
    std::map<std::uint64_t, std::uint64_t> groups_with;  ///< how many groups have that count
  };
  static std::optional<std::string> uneven(const Tally& tally, const std::string& value);
  enum class Change : std::uint8_t { add, remove, know };
  void change(const AgentFacts& facts, Change change);

  std::vector<Tally> tallies_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/constraint.ipp"
#endif
