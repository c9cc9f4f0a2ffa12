// Reserving, unreserving, and volumes, as conversions of entries.
#pragma once

#include <algorithm>
#include <optional>
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

// --- over restarts of the agent ---

namespace detail {

inline bool is_made(const Resource& entry) {
  return entry.volume || (!entry.reservations.empty() && entry.reservations.back().dynamic);
}

inline Resource started_entry(Resource entry) {
  entry.volume.reset();
  while (!entry.reservations.empty() && entry.reservations.back().dynamic) {
    entry.reservations.pop_back();
  }
  return entry;
}

inline Resources one(Resource entry) {
  Resources resources;
  resources.add(std::move(entry));
  return resources;
}

/// The value of the entry with this key; null where there is none.
inline const Resource::Value* value_of(const Resources& resources, const Resource& key) {
  const auto& list = resources.list();
  const auto at = skip_to(list.begin(), list.end(), key);
  return at != list.end() && compare_keys(*at, key) == 0 ? &at->value : nullptr;
}

inline Resource::Value rest_of(Resource::Value value, const Resource::Value* part) {
  if (part == nullptr) return value;
  subtract(value, *part);
  return value;
}

/// How much of what is wanted is there.
inline Resource::Value common_part(const Resource::Value& wanted, const Resource::Value& there) {
  if (const auto* amount = std::get_if<Amount>(&wanted)) {
    return std::clamp(std::get<Amount>(there), Amount{}, *amount);
  }
  const Resource::Value beyond = rest_of(wanted, &there);
  return rest_of(wanted, &beyond);
}

/// Makes as much of the entry as can be; returns how much.
inline std::optional<Resource::Value> make_again(Resources& total, const Resource& entry,
                                                 const Resources& held) {
  Resource base = started_entry(entry);
  const Resource::Value* there = value_of(total, base);
  if (there == nullptr || (entry.volume && has_volume(total, entry.volume->id))) return {};
  Resource part = entry;
  part.value = common_part(entry.value, rest_of(*there, value_of(held, base)));
  if (is_empty(part.value) || (entry.volume && part.value != entry.value)) return {};
  base.value = part.value;
  const Resources rest = total - one(base);
  const Resources added = one(part);
  const Resources result = rest + added;
  if (!result.contains(added) || result - added != rest) return {};
  total = result;
  return part.value;
}

}  // namespace detail

LIBRM_DECL Resources as_started(const Resources& resources) {
  Resources started;
  const Resource* before = nullptr;
  for (const Resource& entry : resources.list()) {
    const bool again =
        before != nullptr && entry.volume && entry.volume->shared && *before == entry;
    before = &entry;
    if (!again) started.add(detail::started_entry(entry));
  }
  return started;
}

LIBRM_DECL Resources made_in(const Resources& total) {
  Resources made;
  for (const Resource& entry : total.list()) {
    if (detail::is_made(entry)) made.add(entry);
  }
  return made;
}

LIBRM_DECL Restored restore(const Resources& reported, const Resources& made,
                            const Resources& held) {
  Restored restored{reported, {}};
  Resources known = made_in(reported);
  for (const bool volumes : {true, false}) {
    for (const Resource& entry : made.list()) {
      if (entry.volume.has_value() != volumes) continue;
      const Resources whole = detail::one(entry);
      if (known.contains(whole)) {
        known -= whole;
        continue;
      }
      const auto part = detail::make_again(restored.total, entry, held);
      Resource missing = entry;
      if (part) detail::subtract(missing.value, *part);
      restored.missing.add(std::move(missing));
    }
  }
  return restored;
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
