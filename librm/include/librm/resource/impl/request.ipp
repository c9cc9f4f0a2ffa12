// Reading and printing of requests.
#pragma once

#include <set>
#include <utility>

#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/impl/parse.ipp"
#include "librm/resource/request.hpp"

namespace librm {

LIBRM_DECL Result<Request> parse_request(std::string_view text) {
  Request request;
  std::set<std::string_view> seen;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    const auto name = cursor.take_name();
    if (!name) return tl::unexpected<Error>(name.error());
    if (!cursor.take(':')) return cursor.expected("':'");
    const auto amount = detail::read_amount(cursor);
    if (!amount) return tl::unexpected<Error>(amount.error());
    if (!seen.insert(*name).second) return cursor.wrong(*name, "is given twice");
    if (amount->milli > 0) request.amounts.emplace(*name, *amount);
    return {};
  };
  const auto read = detail::read_entries(text, read_entry);
  if (!read) return tl::unexpected<Error>(read.error());
  return request;
}

LIBRM_DECL std::string to_string(const Request& request) {
  std::string text;
  for (const auto& [name, amount] : request.amounts) {
    if (!text.empty()) text += ';';
    text += name + ':' + to_string(amount);
  }
  return text;
}

}  // namespace librm
