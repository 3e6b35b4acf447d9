// The address of a UNIX socket.
#pragma once
#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

// The caller decides about leading and trailing NULs: with abstract names every byte counts.
inline bool ReadUnixAddress(const Napi::Value& value, sockaddr_un* address, socklen_t* length) {
  const auto path = value.As<Napi::Uint8Array>();
  if (path.ByteLength() > sizeof address->sun_path) return false;
  *address = {};
  address->sun_family = AF_UNIX;
  std::memcpy(address->sun_path, path.Data(), path.ByteLength());
  *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.ByteLength());
  return true;
}
