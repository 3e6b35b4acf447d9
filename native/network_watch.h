// The kernel's word that a network interface, or an address of one, came, changed or went (rtnetlink(7)). What changed is
// not read: whoever is called looks for himself.
#pragma once
#include <napi.h>

#include "watched_socket.h"

class NetworkWatch : public WatchedSocket<NetworkWatch> {
 public:
  static Napi::Function Define(Napi::Env env);
  using WatchedSocket::WatchedSocket;

 private:
  static Napi::Value Open(const Napi::CallbackInfo& info);  // (): a watch of this process's network, or -errno
  void Forget(const Napi::CallbackInfo& info);              // what changed until now calls nobody
  void OnEvents(int events) override;
  void Drain();
};
