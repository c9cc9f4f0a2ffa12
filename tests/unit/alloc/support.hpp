// Short words for allocator tests: ids, resources, and a cluster with a clock.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "librm/alloc/allocator.hpp"

namespace librm::test {

inline Resources resources(std::string_view text) { return Resources::parse(text).value(); }
inline Request request(std::string_view text) { return parse_request(text).value(); }

/// `f-1@a-2:cpus:4`, for comparisons that read well.
inline std::string shown(const Offer& offer) {
  return to_string(offer.framework) + '@' + to_string(offer.agent) + ':' +
         to_string(offer.resources);
}

/// An allocator with a clock; after each call its invariants hold.
class Cluster {
 public:
  explicit Cluster(AllocatorOptions options = {}) : allocator(options) {}

  Cluster& framework(std::uint64_t id, std::set<std::string> roles = {"*"}) {
    EXPECT_TRUE(allocator.add_framework({id}, std::move(roles)));
    return *this;
  }
  Cluster& agent(std::uint64_t id, std::string_view total,
                 const std::vector<Allocator::Held>& held = {}) {
    const auto added =
        allocator.add_agent({id}, "host-" + std::to_string(id), resources(total), {}, held);
    EXPECT_TRUE(added) << added.error().message;
    return *this;
  }
  Cluster& after(Duration span) {
    now = now + span;
    return *this;
  }

  std::vector<Offer> run() {
    auto offers = allocator.run(now);
    expect_sound();
    return offers;
  }
  std::vector<std::string> run_shown() {
    std::vector<std::string> texts;
    for (const Offer& offer : run()) texts.push_back(shown(offer));
    return texts;
  }
  /// The only offer of a run.
  Offer one() {
    auto offers = run();
    EXPECT_EQ(offers.size(), 1u);
    return offers.empty() ? Offer{} : offers.front();
  }
  void accept(const Offer& offer, std::string_view used, Duration refuse_for = {}) {
    const auto accepted = allocator.accept({{offer.id}}, resources(used), now, refuse_for);
    EXPECT_TRUE(accepted) << accepted.error().message;
    expect_sound();
  }
  void decline(const Offer& offer, Duration refuse_for, std::string reason = "") {
    EXPECT_TRUE(allocator.decline(offer.id, now, refuse_for, std::move(reason)));
    expect_sound();
  }
  void release(std::uint64_t framework, std::uint64_t agent, std::string_view what,
               std::string_view role = "*") {
    allocator.release({framework}, {agent}, role, resources(what));
    expect_sound();
  }
  /// The reason for one agent.
  std::string why(std::uint64_t framework, std::uint64_t agent, std::string_view wanted,
                  std::string_view role = "*") const {
    for (const auto& entry : allocator.explain({framework}, role, request(wanted), now)) {
      EXPECT_EQ(entry.fits, entry.reason == "fits");
      if (entry.agent == AgentId{agent}) return entry.reason;
    }
    return "no such agent";
  }
  void expect_sound() const {
    for (const std::string& violation : allocator.check_invariants()) ADD_FAILURE() << violation;
  }

  Allocator allocator;
  Instant now{1'000'000'000};
};

}  // namespace librm::test
