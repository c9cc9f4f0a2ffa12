// Server-sent events out of the bytes of a stream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace batch::cli {

struct ServerEvent {
  std::string event = "message";
  std::string id;  ///< the last one seen, also when this event has none
  std::string data;
};

/// Takes bytes as they arrive and hands out whole events (HTML standard, section 9.2.6).
class SseParser {
 public:
  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next event that is complete.
  std::optional<ServerEvent> next();
  /// To resume with, as `Last-Event-ID`.
  const std::string& last_id() const { return last_id_; }

 private:
  std::optional<std::string> next_line();
  void take_field(std::string_view line);

  std::string buffer_;
  std::size_t consumed_ = 0;
  std::string event_;
  std::string data_;
  bool has_data_ = false;
  std::string last_id_;
};

}  // namespace batch::cli
