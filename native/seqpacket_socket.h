// AF_UNIX SOCK_SEQPACKET, listening or connected: messages in batches.
#pragma once
#include <napi.h>

#include "watched_socket.h"

class SeqpacketSocket : public WatchedSocket<SeqpacketSocket> {
 public:
  static Napi::Function Define(Napi::Env env);
  using WatchedSocket::WatchedSocket;

 private:
  static Napi::Value Listen(const Napi::CallbackInfo& info);   // (sun_path, backlog): a socket or -errno
  static Napi::Value Connect(const Napi::CallbackInfo& info);  // (sun_path): a socket or -errno
  static Napi::Value Wrap(Addon& addon, UniqueFd fd, bool listening);
  Napi::Value Accept(const Napi::CallbackInfo& info);       // a socket or -errno
  Napi::Value Send(const Napi::CallbackInfo& info);         // (ArrayBuffer, count): messages taken, or -errno
  Napi::Value LocalName(const Napi::CallbackInfo& info);    // sun_path as the kernel gives it, or -errno
  Napi::Value PeerName(const Napi::CallbackInfo& info);     // the same
  Napi::Value Credentials(const Napi::CallbackInfo& info);  // [pid, uid, gid] or -errno

  void OnEvents(int events) override;
  bool Receive(int* count);

  bool listening_ = false;
  bool reset_ = false;  // ECONNRESET was reported; what is queued comes before it is passed on
};
