// The members of a JSON object that somebody sent, each read once and blamed by its path.
#pragma once

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "batch/edge/input.hpp"
#include "batch/edge/units.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

using FieldErrors = std::vector<batch::FieldError>;

inline constexpr std::size_t errors_max = 100;
inline constexpr double seconds_max = 1e9;
inline constexpr std::size_t text_bytes_max = 1024;

batch::InputError input_error(std::string message);
/// Precondition: there is one.
batch::InputError input_error(FieldErrors errors);

/// The object that a body is; nothing is an empty one. A key that comes twice says two things, of
/// which one would be forgotten, so it is refused.
batch::InputResult<nlohmann::json> parse_object(std::string_view body);

/// The members of one object, each taken once; what is left over is unknown.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string path, FieldErrors& errors)
      : object_(object), path_(std::move(path)), errors_(errors) {}

  void wrong(const std::string& name, std::string detail) {
    if (errors_.size() < errors_max) errors_.push_back({path_ + "/" + name, std::move(detail)});
  }
  const nlohmann::json* find(const char* name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void text(const char* name, std::string& target) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return;
    if (!value->is_string()) return wrong(name, "expected a text");
    target = value->get<std::string>();
    if (target.size() > text_bytes_max || target.find('\0') != target.npos) {
      wrong(name, "at most " + std::to_string(text_bytes_max) + " bytes, none of them NUL");
    }
  }
  void flag(const char* name, bool& target) {
    const nlohmann::json* value = find(name);
    if (value == nullptr) return;
    if (!value->is_boolean()) return wrong(name, "expected true or false");
    target = value->get<bool>();
  }
  void span(const char* name, std::optional<Duration>& target, bool or_null = false) {
    const nlohmann::json* value = find(name);
    if (value == nullptr || (or_null && value->is_null())) return;
    if (value->is_number() && value->get<double>() >= 0 && value->get<double>() <= seconds_max) {
      target = milliseconds(std::llround(value->get<double>() * 1e3));
    } else if (value->is_string()) {
      auto read = batch::parse_span(value->get_ref<const std::string&>());
      if (!read) return wrong(name, read.error().message);
      target = *read;
    } else {
      wrong(name, "expected a number of seconds or a span such as \"2h\"");
    }
  }
  void refuse_others() {
    std::string names;
    for (const std::string& name : known_) names += (names.empty() ? "'" : ", '") + name + "'";
    for (const auto& [key, value] : object_.items()) {
      if (known_.count(key) != 0) continue;
      wrong(key,
            "unknown field; there " + (names.empty() ? std::string("is none") : "are " + names));
    }
  }

 private:
  const nlohmann::json& object_;
  std::string path_;
  FieldErrors& errors_;
  std::set<std::string> known_;
};

}  // namespace librm::http
