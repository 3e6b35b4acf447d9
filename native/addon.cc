// Sockets and socket options that Node.js lacks: AF_UNIX SOCK_SEQPACKET in batches, TCP listeners that accept no more than
// they are asked to, connected AF_UNIX datagram sockets, sockets of another network namespace, the kernel's
// word that the network interfaces changed, and any integer option of a descriptor. It knows no message and no timer. Its one caller is src/transport/addon.ts, which describes this interface to TypeScript. Errors cross as -errno.

#include "addon.h"

#include <malloc.h>
#include <napi.h>
#include <sys/socket.h>

#include <cerrno>

#include "network_namespace.h"
#include "network_watch.h"
#include "seqpacket_socket.h"
#include "stream_listener.h"
#include "unix_connect.h"

Addon::Addon(Napi::Env environment) : env(environment), batches(environment) {
  const auto check = [&](napi_status status) {
    if (status != napi_ok) throw Napi::Error::New(env);
  };
  check(napi_get_uv_event_loop(env, &loop));
  check(napi_async_init(env, nullptr, Napi::String::New(env, "pathfinder-edge socket"), &async));
  // The hook runs before the environment's references are torn down, and Node waits until `exit` has no owner left.
  check(napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle, void* self) { static_cast<Addon*>(self)->EndEnvironment(); },
      this, &exit->hook));
}

void Addon::EndEnvironment() {
  while (!open.empty()) (*open.begin())->Release();
  napi_async_destroy(env, async);
  exit.reset();
}

void Addon::Call(const Napi::Object& self, const Napi::FunctionReference& callback, int event) {
  napi_value argument;
  if (napi_create_int32(env, event, &argument) != napi_ok) return;
  napi_make_callback(env, async, self, callback.Value(), 1, &argument, nullptr);
  bool threw = false;
  napi_value error;
  if (napi_is_exception_pending(env, &threw) == napi_ok && threw &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

namespace {

// (fd, level, option, value): 0 or -errno. The descriptor stays its owner's.
Napi::Value SetOption(const Napi::CallbackInfo& info) {
  const auto argument = [&](size_t i) { return info[i].As<Napi::Number>().Int32Value(); };
  const int value = argument(3);
  const int result = setsockopt(argument(0), argument(1), argument(2), &value, sizeof value);
  return ErrnoValue(info.Env(), result == 0 ? 0 : errno);
}

// (fd, level, option): the value or -errno.
Napi::Value GetOption(const Napi::CallbackInfo& info) {
  const auto argument = [&](size_t i) { return info[i].As<Napi::Number>().Int32Value(); };
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(argument(0), argument(1), argument(2), &value, &length) != 0) return ErrnoValue(info.Env(), errno);
  return Napi::Number::New(info.Env(), value);
}

// Gives memory that malloc keeps, in pieces between what is in use, back to the system. Where the C library cannot, nothing.
void TrimMemory(const Napi::CallbackInfo&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* addon = new Addon(env);
  env.SetInstanceData(addon);
  const auto define = [&](const char* name, const Napi::Function& constructor) {
    exports[name] = constructor;
    return Napi::Persistent(constructor);
  };
  addon->seqpacket_socket = define("SeqpacketSocket", SeqpacketSocket::Define(env));
  addon->stream_listener = define("StreamListener", StreamListener::Define(env));
  addon->network_watch = define("NetworkWatch", NetworkWatch::Define(env));
  exports["receiveArena"] = addon->batches.receive_arena.Value();
  exports["received"] = addon->batches.received.Value();
  exports["sendTable"] = addon->batches.send_table.Value();
  exports["receiveBatch"] = Napi::Number::New(env, kReceiveBatch);
  exports["sendBatch"] = Napi::Number::New(env, kSendBatch);
  exports["slotStride"] = Napi::Number::New(env, kSlotStride);
  exports["setOption"] = Napi::Function::New(env, SetOption, "setOption");
  exports["getOption"] = Napi::Function::New(env, GetOption, "getOption");
  exports["trimMemory"] = Napi::Function::New(env, TrimMemory, "trimMemory");
  exports["socketIn"] = Napi::Function::New(env, SocketIn, "socketIn");
  exports["connectUnix"] = Napi::Function::New(env, ConnectUnix, "connectUnix");
  return exports;
}

NODE_API_MODULE(pathfinder_edge, Init)

}  // namespace
