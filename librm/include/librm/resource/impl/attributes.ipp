// Reading and printing of attributes.
#pragma once

#include <utility>

#include "librm/resource/attributes.hpp"
#include "librm/resource/impl/cursor.hpp"

namespace librm {

LIBRM_DECL Result<Attributes> parse_attributes(std::string_view text) {
  constexpr std::size_t value_bytes_max = 255;
  Attributes attributes;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    const auto name = cursor.take_name();
    if (!name) return tl::unexpected<Error>(name.error());
    if (!cursor.take(':')) return cursor.expected("':'");
    std::string_view value = cursor.take_while([](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return c != ';' && byte >= 0x20 && byte != 0x7f;
    });
    while (!value.empty() && detail::Cursor::is_space(value.back())) value.remove_suffix(1);
    if (value.empty()) return cursor.expected("a value");
    if (value.size() > value_bytes_max) return cursor.wrong(value, "is longer than 255 bytes");
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

}  // namespace librm
