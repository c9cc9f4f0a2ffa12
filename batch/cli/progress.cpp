// Arithmetic and drawing of progress.
#include "progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace batch::cli {

namespace {

constexpr std::size_t bar_width_min = 10;
constexpr std::size_t bar_width_max = 60;

/// Columns for each part, in proportion; the largest remainders are rounded up, and no part that
/// there is any of vanishes.
std::array<std::size_t, 4> shares(const std::array<std::size_t, 4>& parts, std::size_t width) {
  const std::size_t total = std::accumulate(parts.begin(), parts.end(), std::size_t{0});
  std::array<std::size_t, 4> columns{};
  if (total == 0) return columns;
  std::size_t used = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    columns[i] = parts[i] * width / total;
    if (parts[i] > 0) columns[i] = std::max<std::size_t>(columns[i], 1);
    used += columns[i];
  }
  const auto remainder = [&](std::size_t i) {
    return parts[i] * width - std::min(parts[i] * width, columns[i] * total);
  };
  for (; used < width; ++used) {
    std::size_t most = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (remainder(i) > remainder(most)) most = i;
    }
    ++columns[most];
  }
  for (; used > width; --used) --*std::max_element(columns.begin(), columns.end());
  return columns;
}

std::string repeated(const char* glyph, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += glyph;
  return text;
}

}  // namespace

void JobCounts::add(const Json& job) {
  const Json& array = member(job, "array");
  if (!array.is_object() || number_of(job, "index")) return add(text_of(job, "state"), 1);
  const Json& counts = member(array, "counts");
  for (const char* state : {"pending", "held", "running", "finished", "failed", "cancelled"}) {
    add(state, static_cast<std::size_t>(number_of(counts, state).value_or(0)));
  }
}

void JobCounts::add(std::string_view state, std::size_t n) {
  std::size_t& count = state == "held"        ? held
                       : state == "running"   ? running
                       : state == "finished"  ? finished
                       : state == "failed"    ? failed
                       : state == "cancelled" ? cancelled
                                              : pending;
  count += n;
}

double rate_of(const Progress& progress) {
  const std::size_t over = progress.counts.over();
  if (over <= progress.over_before || !(progress.elapsed_s > 0)) return 0;
  return static_cast<double>(over - progress.over_before) / progress.elapsed_s;
}

std::string rate_text(double per_second) {
  const auto rounded = [](double value) {
    return human_number(value >= 10 ? std::round(value) : std::round(value * 10) / 10);
  };
  if (per_second >= 1) return rounded(per_second) + "/s";
  if (per_second * 60 >= 1) return rounded(per_second * 60) + "/min";
  return rounded(per_second * 3600) + "/h";
}

std::string counts_text(const Terminal& terminal, const JobCounts& counts) {
  std::string text;
  const auto add = [&](std::size_t count, const char* state) {
    if (count == 0) return;
    Terminal plain = terminal;
    plain.symbols = false;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + ' ' + paint_state(plain, state);
  };
  add(counts.finished, "finished");
  add(counts.failed, "failed");
  add(counts.cancelled, "cancelled");
  add(counts.running, "running");
  add(counts.held, "held");
  add(counts.pending, "pending");
  return text;
}

std::string progress_bar(const Terminal& terminal, const JobCounts& counts, std::size_t width) {
  const auto columns = shares({counts.finished, counts.failed + counts.cancelled, counts.running,
                               counts.pending + counts.held},
                              width);
  const bool utf8 = terminal.utf8;
  return paint(terminal, "32", repeated(utf8 ? "█" : "#", columns[0])) +
         paint(terminal, "31", repeated(utf8 ? "▚" : "x", columns[1])) +
         paint(terminal, "36", repeated(utf8 ? "▒" : "=", columns[2])) +
         paint(terminal, "90", repeated(utf8 ? "░" : ".", columns[3]));
}

std::string progress_line(const Terminal& terminal, const Progress& progress) {
  const JobCounts& counts = progress.counts;
  const double rate = rate_of(progress);
  std::string text = std::to_string(counts.over()) + '/' + std::to_string(counts.total());
  if (const std::string detail = counts_text(terminal, counts); !detail.empty()) {
    text += "  " + detail;
  }
  if (rate > 0) {
    text += "  " + rate_text(rate);
    const std::size_t left = counts.total() - counts.over();
    if (left > 0) text += "  ETA " + human_span(static_cast<double>(left) / rate);
  }
  if (!terminal.is_tty) return text;
  const std::size_t used = display_width(without_colors(text)) + 2;
  const std::size_t room = terminal.width > used ? terminal.width - used : 0;
  const std::size_t width = std::clamp(room, bar_width_min, bar_width_max);
  return shorten_painted(progress_bar(terminal, counts, width) + "  " + text, terminal.width);
}

}  // namespace batch::cli
