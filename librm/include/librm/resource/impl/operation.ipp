// Reserving, unreserving, and volumes, as conversions of entries.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/resource/fits.hpp"
#include "librm/resource/impl/print.ipp"
#include "librm/resource/impl/resources.ipp"
#include "librm/resource/operation.hpp"

namespace librm {

namespace detail {

inline Reservation layer_of(const Operation& operation) {
  Reservation layer = operation.reservation;
  layer.dynamic = true;
  return layer;
}

inline Result<void> refuse(const Operation& operation, const Resource& entry,
                           const std::string& why) {
  return fail(ErrorCode::invalid_argument,
              std::string(to_string(operation.kind)) + ' ' + key_of(entry) + ": " + why);
}

inline Result<void> reserve_entry(const Operation& operation, Resource& entry) {
  if (entry.volume) return refuse(operation, entry, "a volume keeps its reservation");
  Resource reserved = entry;
  reserved.reservations.push_back(layer_of(operation));
  if (auto valid = check_reservations(reserved.reservations); !valid) {
    return refuse(operation, entry, valid.error().message);
  }
  entry = std::move(reserved);
  return {};
}

inline Result<void> unreserve_entry(const Operation& operation, Resource& entry) {
  if (entry.volume) return refuse(operation, entry, "destroy the volume first");
  if (entry.reservations.empty()) return refuse(operation, entry, "is not reserved");
  if (!entry.reservations.back().dynamic) {
    return refuse(operation, entry, "is reserved statically, which only the agent's start changes");
  }
  const Reservation layer = layer_of(operation);
  if (entry.reservations.back() != layer) {
    return refuse(operation, entry,
                  "is reserved as " + layer_text(entry.reservations.back()) + ", not as " +
                      layer_text(layer));
  }
  entry.reservations.pop_back();
  return {};
}

inline Result<void> create_volume(const Operation& operation, Resource& entry) {
  if (entry.volume) return refuse(operation, entry, "is a volume already");
  if (entry.name != "disk" && entry.name != "disks") {
    return refuse(operation, entry, "only disk and disks can hold a volume");
  }
  if (entry.reservations.empty()) return refuse(operation, entry, "a volume needs reserved disk");
  if (operation.volume.id.empty()) return refuse(operation, entry, "a volume needs an id");
  entry.volume = operation.volume;
  return {};
}

inline Result<void> destroy_volume(const Operation& operation, Resource& entry) {
  if (!entry.volume) return refuse(operation, entry, "is not a volume");
  if (*entry.volume != operation.volume) {
    return refuse(operation, entry, "is not volume " + operation.volume.id + " as it was made");
  }
  entry.volume.reset();
  return {};
}

inline Result<void> convert_entry(const Operation& operation, Resource& entry) {
  if (entry.revocable) return refuse(operation, entry, "revocable resources stay what they are");
  switch (operation.kind) {
    case OperationKind::reserve:
      return reserve_entry(operation, entry);
    case OperationKind::unreserve:
      return unreserve_entry(operation, entry);
    case OperationKind::create_volume:
      return create_volume(operation, entry);
    case OperationKind::destroy_volume:
      return destroy_volume(operation, entry);
  }
  return fail(ErrorCode::invalid_argument, "operation: unknown kind");
}

inline bool concerns_volume(OperationKind kind) {
  return kind == OperationKind::create_volume || kind == OperationKind::destroy_volume;
}

inline bool has_volume(const Resources& resources, const std::string& id) {
  return std::any_of(resources.list().begin(), resources.list().end(),
                     [&](const Resource& entry) { return entry.volume && entry.volume->id == id; });
}

}  // namespace detail

LIBRM_DECL const char* to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::reserve:
      return "reserve";
    case OperationKind::unreserve:
      return "unreserve";
    case OperationKind::create_volume:
      return "create_volume";
    case OperationKind::destroy_volume:
      return "destroy_volume";
  }
  return "unknown";
}

LIBRM_DECL Result<Conversion> convert(const Operation& operation) {
  const std::string kind = to_string(operation.kind);
  const std::size_t entries = operation.resources.list().size();
  if (entries == 0) return fail(ErrorCode::invalid_argument, kind + ": names no resources");
  if (detail::concerns_volume(operation.kind) && entries != 1) {
    return fail(ErrorCode::invalid_argument, kind + ": need one entry, got " +
                                                 std::to_string(entries) + ": " +
                                                 to_string(operation.resources));
  }
  Conversion conversion{operation.resources, {}};
  for (Resource entry : operation.resources.list()) {
    if (auto done = detail::convert_entry(operation, entry); !done) {
      return tl::unexpected<Error>(done.error());
    }
    conversion.converted.add(std::move(entry));
  }
  return conversion;
}

LIBRM_DECL Result<Resources> apply(const Operation& operation, const Resources& total) {
  const Result<Conversion> conversion = convert(operation);
  if (!conversion) return tl::unexpected<Error>(conversion.error());
  const std::string kind = to_string(operation.kind);
  if (const auto lack = shortage(conversion->consumed, total)) {
    return fail(ErrorCode::resource_exhausted, kind + ": " + to_string(*lack));
  }
  if (operation.kind == OperationKind::create_volume &&
      detail::has_volume(total, operation.volume.id)) {
    return fail(ErrorCode::already_exists, kind + ": volume " + operation.volume.id + " exists");
  }
  const Resources rest = total - conversion->consumed;
  Resources result = rest + conversion->converted;
  if (!result.contains(conversion->converted) || result - conversion->converted != rest) {
    return fail(ErrorCode::failed_precondition,
                kind + ": " + to_string(conversion->converted) + " would be lost in what is there");
  }
  return result;
}

LIBRM_DECL Result<Operation> inverse(const Operation& operation) {
  Result<Conversion> conversion = convert(operation);
  if (!conversion) return tl::unexpected<Error>(conversion.error());
  Operation back = operation;
  back.resources = std::move(conversion->converted);
  switch (operation.kind) {
    case OperationKind::reserve:
      back.kind = OperationKind::unreserve;
      break;
    case OperationKind::unreserve:
      back.kind = OperationKind::reserve;
      break;
    case OperationKind::create_volume:
      back.kind = OperationKind::destroy_volume;
      break;
    case OperationKind::destroy_volume:
      back.kind = OperationKind::create_volume;
      break;
  }
  return back;
}

LIBRM_DECL std::string to_string(const Operation& operation) {
  const std::string kind = to_string(operation.kind);
  const std::string of = to_string(operation.resources);
  if (!detail::concerns_volume(operation.kind)) {
    return kind + ' ' + of + " for " + detail::layer_text(detail::layer_of(operation));
  }
  return kind + ' ' + operation.volume.id + " of " + of;
}

}  // namespace librm
