// Reading and printing of attributes.
#pragma once

#include <utility>

#include "librm/resource/attributes.hpp"
#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/impl/parse.ipp"
#include "librm/resource/impl/print.ipp"
#include "librm/resource/impl/resources.ipp"

namespace librm {

namespace detail {

/// The value that is `text` from `start` to its end; positions in errors count from its begin.
inline Result<AttributeValue> read_attribute_at(std::string_view text, std::size_t start) {
  const std::string_view value = text.substr(start);
  if (const auto amount = parse_amount(value)) return AttributeValue(*amount);
  if (!value.starts_with('[') && !value.starts_with('{')) return AttributeValue(std::string(value));
  Cursor cursor(text, start);
  Result<Resource::Value> read = read_value(cursor);
  if (!read) return tl::unexpected<Error>(read.error());
  if (!cursor.done()) return cursor.expected("the end of the value");
  make_canonical(*read);
  if (auto* ranges = std::get_if<Ranges>(&*read)) return AttributeValue(std::move(*ranges));
  return AttributeValue(std::get<StringSet>(std::move(*read)));
}

inline std::string_view without_space_behind(std::string_view text) {
  while (!text.empty() && Cursor::is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace detail

LIBRM_DECL Result<AttributeValue> read_attribute(std::string_view text) {
  if (auto size = detail::Cursor::check_size(text); !size) {
    return tl::unexpected<Error>(size.error());
  }
  return detail::read_attribute_at(text, 0);
}

LIBRM_DECL std::string to_string(const AttributeValue& value) {
  if (const auto* amount = std::get_if<Amount>(&value)) return to_string(*amount);
  if (const auto* ranges = std::get_if<Ranges>(&value)) return to_string(*ranges);
  if (const auto* set = std::get_if<StringSet>(&value)) return set_text(*set);
  return std::get<std::string>(value);
}

LIBRM_DECL Result<Attributes> parse_attributes(std::string_view text) {
  constexpr std::size_t value_bytes_max = 255;
  Attributes attributes;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    const auto name = cursor.take_name();
    if (!name) return tl::unexpected<Error>(name.error());
    if (!cursor.take(':')) return cursor.expected("':'");
    const std::string_view value = detail::without_space_behind(cursor.take_while([](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return c != ';' && byte >= 0x20 && byte != 0x7f;
    }));
    if (value.empty()) return cursor.expected("a value");
    if (value.size() > value_bytes_max) return cursor.wrong(value, "is longer than 255 bytes");
    const auto start = static_cast<std::size_t>(value.data() - text.data());
    const auto typed = detail::read_attribute_at(text.substr(0, start + value.size()), start);
    if (!typed) return tl::unexpected<Error>(typed.error());
    const bool added = attributes.emplace(*name, value).second;
    if (!added) return cursor.wrong(*name, "is given twice");
    return {};
  };
  const auto read = detail::read_entries(text, read_entry);
  if (!read) return tl::unexpected<Error>(read.error());
  return attributes;
}

LIBRM_DECL std::string to_string(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    if (!text.empty()) text += ';';
    text += name + ':' + value;
  }
  return text;
}

LIBRM_DECL std::optional<std::string_view> find_attribute(const AgentFacts& facts,
                                                          std::string_view name) {
  if (name == "@hostname") return facts.hostname;
  if (name == "@region" || name == "@zone") name.remove_prefix(1);
  const auto found = facts.attributes.find(name);
  if (found == facts.attributes.end()) return std::nullopt;
  return found->second;
}

}  // namespace librm
