// What the addon owns outside JavaScript: a file descriptor, a poll handle, and the right to delay the environment's end.
#pragma once
#include <node_api.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "uv-abi.h"

// A file descriptor, closed exactly once.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { Close(); }
  int Get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }  // the caller closes it
  void Close() {
    const int fd = std::exchange(fd_, -1);
    if (fd >= 0) close(fd);  // never retried: Linux has released the number even when it reports EINTR
  }

 private:
  int fd_;
};

// Its owners are the addon and every poll handle that is still closing. When the last one goes, Node may end the event
// loop: a worker's loop that still has a handle would abort the process.
struct EnvironmentExit {
  napi_async_cleanup_hook_handle hook = nullptr;
  EnvironmentExit() = default;
  EnvironmentExit(const EnvironmentExit&) = delete;
  EnvironmentExit& operator=(const EnvironmentExit&) = delete;
  ~EnvironmentExit() {
    if (hook != nullptr) napi_remove_async_cleanup_hook(hook);
  }
};

// Level-triggered watching of one descriptor. The uv handle outlives this object, because uv_close() is asynchronous.
class Poll {
 public:
  using Callback = void (*)(void* owner, int status, int events);

  ~Poll() { Close(); }

  // 0 or -errno.
  int Open(uv_loop_s* loop, int fd, void* owner, Callback callback, std::shared_ptr<EnvironmentExit> exit) {
    void* memory = std::malloc(uv_handle_size(UV_POLL));
    if (memory == nullptr) throw std::bad_alloc();
    auto* handle = static_cast<uv_poll_s*>(memory);
    const int error = uv_poll_init(loop, handle, fd);
    if (error != 0) {
      std::free(memory);  // uv_poll_init() registers the handle last, so a failed one is not known to the loop
      return error;
    }
    attached_ = new Attached{owner, callback, std::move(exit)};
    uv_handle_set_data(AsHandle(handle), attached_);
    handle_ = handle;
    return 0;
  }

  void Watch(int events) {
    if (handle_ == nullptr) return;
    if (events != 0) {
      uv_poll_start(handle_, events, OnPoll);
    } else {
      uv_poll_stop(handle_);
    }
  }

  // The event loop does not stay alive for it.
  void Unreference() {
    if (handle_ != nullptr) uv_unref(AsHandle(handle_));
  }

  void Close() {
    uv_poll_s* handle = std::exchange(handle_, nullptr);
    if (handle == nullptr) return;
    uv_close(AsHandle(handle), [](uv_handle_s* closed) {
      delete static_cast<Attached*>(uv_handle_get_data(closed));
      std::free(closed);
    });
  }

 private:
  struct Attached {
    void* owner;
    Callback callback;
    std::shared_ptr<EnvironmentExit> exit;
  };
  static uv_handle_s* AsHandle(uv_poll_s* handle) { return reinterpret_cast<uv_handle_s*>(handle); }
  static void OnPoll(uv_poll_s* handle, int status, int events) {
    const auto* attached = static_cast<const Attached*>(uv_handle_get_data(AsHandle(handle)));
    attached->callback(attached->owner, status, events);
  }
  uv_poll_s* handle_ = nullptr;
  Attached* attached_ = nullptr;
};
