// Column widths, alignment and cutting.
#include "table.hpp"

#include <algorithm>

#include "text.hpp"

namespace batch::cli {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t shrunk_width_min = 4;

/// Cuts what is longer, keeping the colour around it.
std::string cut(const std::string& cell, std::size_t width) {
  const std::string text = without_colors(cell);
  if (display_width(text) <= width) return cell;
  const std::string shorter = shorten(text, width);
  const std::size_t at = cell.find(text);
  if (at == cell.npos) return shorter;
  return cell.substr(0, at) + shorter + cell.substr(at + text.size());
}

}  // namespace

std::vector<std::size_t> Table::fit(const Terminal& terminal, bool headers) const {
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = headers ? display_width(columns_[c].title) : 0;
    for (const auto& row : rows_) width = std::max(width, display_width(without_colors(row[c])));
    widths.push_back(width);
    total += width + (c == 0 ? 0 : gap);
  }
  while (terminal.width != 0 && total > terminal.width) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (!columns_[c].shrinks || widths[c] <= shrunk_width_min) continue;
      if (widest == columns_.size() || widths[c] > widths[widest]) widest = c;
    }
    if (widest == columns_.size()) break;
    const std::size_t excess = std::min(total - terminal.width, widths[widest] - shrunk_width_min);
    // Halfway at most, so that two wide columns share the loss.
    const std::size_t step = std::min(excess, std::max<std::size_t>(widths[widest] / 4, 1));
    widths[widest] -= step;
    total -= step;
  }
  return widths;
}

std::string Table::render(const Terminal& terminal, bool headers) const {
  const std::vector<std::size_t> widths = fit(terminal, headers);
  std::string out;
  const auto add_row = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cut(cell_of(c), widths[c]);
      const std::string padding(
          widths[c] - std::min(widths[c], display_width(without_colors(cell))), ' ');
      if (c > 0) line += std::string(gap, ' ');
      line += columns_[c].right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  if (headers) {
    add_row([&](std::size_t c) { return paint(terminal, "1", columns_[c].title); });
  }
  for (const auto& row : rows_) {
    add_row([&](std::size_t c) { return row[c]; });
  }
  return out;
}

}  // namespace batch::cli
