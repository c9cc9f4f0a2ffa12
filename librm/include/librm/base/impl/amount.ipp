// Printing and parsing of fixed-point amounts.
#pragma once

#include "librm/base/amount.hpp"

namespace librm {

LIBRM_DECL std::string to_string(Amount amount) {
  std::string text;
  std::uint64_t milli = static_cast<std::uint64_t>(amount.milli);
  if (amount.milli < 0) {
    text = "-";
    milli = 0 - milli;
  }
  text += std::to_string(milli / 1000);
  std::uint64_t rest = milli % 1000;
  if (rest != 0) {
    std::string decimals = std::to_string(1000 + rest).substr(1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += '.' + decimals;
  }
  return text;
}

LIBRM_DECL std::optional<Amount> parse_amount(std::string_view text) {
  std::int64_t milli = 0;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    milli = milli * 10 + (text[i] - '0') * 1000;
    if (milli > Amount::milli_max) return std::nullopt;
  }
  if (i == 0) return std::nullopt;
  if (i < text.size() && text[i] == '.') {
    std::int64_t scale = 100;
    const std::size_t first = ++i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, scale /= 10) {
      if (scale == 0) return std::nullopt;
      milli += (text[i] - '0') * scale;
    }
    if (i == first) return std::nullopt;
  }
  if (i != text.size() || milli > Amount::milli_max) return std::nullopt;
  return Amount{milli};
}

}  // namespace librm
