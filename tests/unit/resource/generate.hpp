// Random resources for property tests, small enough that values collide.
#pragma once

#include <string>
#include <vector>

#include "librm/base/prng.hpp"
#include "librm/resource/resources.hpp"

namespace librm::test {

inline Ranges random_ranges(Prng& random, std::uint64_t bound) {
  std::vector<Range> ranges;
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    const std::uint64_t begin = random.below(bound);
    ranges.push_back({begin, begin + random.below(bound - begin)});
  }
  return Ranges(std::move(ranges));
}

inline Resources random_resources(Prng& random) {
  Resources resources;
  for (std::uint64_t n = random.below(6); n > 0; --n) {
    Resource entry;
    entry.reservations = reserved_for(random.chance(1, 3) ? "prod" : any_role);
    switch (random.below(4)) {
      case 0:
        entry.name = "ports";
        entry.value = random_ranges(random, 20);
        break;
      case 1:
        entry.name = "disks";
        entry.value =
            StringSet{"d" + std::to_string(random.below(4)), "d" + std::to_string(random.below(4))};
        break;
      default:
        entry.name = random.chance(1, 2) ? "cpus" : "mem";
        entry.value = Amount{random.between(0, 9)};
    }
    resources.add(std::move(entry));
  }
  return resources;
}

/// A random part of the whole.
inline Resources random_part(Prng& random, const Resources& whole) {
  Resources part;
  for (Resource entry : whole.list()) {
    if (auto* amount = std::get_if<Amount>(&entry.value)) {
      amount->milli = random.between(0, amount->milli);
    } else if (auto* ranges = std::get_if<Ranges>(&entry.value)) {
      *ranges = ranges->lowest(random.below(ranges->count() + 1));
    } else if (auto* set = std::get_if<StringSet>(&entry.value)) {
      std::erase_if(*set, [&](const std::string&) { return random.chance(1, 2); });
    }
    part.add(std::move(entry));
  }
  return part;
}

}  // namespace librm::test
