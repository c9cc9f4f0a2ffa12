// The field rules of server-sent events.
#include "sse.hpp"

#include <utility>

namespace batch::cli {

std::optional<std::string> SseParser::next_line() {
  const std::size_t end = buffer_.find_first_of("\r\n", consumed_);
  if (end == buffer_.npos) {
    buffer_.erase(0, std::exchange(consumed_, 0));
    return std::nullopt;
  }
  // A carriage return at the very end may be half of a pair.
  if (buffer_[end] == '\r' && end + 1 == buffer_.size()) return std::nullopt;
  std::string line = buffer_.substr(consumed_, end - consumed_);
  const bool pair = buffer_[end] == '\r' && buffer_[end + 1] == '\n';
  consumed_ = end + (pair ? 2 : 1);
  return line;
}

void SseParser::take_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event_ = value;
  if (name == "id") last_id_ = value;
  if (name == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  }
}

std::optional<ServerEvent> SseParser::next() {
  while (const auto line = next_line()) {
    if (!line->empty()) {
      if (line->front() != ':') take_field(*line);
      continue;
    }
    const bool complete = std::exchange(has_data_, false);
    ServerEvent event{std::exchange(event_, {}), last_id_, std::exchange(data_, {})};
    if (event.event.empty()) event.event = "message";
    if (complete) return event;
  }
  return std::nullopt;
}

}  // namespace batch::cli
