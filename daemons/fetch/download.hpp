// Getting the bytes: from the network with libcurl, or from a file of this host.
#pragma once

#include <cstdint>

#include "fetch/rules.hpp"
#include "fetch/sandbox.hpp"
#include "librm/base/result.hpp"

namespace librm::fetch {

struct DownloadLimits {
  std::uint64_t bytes_max = 0;
  long connect_timeout_s = 30;
  long stall_timeout_s = 60;  ///< with less than a byte a second
  long redirects_max = 10;    ///< to http, https and ftp only
};

/// Appends to `file` and returns how many bytes came. The error is the reason alone, without the
/// URI: `connection refused`, `the server answered 404`.
Result<std::uint64_t> download(const Source& source, const Descriptor& file,
                               const DownloadLimits& limits);

}  // namespace librm::fetch
