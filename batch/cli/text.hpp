// Values as people read them: ages, amounts, widths, and text that cannot harm a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace batch::cli {

/// Makes control bytes, bytes that are no UTF-8 and marks that reorder text visible: `\x1b`.
std::string escape(std::string_view text);
/// Columns that UTF-8 text takes on a terminal.
std::size_t display_width(std::string_view text);
/// Cut to `width` columns with `…` as the last where it was longer.
std::string shorten(std::string_view text, std::size_t width);

/// Without the escape sequences that colour it.
std::string without_colors(std::string_view text);
/// shorten() for text with such sequences, which take no room; 0 columns: not cut.
std::string shorten_painted(std::string_view text, std::size_t width);

/// `0.4s`, `12s`, `3m12s`, `2h05m`, `3d04h`.
std::string human_span(double seconds);
/// `512M`, `1.5G`, from MiB.
std::string human_mib(double mib);
/// The shortest decimal form with at most three places: `4`, `0.5`.
std::string human_number(double value);

/// Seconds since 1970 of `2026-01-01T00:00:00.123Z`.
std::optional<double> parse_time(std::string_view rfc3339);

/// The candidate that is nearest to `word`, if any is near enough to have been meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

std::vector<std::string> split(std::string_view text, char separator);

}  // namespace batch::cli
