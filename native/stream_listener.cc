#include "stream_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

namespace {

union InetAddress {
  sockaddr_in6 v6;  // the longest, and first: `{}` clears all
  sockaddr_in v4;
  sockaddr any;
};

// False if `ip` is neither an IPv4 nor an IPv6 address (without a zone).
bool ReadAddress(const std::string& ip, int port, InetAddress* address, socklen_t* length) {
  *address = {};
  if (port < 0 || port > 65'535) return false;
  if (inet_pton(AF_INET, ip.c_str(), &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(static_cast<uint16_t>(port));
    *length = sizeof address->v4;
    return true;
  }
  if (inet_pton(AF_INET6, ip.c_str(), &address->v6.sin6_addr) == 1) {
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(static_cast<uint16_t>(port));
    *length = sizeof address->v6;
    return true;
  }
  return false;
}

}  // namespace

Napi::Value StreamListener::Listen(const Napi::CallbackInfo& info) {
  const auto number = [&](size_t i) { return info[i].As<Napi::Number>().Int32Value(); };
  const int port = number(1);
  const int backlog = number(2);
  const int traffic_class = number(3);
  InetAddress address;
  socklen_t length;
  if (!ReadAddress(info[0].As<Napi::String>(), port, &address, &length)) return ErrnoValue(info.Env(), EINVAL);
  const int family = address.any.sa_family;
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return ErrnoValue(info.Env(), errno);
  // xcm-transports.md, 4.2. IPV6_V6ONLY is left as the system has it.
  if (family == AF_INET6) {
    setsockopt(fd.Get(), IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
  } else {
    setsockopt(fd.Get(), IPPROTO_IP, IP_TOS, &traffic_class, sizeof traffic_class);
  }
  const int on = 1;
  if (port != 0) setsockopt(fd.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.Get(), &address.any, length) != 0 || listen(fd.Get(), backlog) != 0) {
    return ErrnoValue(info.Env(), errno);
  }
  Addon& addon = *info.Env().GetInstanceData<Addon>();
  return Wrap(addon, addon.stream_listener, std::move(fd))->Value();
}

Napi::Value StreamListener::Accept(const Napi::CallbackInfo& info) {
  const int fd = accept4(fd_.Get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return Napi::Number::New(info.Env(), fd >= 0 ? fd : -errno);
}

Napi::Value StreamListener::LocalName(const Napi::CallbackInfo& info) {
  InetAddress address;
  socklen_t length = sizeof address;
  if (getsockname(fd_.Get(), &address.any, &length) != 0) return ErrnoValue(info.Env(), errno);
  const bool v6 = address.any.sa_family == AF_INET6;
  char ip[INET6_ADDRSTRLEN];
  const void* bytes = v6 ? static_cast<const void*>(&address.v6.sin6_addr) : &address.v4.sin_addr;
  inet_ntop(address.any.sa_family, bytes, ip, sizeof ip);
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result[0u] = Napi::String::New(info.Env(), ip);
  result[1u] = Napi::Number::New(info.Env(), ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port));
  return result;
}

void StreamListener::OnEvents(int events) {
  if ((events & UV_READABLE) != 0) Call(0);
}

Napi::Function StreamListener::Define(Napi::Env env) {
  return DefineClass(env, "StreamListener",
                     {
                         StaticMethod("listen", &StreamListener::Listen),
                         InstanceMethod("accept", &StreamListener::Accept),
                         InstanceMethod("start", &StreamListener::Start),
                         InstanceMethod("watch", &StreamListener::Watch),
                         InstanceMethod("localName", &StreamListener::LocalName),
                         InstanceMethod("close", &StreamListener::Close),
                     });
}
