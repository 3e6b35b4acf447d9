// What every class of sockets has in common: a descriptor that is watched, a callback, and one end.
#pragma once
#include <napi.h>

#include <cerrno>
#include <utility>

#include "addon.h"

// Collected like any object until start(); then alive until close().
template <typename Derived>
class WatchedSocket : public Napi::ObjectWrap<Derived>, public OpenSocket {
 public:
  explicit WatchedSocket(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Derived>(info), addon_(*info.Env().GetInstanceData<Addon>()) {}
  ~WatchedSocket() override { Release(); }

  // Stops watching and closes the descriptor. Touches no JavaScript value, so it may run in a finalizer.
  void Release() final {
    if (!fd_) return;  // then the addon may be gone already: at the environment's end it closes all, and goes first
    poll_.Close();
    fd_.Close();
    addon_.open.erase(this);
  }

 protected:
  // A JavaScript object around `fd`.
  static Derived* Wrap(Addon& addon, const Napi::FunctionReference& constructor, UniqueFd fd) {
    Derived* socket = Napi::ObjectWrap<Derived>::Unwrap(constructor.New({}));
    socket->fd_ = std::move(fd);
    addon.open.insert(socket);
    return socket;
  }

  Napi::Value Start(const Napi::CallbackInfo& info) {  // (callback): 0 or -errno
    if (!fd_ || !callback_.IsEmpty()) return ErrnoValue(info.Env(), EBADF);
    const int error = poll_.Open(
        addon_.loop, fd_.Get(), this,
        [](void* owner, int status, int events) { static_cast<WatchedSocket*>(owner)->OnPoll(status, events); },
        addon_.exit);
    if (error == 0) {
      callback_ = Napi::Persistent(info[0].As<Napi::Function>());
      this->Ref();
    }
    return Napi::Number::New(info.Env(), error);
  }

  Napi::Value StartUnreferenced(const Napi::CallbackInfo& info) {  // the same, but keeps no process alive
    const Napi::Value result = Start(info);
    poll_.Unreference();
    return result;
  }

  void Watch(const Napi::CallbackInfo& info) {  // (UV_READABLE | UV_WRITABLE, or 0)
    watched_ = info[0].As<Napi::Number>().Int32Value() & (UV_READABLE | UV_WRITABLE);
    poll_.Watch(watched_);
  }

  void Close(const Napi::CallbackInfo&) {  // twice is harmless; the destructor does the same
    Release();
    if (callback_.IsEmpty()) return;
    callback_.Reset();
    this->Unref();
  }

  // `events` of those that are watched are there. A callback may close the socket, but it stays this object's.
  virtual void OnEvents(int events) = 0;

  void Call(int event) {
    if (callback_.IsEmpty()) return;  // closed by the call before this one
    addon_.Call(this->Value(), callback_, event);
  }

  Addon& addon_;
  int watched_ = 0;
  UniqueFd fd_;

 private:
  void OnPoll(int status, int events) {
    Napi::HandleScope scope(addon_.env);
    [[maybe_unused]] const Napi::Object self = this->Value();  // keeps this object while JavaScript forgets it
    if (status < 0) {
      // A reset (EPOLLERR). libuv has stopped polling and hides what is ready: look at everything that was watched.
      events = watched_;
      poll_.Watch(watched_);
    }
    OnEvents(events);
  }

  Napi::FunctionReference callback_;
  Poll poll_;  // last, so it stops first
};
