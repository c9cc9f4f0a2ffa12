// Bytes in, lines out.
#include "line_labels.hpp"

#include <algorithm>
#include <utility>

#include "text.hpp"

namespace batch::cli {

namespace {

constexpr std::size_t width_max = 32;

}  // namespace

bool LabelledLines::take(std::string_view bytes) {
  std::string lines;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    begun_ += bytes.substr(0, end);
    bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
    if (end == bytes.npos && begun_.size() < line_bytes_max) break;
    lines += label_ + std::exchange(begun_, {}) + '\n';
  }
  return lines.empty() || sink_(lines);
}

bool LabelledLines::finish() {
  return begun_.empty() || sink_(label_ + std::exchange(begun_, {}) + '\n');
}

std::vector<std::string> labels_for(const std::vector<std::string>& names,
                                    const std::vector<std::string>& ids) {
  std::vector<std::string> labels;
  std::size_t width = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool unique = std::count(names.begin(), names.end(), names[i]) == 1;
    labels.push_back(shorten(escape(names[i]), width_max) + (unique ? "" : " #" + escape(ids[i])));
    width = std::max(width, display_width(labels.back()));
  }
  for (std::string& label : labels) label.append(width - display_width(label), ' ');
  return labels;
}

}  // namespace batch::cli
