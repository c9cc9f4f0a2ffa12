// What is wrong with text that people and programs give: an error, and the fields to blame.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "librm/base/result.hpp"

namespace batch {

/// `path` is a JSON pointer: `/jobs/0/cpus`.
struct FieldError {
  std::string path;
  std::string detail;
  bool operator==(const FieldError&) const = default;
};

/// `error.message` names the first field, so it is complete where only one line can be shown.
struct InputError {
  librm::Error error;
  std::vector<FieldError> fields;
};

template <class T>
using InputResult = tl::expected<T, InputError>;

}  // namespace batch
