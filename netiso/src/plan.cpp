// Compares desired with observed links; no effects.
#include "netiso/plan.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace netiso {
namespace {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

constexpr std::uint32_t mtu_min = 68;  // RFC 791: what every IPv4 link carries
constexpr std::uint32_t mtu_max = 65'536;

Result<void> check(const DesiredLink& link) {
  if (link.mtu && (*link.mtu < mtu_min || *link.mtu > mtu_max)) {
    return fail(ErrorCode::invalid_argument,
                "link " + link.name + ": mtu: " + std::to_string(*link.mtu) + ", need " +
                    std::to_string(mtu_min) + ".." + std::to_string(mtu_max));
  }
  return {};
}

}  // namespace

Result<std::vector<Operation>> plan(const std::vector<DesiredLink>& desired,
                                    const std::vector<LinkStatistics>& observed) {
  std::vector<Operation> sizes;
  std::vector<Operation> states;
  std::set<std::string> seen;
  for (const DesiredLink& link : desired) {
    if (auto ok = check(link); !ok) return tl::unexpected(ok.error());
    if (!seen.insert(link.name).second) {
      return fail(ErrorCode::invalid_argument, "link " + link.name + ": desired twice");
    }
    const auto found = std::find_if(observed.begin(), observed.end(),
                                    [&](const auto& there) { return there.name == link.name; });
    if (found == observed.end()) {
      return fail(ErrorCode::not_found, "link " + link.name + ": no such link");
    }
    if (link.mtu && *link.mtu != found->mtu) {
      sizes.push_back(SetLinkMtu{link.name, *link.mtu, found->mtu});
    }
    if (link.up && *link.up != found->up) {
      states.push_back(SetLinkUp{link.name, *link.up, found->up});
    }
  }
  sizes.insert(sizes.end(), states.begin(), states.end());
  return sizes;
}

}  // namespace netiso
