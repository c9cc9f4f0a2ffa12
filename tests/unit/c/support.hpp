// Short words for tests of the C interface: handles that free themselves, errors as texts.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "librm/c.h"

namespace librm::test {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, Freed<Free>>;

using CAllocator = Handle<rm_allocator, rm_allocator_free>;
using COffers = Handle<rm_offers, rm_offers_free>;
using CDemand = Handle<rm_demand, rm_demand_free>;
using CSession = Handle<rm_session, rm_session_free>;
using CTask = Handle<rm_task, rm_task_free>;

/// Where a call puts its error: `said(rm_x(..., problem), problem)`.
class Problem {
 public:
  ~Problem() { rm_error_free(error_); }
  operator rm_error**() {
    rm_error_free(error_);
    error_ = nullptr;
    return &error_;
  }
  /// `not_found: agent a-3 is not known`, or `ok`.
  std::string text() const {
    if (error_ == nullptr) return "ok";
    return std::string(rm_code_name(rm_error_code(error_))) + ": " + rm_error_message(error_);
  }

 private:
  rm_error* error_ = nullptr;
};

/// What a call said; its code and its error agree.
inline std::string said(rm_code code, const Problem& problem) {
  EXPECT_EQ(problem.text().substr(0, problem.text().find(':')), rm_code_name(code));
  return problem.text();
}

inline std::string take(char* text) {
  const std::string copy = text == nullptr ? "" : text;
  rm_text_free(text);
  return copy;
}

}  // namespace librm::test
