// Random resources for property tests, small enough that values collide.
#pragma once

#include <algorithm>
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

/// Words that need quotes, and some that don't.
inline std::string random_word(Prng& random) {
  static const std::vector<std::string> words = {
      "a", "ops/x", "two words", "\"", "\\x", "a;b", "}{", std::string("\0\xff\n", 3), "=@>&]"};
  return words[random.below(words.size())];
}

/// Mostly none or a static one; else up to three layers with principals and labels.
inline Reservations random_reservations(Prng& random) {
  if (random.chance(1, 2)) return reserved_for(random.chance(1, 3) ? "prod" : any_role);
  Reservations layers;
  std::string role = random.chance(1, 2) ? "prod" : "eng";
  for (std::uint64_t n = random.below(3);; --n) {
    Reservation layer{role, !layers.empty() || random.chance(1, 2), {}, {}};
    if (random.chance(1, 3)) layer.principal = random_word(random);
    if (random.chance(1, 4)) layer.labels[random_word(random)] = random_word(random);
    if (random.chance(1, 4)) layer.labels["tier"] = random.chance(1, 2) ? "" : "gold";
    layers.push_back(std::move(layer));
    if (n == 0) return layers;
    role += random.chance(1, 2) ? "/a" : "/b";
  }
}

inline Resource random_resource(Prng& random) {
  Resource entry;
  entry.reservations = random_reservations(random);
  entry.revocable = random.chance(1, 8);
  switch (random.below(5)) {
    case 0:
      entry.name = "ports";
      entry.value = random_ranges(random, 20);
      break;
    case 1:
      entry.name = "disks";
      entry.value =
          StringSet{"d" + std::to_string(random.below(4)), "d" + std::to_string(random.below(4))};
      if (random.chance(1, 6)) std::get<StringSet>(entry.value).push_back(random_word(random));
      break;
    case 2:
      entry.name = "disk";
      entry.value = Amount{random.between(0, 5)};
      if (entry.reservations.empty() || random.chance(1, 2)) break;
      entry.volume = Volume{random_word(random), random.chance(1, 3),
                            random.chance(1, 3) ? random_word(random) : ""};
      break;
    default:
      entry.name = random.chance(1, 2) ? "cpus" : "mem";
      entry.value = Amount{random.between(0, 9)};
  }
  return entry;
}

/// Few keys, so that entries of two values often meet.
inline Resources random_resources(Prng& random) {
  Resources resources;
  for (std::uint64_t n = random.below(6); n > 0; --n) resources.add(random_resource(random));
  return resources;
}

/// A random part of the whole; a volume is a piece.
inline Resources random_part(Prng& random, const Resources& whole) {
  Resources part;
  for (Resource entry : whole.list()) {
    if (entry.volume) {
      if (random.chance(1, 2)) part.add(std::move(entry));
      continue;
    }
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

/// What of `other` is not a member of a range or set of `whole`, entry by entry: the two can be
/// added and taken apart again, as the parts of one agent can.
inline Resources disjoint_from(const Resources& whole, const Resources& other) {
  Resources rest;
  for (Resource entry : other.list()) {
    for (const Resource& there : whole.list()) {
      if (there.name != entry.name || there.value.index() != entry.value.index()) continue;
      if (auto* ranges = std::get_if<Ranges>(&entry.value)) {
        *ranges -= std::get<Ranges>(there.value);
      } else if (auto* set = std::get_if<StringSet>(&entry.value)) {
        const auto& taken = std::get<StringSet>(there.value);
        std::erase_if(*set, [&](const std::string& member) {
          return std::find(taken.begin(), taken.end(), member) != taken.end();
        });
      }
    }
    rest.add(std::move(entry));
  }
  return rest;
}

}  // namespace librm::test
