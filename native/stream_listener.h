// A listening TCP socket. Unlike Node.js' own it accepts one connection when it is asked to: the others wait in the
// kernel, also where no descriptor is left for them.
#pragma once
#include <napi.h>

#include "watched_socket.h"

class StreamListener : public WatchedSocket<StreamListener> {
 public:
  static Napi::Function Define(Napi::Env env);
  using WatchedSocket::WatchedSocket;

 private:
  static Napi::Value Listen(const Napi::CallbackInfo& info);  // (IP, port, backlog, traffic class): a socket or -errno
  Napi::Value Accept(const Napi::CallbackInfo& info);         // a descriptor, which is the caller's then, or -errno
  Napi::Value LocalName(const Napi::CallbackInfo& info);      // [IP, port] or -errno
  void OnEvents(int events) override;
};
