// A connected UNIX datagram or stream socket that does not block, as a bare descriptor: Node.js has no datagrams of this
// family, but its fs.writeSync() and fs.closeSync() serve every descriptor.
#pragma once
#include <cerrno>

#include "handles.h"
#include "unix_address.h"

// (sun_path, whether it is a stream): a descriptor that the caller closes, or -errno.
inline Napi::Value ConnectUnix(const Napi::CallbackInfo& info) {
  sockaddr_un address;
  socklen_t length;
  if (!ReadUnixAddress(info[0], &address, &length)) return Napi::Number::New(info.Env(), -EINVAL);
  const int type = info[1].As<Napi::Boolean>().Value() ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || connect(fd.Get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    return Napi::Number::New(info.Env(), -errno);
  }
  return Napi::Number::New(info.Env(), fd.Release());
}
