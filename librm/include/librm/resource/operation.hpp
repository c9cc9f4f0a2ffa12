// Changes of what an agent's resources are for: reserving them, and making volumes of them.
#pragma once

#include <cstdint>
#include <string>

#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

enum class OperationKind : std::uint8_t {
  reserve,         ///< pushes a layer on what is unreserved or reserved for a role above
  unreserve,       ///< pops that layer
  create_volume,   ///< of one entry of reserved disk
  destroy_volume,  ///< which becomes the reserved disk that it was
};

/// `reserve`, `create_volume`.
LIBRM_DECL const char* to_string(OperationKind kind);

/// One change. Amounts stay what they are, name by name; only what they are for changes.
struct Operation {
  OperationKind kind = OperationKind::reserve;
  Resources resources;      ///< what it is applied to, as it is before
  Reservation reservation;  ///< of reserve and unreserve; counts as dynamic whatever it says
  Volume volume;            ///< of create_volume and destroy_volume
  bool operator==(const Operation&) const = default;
};

/// What an operation takes and what it gives back for it.
struct Conversion {
  Resources consumed;
  Resources converted;
  bool operator==(const Conversion&) const = default;
};

/// Fails with invalid_argument where the operation is nonsense by itself, with the entry and why:
/// changing what is revocable; reserving a volume, or what is reserved for a role that is not
/// above; unreserving what is static or made with another principal or other labels, or a volume; a
/// volume of no disk (`disk`, or a set `disks`), of what is unreserved or of more than one entry.
LIBRM_DECL Result<Conversion> convert(const Operation& operation);

/// `total` after the operation. Fails as convert() does; with resource_exhausted where its
/// resources are not all there (`cpus(eng): need 4, free 2`), with already_exists where a volume
/// of that id is there, with failed_precondition where the result could not be undone, because
/// numbers or members would fall together or an amount would pass Amount::milli_max.
LIBRM_DECL Result<Resources> apply(const Operation& operation, const Resources& total);

/// The operation that undoes it. Fails as convert() does.
LIBRM_DECL Result<Operation> inverse(const Operation& operation);

/// As an agent has it before any operation: without dynamic layers and volumes, of which one that
/// is shared counts once. For comparing what tasks hold with what a host has.
LIBRM_DECL Resources as_started(const Resources& resources);

/// What operations may have made of a total: entries with a dynamic layer or a volume.
LIBRM_DECL Resources made_in(const Resources& total);

struct Restored {
  Resources total;
  Resources missing;  ///< of what was to be made again
};

/// Makes `made` again of what an agent reports, except what it reports as made itself. Volumes come
/// first and are whole or missing; of others what is there is kept. Not used for it is what is
/// `held`, as part of the total, by tasks.
LIBRM_DECL Restored restore(const Resources& reported, const Resources& made,
                            const Resources& held);

/// `reserve cpus:2 for +eng@alice`, `create_volume db1 of disk(eng):10`.
LIBRM_DECL std::string to_string(const Operation& operation);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/operation.ipp"
#endif
