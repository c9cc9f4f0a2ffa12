// Printing resources, in the form that parse() reads.
#pragma once

#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/impl/parse.ipp"
#include "librm/resource/resources.hpp"

namespace librm {

namespace detail {

inline std::string principal_text(const std::string& principal) {
  return principal.empty() ? "" : '@' + token_text(principal, Cursor::is_bare);
}

inline std::string layer_text(const Reservation& layer) {
  std::string text = (layer.dynamic ? "+" : "") + layer.role + principal_text(layer.principal);
  char separator = '{';
  for (const auto& [key, value] : layer.labels) {
    text += separator + token_text(key, Cursor::is_bare) + '=' + token_text(value, Cursor::is_bare);
    separator = ',';
  }
  return layer.labels.empty() ? text : text + '}';
}

}  // namespace detail

LIBRM_DECL std::string to_string(const Reservations& reservations) {
  std::string text;
  for (const Reservation& layer : reservations) {
    text += (text.empty() ? "" : ">") + detail::layer_text(layer);
  }
  return text.empty() ? std::string(any_role) : text;
}

LIBRM_DECL std::string key_of(const Resource& resource) {
  std::string text = resource.name;
  if (!resource.reservations.empty()) text += '(' + to_string(resource.reservations) + ')';
  if (resource.volume) {
    text += '[' + detail::token_text(resource.volume->id, detail::Cursor::is_bare);
    if (resource.volume->shared) text += '&';
    text += detail::principal_text(resource.volume->principal) + ']';
  }
  return resource.revocable ? text + "{revocable}" : text;
}

LIBRM_DECL std::string to_string(const Ranges& ranges) {
  std::string text = "[";
  for (const Range& range : ranges.list()) {
    if (text.size() > 1) text += ',';
    text += std::to_string(range.begin) + '-' + std::to_string(range.end);
  }
  return text + ']';
}

LIBRM_DECL std::string set_text(const StringSet& set) {
  std::string members;
  for (const std::string& member : set) {
    members += (members.empty() ? "" : ",") + detail::token_text(member, detail::is_member);
  }
  return '{' + members + '}';
}

LIBRM_DECL std::string to_string(const Resources& resources) {
  std::string text;
  for (const Resource& entry : resources.list()) {
    if (!text.empty()) text += ';';
    text += key_of(entry) + ':';
    if (const auto* amount = std::get_if<Amount>(&entry.value)) {
      text += to_string(*amount);
    } else if (const auto* ranges = std::get_if<Ranges>(&entry.value)) {
      text += to_string(*ranges);
    } else {
      text += set_text(std::get<StringSet>(entry.value));
    }
  }
  return text;
}

}  // namespace librm
