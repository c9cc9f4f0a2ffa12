// All reasons in a sentence.
#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "librm/alloc/explain.hpp"

namespace librm {

LIBRM_DECL std::string summary(const std::vector<Explanation>& explanations) {
  struct Group {
    std::size_t count = 0;
    std::optional<Shortage> most;  ///< the one with the most free
  };
  // Shortages of the same need are one reason, whatever is free on each agent.
  std::map<std::string, Group> groups;
  std::size_t fitting = 0;
  for (const Explanation& one : explanations) {
    if (one.fits) {
      ++fitting;
      continue;
    }
    const bool amounts = one.shortage.has_value();
    Group& group = groups[amounts ? "short of " + one.shortage->name + ": need " +
                                        to_string(one.shortage->need)
                                  : one.reason];
    ++group.count;
    if (amounts && (!group.most || group.most->free < one.shortage->free)) {
      group.most = one.shortage;
    }
  }
  std::vector<std::pair<std::string, Group>> sorted(groups.begin(), groups.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  std::string text = std::to_string(fitting) + " of " + std::to_string(explanations.size()) +
                     (explanations.size() == 1 ? " agent fits" : " agents fit");
  for (const auto& [reason, group] : sorted) {
    text += "; " + std::to_string(group.count) + ' ' + reason;
    if (group.most) text += ", most free " + to_string(group.most->free);
  }
  return text;
}

}  // namespace librm
