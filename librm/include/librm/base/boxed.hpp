// An optional value on the heap, for a part that is rare and would make its owner large.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <utility>

namespace librm {

/// Like std::optional<const T>, as small as a pointer. A value: copies are deep, comparisons look
/// at what is inside, nothing is less than anything.
template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(std::nullopt_t) {}
  Boxed(T value) : value_(std::make_unique<const T>(std::move(value))) {}
  Boxed(const Boxed& other) : value_(other ? std::make_unique<const T>(*other) : nullptr) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(const Boxed& other) {
    if (this != &other) value_ = other ? std::make_unique<const T>(*other) : nullptr;
    return *this;
  }
  Boxed& operator=(Boxed&&) noexcept = default;
  ~Boxed() = default;

  bool has_value() const { return value_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  const T& operator*() const { return *value_; }  ///< precondition: has_value()
  const T* operator->() const { return value_.get(); }
  void reset() { value_.reset(); }

  friend bool operator==(const Boxed& a, const Boxed& b) {
    if (!a || !b) return a.has_value() == b.has_value();
    return *a == *b;
  }
  friend std::strong_ordering operator<=>(const Boxed& a, const Boxed& b) {
    if (!a || !b) return a.has_value() <=> b.has_value();
    return *a <=> *b;
  }

 private:
  std::unique_ptr<const T> value_;
};

}  // namespace librm
