#include "network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>

#include "addon.h"
#include "handles.h"

Napi::Value SocketIn(const Napi::CallbackInfo& info) {
  const std::string file = info[0].As<Napi::String>().Utf8Value();
  const int kind = info[1].As<Napi::Number>().Int32Value();
  const int family = kind == 4 ? AF_INET : kind == 6 ? AF_INET6 : AF_UNIX;
  const int type = kind == 1 ? SOCK_SEQPACKET : SOCK_STREAM;
  UniqueFd fd;
  int error = 0;
  const auto make = [&] {
    const UniqueFd place(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (place && setns(place.Get(), CLONE_NEWNET) == 0) {
      fd = UniqueFd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    }
    if (!fd) error = errno;
  };
  try {
    std::thread(make).join();
  } catch (const std::system_error& refused) {
    error = refused.code().value();
  }
  if (!fd) return ErrnoValue(info.Env(), error);
  return Napi::Number::New(info.Env(), fd.Release());
}
