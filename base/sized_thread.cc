#include "base/sized_thread.h"

#include <memory>
#include <utility>

namespace tidewaiter {
namespace {

struct Task {
  SizedThread::Body body;
  std::stop_token stop;
};

void* Execute(void* argument) {
  const std::unique_ptr<Task> task(static_cast<Task*>(argument));
  task->body(task->stop);
  return nullptr;
}

// Owns the attributes for as long as one pthread_create needs them.
class Attributes {
 public:
  Attributes() { valid_ = pthread_attr_init(&attributes_) == 0; }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() {
    if (valid_) pthread_attr_destroy(&attributes_);
  }
  int SetStackSize(std::size_t bytes) { return pthread_attr_setstacksize(&attributes_, bytes); }
  [[nodiscard]] const pthread_attr_t* get() const { return valid_ ? &attributes_ : nullptr; }

 private:
  pthread_attr_t attributes_{};
  bool valid_ = false;
};

}  // namespace

Result<SizedThread> SizedThread::Start(std::size_t stack_bytes, std::stop_source stop, Body body) {
  Attributes attributes;
  if (attributes.get() == nullptr) {
    return Fail(ErrorCode::kResourceExhausted, "start a thread: no memory for its attributes");
  }
  if (const int error = attributes.SetStackSize(stack_bytes); error != 0) {
    return ErrnoError(error, "start a thread: set its stack size");
  }
  auto task = std::make_unique<Task>(Task{std::move(body), stop.get_token()});
  pthread_t thread{};
  if (const int error = pthread_create(&thread, attributes.get(), &Execute, task.get());
      error != 0) {
    Error failed = ErrnoError(error, "start a thread");
    failed.code = ErrorCode::kResourceExhausted;
    return failed;
  }
  static_cast<void>(task.release());  // the thread's own now
  return SizedThread(thread, std::move(stop));
}

SizedThread::SizedThread(SizedThread&& other) noexcept
    : thread_(std::exchange(other.thread_, std::nullopt)), stop_(std::move(other.stop_)) {}

SizedThread& SizedThread::operator=(SizedThread&& other) noexcept {
  if (this == &other) return *this;
  StopAndJoin();
  thread_ = std::exchange(other.thread_, std::nullopt);
  stop_ = std::move(other.stop_);
  return *this;
}

SizedThread::~SizedThread() {
  StopAndJoin();
}

void SizedThread::StopAndJoin() noexcept {
  if (!thread_) return;
  stop_.request_stop();
  pthread_join(*std::exchange(thread_, std::nullopt), nullptr);
}

}  // namespace tidewaiter
