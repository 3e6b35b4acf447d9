#include "network_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace {

// In one go; with more of them waiting, the event loop comes back.
constexpr int kDrainLimit = 256;

}  // namespace

Napi::Value NetworkWatch::Open(const Napi::CallbackInfo& info) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return ErrnoValue(info.Env(), errno);
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoValue(info.Env(), errno);
  }
  Addon& addon = *info.Env().GetInstanceData<Addon>();
  return Wrap(addon, addon.network_watch, std::move(fd))->Value();
}

void NetworkWatch::Drain() {
  for (int i = 0; i < kDrainLimit; i++) {
    char first;  // the kernel throws the rest of the message away
    // ENOBUFS: more changed than the kernel could keep for us. It is told once, and is a change like any other.
    if (recv(fd_.Get(), &first, sizeof first, 0) < 0 && errno != ENOBUFS && errno != EINTR) return;
  }
}

void NetworkWatch::Forget(const Napi::CallbackInfo&) {
  if (fd_) Drain();
}

void NetworkWatch::OnEvents(int) {
  Drain();
  Call(0);
}

Napi::Function NetworkWatch::Define(Napi::Env env) {
  return DefineClass(env, "NetworkWatch",
                     {
                         StaticMethod("open", &NetworkWatch::Open),
                         InstanceMethod("start", &NetworkWatch::StartUnreferenced),
                         InstanceMethod("watch", &NetworkWatch::Watch),
                         InstanceMethod("forget", &NetworkWatch::Forget),
                         InstanceMethod("close", &NetworkWatch::Close),
                     });
}
