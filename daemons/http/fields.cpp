// Bodies as objects, strictly.
#include "http/fields.hpp"

#include "batch/edge/job_json.hpp"

namespace librm::http {

using batch::InputResult;
using Value = nlohmann::json;

batch::InputError input_error(std::string message) {
  return {Error{ErrorCode::invalid_argument, std::move(message)}, {}};
}

batch::InputError input_error(FieldErrors errors) {
  Error error{ErrorCode::invalid_argument, errors.front().path + ": " + errors.front().detail};
  return {std::move(error), std::move(errors)};
}

InputResult<Value> parse_object(std::string_view body) {
  if (body.empty()) return Value::object();
  std::vector<std::set<std::string>> open;
  std::string twice;
  bool deep = false;
  const auto watch = [&](int depth, Value::parse_event_t event, Value& value) {
    deep = deep || depth > static_cast<int>(batch::json_depth_max);
    if (event == Value::parse_event_t::object_start) open.emplace_back();
    if (event == Value::parse_event_t::object_end) open.pop_back();
    if (event == Value::parse_event_t::key &&
        !open.back().insert(value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  Value document = Value::parse(body, watch, false);
  if (document.is_discarded()) return tl::unexpected(input_error("the body is not JSON"));
  if (deep) return tl::unexpected(input_error("the body is nested too deeply"));
  if (!twice.empty()) return tl::unexpected(input_error("'" + twice + "' comes twice"));
  if (!document.is_object()) return tl::unexpected(input_error("expected an object"));
  return document;
}

}  // namespace librm::http
