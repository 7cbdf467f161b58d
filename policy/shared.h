// An immutable value that its copies share: a policy that inherits a list of thousands of entries
// and says nothing about it costs a pointer. Thread: any.
#pragma once

#include <memory>
#include <utility>

namespace tidewaiter::policy {

template <typename T>
class Shared {
 public:
  Shared() : value_(std::make_shared<const T>()) {}
  Shared& operator=(T value) {
    value_ = std::make_shared<const T>(std::move(value));
    return *this;
  }

  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return value_.get(); }

 private:
  std::shared_ptr<const T> value_;
};

}  // namespace tidewaiter::policy
