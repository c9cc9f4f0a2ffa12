// Unpacking with libarchive, entry by entry under ArchiveRules.
#pragma once

#include <cstdint>
#include <string>

#include "fetch/rules.hpp"
#include "fetch/sandbox.hpp"
#include "librm/base/result.hpp"

namespace librm::fetch {

/// Unpacks an archive into `directory` and returns how many bytes that made. Changes the process's
/// working directory. What was unpacked before an error stays. `at_top` as in ArchiveRules.
Result<std::uint64_t> unpack_archive(const Descriptor& archive, const Descriptor& directory,
                                     bool at_top, const UnpackLimits& limits);

/// Unpacks one gzip-packed file into the empty file `to`.
Result<std::uint64_t> unpack_gzip(const Descriptor& packed, const Descriptor& to,
                                  const UnpackLimits& limits);

}  // namespace librm::fetch
