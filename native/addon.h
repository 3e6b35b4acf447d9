// What all sockets of one environment (the main thread or a worker) share.
#pragma once
#include <napi.h>

#include <memory>
#include <unordered_set>

#include "handles.h"
#include "seqpacket_batches.h"

// A socket that must be closed before its environment ends.
class OpenSocket {
 public:
  virtual void Release() = 0;

 protected:
  ~OpenSocket() = default;
};

struct Addon {
  explicit Addon(Napi::Env environment);
  Addon(const Addon&) = delete;
  Addon& operator=(const Addon&) = delete;
  void EndEnvironment();
  // Calls back from the event loop, then runs what that left in the microtask queue. What it throws becomes an
  // uncaughtException.
  void Call(const Napi::Object& self, const Napi::FunctionReference& callback, int event);

  Napi::Env env;
  uv_loop_s* loop = nullptr;
  napi_async_context async = nullptr;
  Napi::FunctionReference seqpacket_socket;  // the constructors
  Napi::FunctionReference stream_listener;
  Napi::FunctionReference network_watch;
  std::unordered_set<OpenSocket*> open;
  std::shared_ptr<EnvironmentExit> exit = std::make_shared<EnvironmentExit>();
  SeqpacketBatches batches;
};

inline Napi::Value ErrnoValue(Napi::Env env, int error) { return Napi::Number::New(env, -error); }
