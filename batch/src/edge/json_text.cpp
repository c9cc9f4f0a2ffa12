// JSON text to a value: limits are checked on the text, before anything is built.
#include "json_text.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "batch/edge/job_json.hpp"

namespace batch {

namespace {

using nlohmann::json;

/// Where the brackets go deeper than allowed; counts outside of strings only.
std::optional<std::size_t> find_too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > json_depth_max) return i;
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    }
  }
  return std::nullopt;
}

/// Follows the parser and notes the first key that comes twice in its object.
class DuplicateKeys {
 public:
  bool operator()(int, json::parse_event_t event, const json& parsed) {
    using Event = json::parse_event_t;
    switch (event) {
      case Event::object_start:
        levels_.push_back({true, {}, {}, 0});
        break;
      case Event::array_start:
        levels_.push_back({false, {}, {}, 0});
        break;
      case Event::key:
        on_key(parsed.get_ref<const std::string&>());
        break;
      case Event::object_end:
      case Event::array_end:
        levels_.pop_back();
        on_value();
        break;
      case Event::value:
        on_value();
        break;
    }
    return true;
  }
  const std::optional<std::string>& found() const { return found_; }

 private:
  struct Level {
    bool object;
    std::set<std::string> keys;
    std::string key;
    std::size_t index;
  };

  void on_key(const std::string& key) {
    levels_.back().key = key;
    if (levels_.back().keys.insert(key).second || found_) return;
    std::string path;
    for (const Level& level : levels_) {
      path = pointer(path, level.object ? level.key : std::to_string(level.index));
    }
    found_ = std::move(path);
  }
  void on_value() {
    if (!levels_.empty()) ++levels_.back().index;
  }

  std::vector<Level> levels_;
  std::optional<std::string> found_;
};

/// The parser's message without its own name and without the bytes it had read.
std::string plain(std::string message) {
  if (const auto end = message.find("] "); message[0] == '[' && end != std::string::npos) {
    message.erase(0, end + 2);
  }
  if (const auto bytes = message.find("; last read"); bytes != std::string::npos) {
    message.erase(bytes);
  }
  return message;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    std::size_t more = 0;
    unsigned low = 0x80;  // of the second byte: no overlong forms, surrogates, beyond U+10FFFF
    unsigned high = 0xbf;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return i;
    }
    if (byte(i + 1) < low || byte(i + 1) > high) return i;
    for (std::size_t k = 2; k <= more; ++k) {
      if (byte(i + k) < 0x80 || byte(i + k) > 0xbf) return i;
    }
    i += more + 1;
  }
  return std::nullopt;
}

InputError input_error(std::string message) {
  return {{librm::ErrorCode::invalid_argument, std::move(message)}, {}};
}

InputError input_error(std::vector<FieldError> fields) {
  std::string message = fields.front().path;
  message += (message.empty() ? "" : ": ") + fields.front().detail;
  if (fields.size() > 1) message += " (and " + std::to_string(fields.size() - 1) + " more)";
  return {{librm::ErrorCode::invalid_argument, std::move(message)}, std::move(fields)};
}

std::string pointer(const std::string& parent, std::string_view key) {
  std::string path = parent + '/';
  for (char c : key) {
    if (c == '~')
      path += "~0";
    else if (c == '/')
      path += "~1";
    else
      path += c;
  }
  return path;
}

InputResult<json> parse_json(std::string_view text, std::size_t size_max) {
  const auto wrong = [](std::string message) {
    return tl::unexpected(input_error(std::move(message)));
  };
  if (text.size() > size_max) {
    return wrong("the text has " + std::to_string(text.size()) + " bytes, at most " +
                 std::to_string(size_max));
  }
  if (const auto at = find_invalid_utf8(text)) {
    return wrong("not UTF-8 at byte " + std::to_string(*at + 1));
  }
  if (const auto at = find_too_deep(text)) {
    return wrong("nested deeper than " + std::to_string(json_depth_max) + " at byte " +
                 std::to_string(*at + 1));
  }
  DuplicateKeys duplicates;
  json value;
  try {
    value = json::parse(text.begin(), text.end(), std::ref(duplicates));
  } catch (const json::exception& error) {
    return wrong("not JSON: " + plain(error.what()));
  }
  if (duplicates.found()) {
    return tl::unexpected(input_error({{*duplicates.found(), "this key comes twice"}}));
  }
  return value;
}

}  // namespace batch
