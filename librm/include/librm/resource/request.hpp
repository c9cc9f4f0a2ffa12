// What one task wants of a node: amounts by name; which ports or devices is decided at launch.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "librm/base/amount.hpp"
#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// `cpus:2;mem:512;ports:1`: for ranges and sets the amount is a count of members.
struct Request {
  std::map<std::string, Amount, std::less<>> amounts;
  bool operator==(const Request&) const = default;
};

/// Reads `cpus:2;mem:512;ports:1`; zero amounts are dropped. The error names the position (from
/// 1) and what was expected. Limits: 64 KiB of text, 256 amounts, names as in Resources.
LIBRM_DECL Result<Request> parse_request(std::string_view text);
LIBRM_DECL std::string to_string(const Request& request);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/request.ipp"
#endif
