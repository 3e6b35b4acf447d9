// Sockets and socket options that Node.js lacks: AF_UNIX SOCK_SEQPACKET in batches, connected AF_UNIX datagram sockets,
// and any integer option of a descriptor. It knows no message, no timer and no address grammar. Its one caller is src/transport/addon.ts, which
// describes this interface to TypeScript. Errors cross as -errno.

#include <fcntl.h>
#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unordered_set>

#include "handles.h"
#include "unix_address.h"
#include "unix_connect.h"

namespace {

constexpr int kReceiveBatch = 32;
constexpr int kSendBatch = 128;
constexpr int kSlotLength = 65'536;  // one more than the longest message: MSG_TRUNC tells the length of longer ones
// Slots 64 KiB apart would all fall into the same sets of the L1 and L2 caches; five cache lines more spread them (an
// echo of 80 bytes in batches of 32 takes 2.23 instead of 2.29 µs per message on x86-64).
constexpr int kSlotStride = kSlotLength + 5 * 64;
constexpr int kEndOfStream = 1;
constexpr int kSendBuffer = 262'144;  // xcm-transports.md, 3.3
constexpr int kWritable = -1;         // the event "may send again"; others are the number of messages received

class SeqpacketSocket;

// What all sockets of one environment (the main thread or a worker) share.
struct Addon {
  explicit Addon(Napi::Env environment);
  Addon(const Addon&) = delete;
  Addon& operator=(const Addon&) = delete;
  void EndEnvironment();

  Napi::Env env;
  uv_loop_s* loop = nullptr;
  napi_async_context async = nullptr;
  Napi::FunctionReference constructor;
  std::unordered_set<SeqpacketSocket*> open;
  std::shared_ptr<EnvironmentExit> exit = std::make_shared<EnvironmentExit>();

  // Memory shared with JavaScript, kept alive by the references.
  Napi::Reference<Napi::Uint8Array> receive_arena;  // kReceiveBatch slots; a page is only real once a message was there
  Napi::Reference<Napi::Int32Array> received;       // the length of each message, then 0, kEndOfStream or -errno
  Napi::Reference<Napi::Int32Array> send_table;     // kSendBatch times offset and length
  int32_t* received_table;
  const int32_t* send_entries;

  // Nothing of these is written by the kernel except msg_len and msg_flags: no names, no control data are asked for.
  iovec receive_parts[kReceiveBatch];
  mmsghdr receive_headers[kReceiveBatch];
  iovec send_parts[kSendBatch];
  mmsghdr send_headers[kSendBatch];
};

Napi::Value ErrnoValue(Napi::Env env, int error) { return Napi::Number::New(env, -error); }

// One listening or connected socket. Collected like any object until start(); then alive until close().
class SeqpacketSocket : public Napi::ObjectWrap<SeqpacketSocket> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit SeqpacketSocket(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SeqpacketSocket>(info), addon_(*info.Env().GetInstanceData<Addon>()) {}
  ~SeqpacketSocket() override { Release(); }

  // Stops watching and closes the descriptor. Touches no JavaScript value, so it may run in a finalizer.
  void Release() {
    if (!fd_) return;  // then the addon may be gone already: at the environment's end it closes all, and goes first
    poll_.Close();
    fd_.Close();
    addon_.open.erase(this);
  }

 private:
  static Napi::Value Listen(const Napi::CallbackInfo& info);   // (sun_path, backlog): a socket or -errno
  static Napi::Value Connect(const Napi::CallbackInfo& info);  // (sun_path): a socket or -errno
  static Napi::Value Wrap(Addon& addon, UniqueFd fd, bool listening);
  Napi::Value Accept(const Napi::CallbackInfo& info);       // a socket or -errno
  Napi::Value Start(const Napi::CallbackInfo& info);        // (callback): 0 or -errno
  void Watch(const Napi::CallbackInfo& info);               // (UV_READABLE | UV_WRITABLE, or 0)
  Napi::Value Send(const Napi::CallbackInfo& info);         // (ArrayBuffer, count): messages taken, or -errno
  Napi::Value LocalName(const Napi::CallbackInfo& info);    // sun_path as the kernel gives it, or -errno
  Napi::Value PeerName(const Napi::CallbackInfo& info);     // the same
  Napi::Value Credentials(const Napi::CallbackInfo& info);  // [pid, uid, gid] or -errno
  void Close(const Napi::CallbackInfo& info);               // twice is harmless; the destructor does the same

  void OnPoll(int status, int events);
  bool Receive(int* count);
  void Call(int event);

  Addon& addon_;
  bool listening_ = false;
  bool reset_ = false;  // ECONNRESET was reported; what is queued comes before it is passed on
  int watched_ = 0;
  Napi::FunctionReference callback_;
  UniqueFd fd_;
  Poll poll_;  // last, so it stops first
};

UniqueFd NewSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fd;
  const int on = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  // Only for its side effect: a client that connects is given a name by the kernel, which the other side can log.
  setsockopt(fd.Get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  return fd;
}

Napi::Value SeqpacketSocket::Listen(const Napi::CallbackInfo& info) {
  sockaddr_un address;
  socklen_t length;
  if (!ReadUnixAddress(info[0], &address, &length)) return ErrnoValue(info.Env(), EINVAL);
  UniqueFd fd = NewSocket();
  if (!fd || bind(fd.Get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(fd.Get(), info[1].As<Napi::Number>().Int32Value()) != 0) {
    return ErrnoValue(info.Env(), errno);
  }
  return Wrap(*info.Env().GetInstanceData<Addon>(), std::move(fd), true);
}

Napi::Value SeqpacketSocket::Connect(const Napi::CallbackInfo& info) {
  sockaddr_un address;
  socklen_t length;
  if (!ReadUnixAddress(info[0], &address, &length)) return ErrnoValue(info.Env(), EINVAL);
  UniqueFd fd = NewSocket();
  if (!fd || connect(fd.Get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    return ErrnoValue(info.Env(), errno);
  }
  return Wrap(*info.Env().GetInstanceData<Addon>(), std::move(fd), false);
}

Napi::Value SeqpacketSocket::Accept(const Napi::CallbackInfo& info) {
  UniqueFd fd(accept4(fd_.Get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return ErrnoValue(info.Env(), errno);
  setsockopt(fd.Get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  return Wrap(addon_, std::move(fd), false);
}

Napi::Value SeqpacketSocket::Wrap(Addon& addon, UniqueFd fd, bool listening) {
  Napi::Object object = addon.constructor.New({});
  SeqpacketSocket* socket = Unwrap(object);
  socket->fd_ = std::move(fd);
  socket->listening_ = listening;
  addon.open.insert(socket);
  return object;
}

Napi::Value SeqpacketSocket::Start(const Napi::CallbackInfo& info) {
  if (!fd_ || !callback_.IsEmpty()) return ErrnoValue(info.Env(), EBADF);
  const int error = poll_.Open(
      addon_.loop, fd_.Get(), this,
      [](void* owner, int status, int events) { static_cast<SeqpacketSocket*>(owner)->OnPoll(status, events); },
      addon_.exit);
  if (error == 0) {
    callback_ = Napi::Persistent(info[0].As<Napi::Function>());
    Ref();
  }
  return Napi::Number::New(info.Env(), error);
}

void SeqpacketSocket::Watch(const Napi::CallbackInfo& info) {
  watched_ = info[0].As<Napi::Number>().Int32Value() & (UV_READABLE | UV_WRITABLE);
  poll_.Watch(watched_);
}

void SeqpacketSocket::Close(const Napi::CallbackInfo&) {
  Release();
  if (callback_.IsEmpty()) return;
  callback_.Reset();
  Unref();
}

void SeqpacketSocket::OnPoll(int status, int events) {
  Napi::HandleScope scope(addon_.env);
  [[maybe_unused]] const Napi::Object self = Value();  // keeps this object while JavaScript closes and forgets it
  if (status < 0) {
    // A reset (EPOLLERR). libuv has stopped polling and hides what is ready: look at everything that was watched.
    events = watched_;
    poll_.Watch(watched_);
  }
  if ((events & UV_READABLE) != 0) {
    int count = 0;
    if (listening_ || Receive(&count)) Call(count);
  }
  if ((events & UV_WRITABLE) != 0 && (watched_ & UV_WRITABLE) != 0) Call(kWritable);
}

// One batch into the arena; false if there was nothing after all.
bool SeqpacketSocket::Receive(int* count) {
  int received;
  do {
    received = recvmmsg(fd_.Get(), addon_.receive_headers, kReceiveBatch, MSG_DONTWAIT | MSG_TRUNC, nullptr);
    // A reset is reported before the messages that came before it, and only once.
    if (received < 0 && errno == ECONNRESET && !reset_) {
      reset_ = true;
      errno = EINTR;
    }
  } while (received < 0 && errno == EINTR);
  int32_t* end = addon_.received_table + kReceiveBatch;
  *end = 0;
  *count = 0;
  if (received < 0) {
    if (errno == EAGAIN) return false;
    *end = -errno;
    return true;
  }
  for (; *count < received; ++*count) {
    // At the end of the stream recvmmsg() fills every slot that is left with length 0.
    const unsigned length = addon_.receive_headers[*count].msg_len;
    if (length == 0) {
      *end = reset_ ? -ECONNRESET : kEndOfStream;
      break;
    }
    addon_.received_table[*count] = static_cast<int32_t>(length);
  }
  return true;
}

// Runs the callback, then what it left in the microtask queue. What it throws becomes an uncaughtException.
void SeqpacketSocket::Call(int event) {
  if (callback_.IsEmpty()) return;  // closed by the call before this one
  napi_env env = addon_.env;
  napi_value argument;
  if (napi_create_int32(env, event, &argument) != napi_ok) return;
  napi_make_callback(env, addon_.async, Value(), callback_.Value(), 1, &argument, nullptr);
  bool threw = false;
  napi_value error;
  if (napi_is_exception_pending(env, &threw) == napi_ok && threw &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

Napi::Value SeqpacketSocket::Send(const Napi::CallbackInfo& info) {
  Napi::ArrayBuffer source = info[0].As<Napi::ArrayBuffer>();
  const int count = info[1].As<Napi::Number>().Int32Value();
  auto* data = static_cast<uint8_t*>(source.Data());
  const size_t size = source.ByteLength();
  if (count < 1 || count > kSendBatch) return ErrnoValue(info.Env(), EINVAL);
  for (int i = 0; i < count; ++i) {
    const auto offset = static_cast<uint32_t>(addon_.send_entries[2 * i]);
    const auto length = static_cast<uint32_t>(addon_.send_entries[2 * i + 1]);
    // An empty packet would look like the end of the connection to its receiver.
    if (length == 0 || offset > size || length > size - offset) return ErrnoValue(info.Env(), EINVAL);
    addon_.send_parts[i] = {data + offset, length};
  }
  const int sent = sendmmsg(fd_.Get(), addon_.send_headers, count, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
  if (sent < 0) return errno == EAGAIN ? Napi::Number::New(info.Env(), 0) : ErrnoValue(info.Env(), errno);
  return Napi::Number::New(info.Env(), sent);
}

template <typename GetName>
Napi::Value ReadName(Napi::Env env, int fd, GetName get_name) {
  sockaddr_un address;
  socklen_t length = sizeof address;
  if (get_name(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return ErrnoValue(env, errno);
  const size_t header = offsetof(sockaddr_un, sun_path);
  // A path that fills sun_path is reported one longer than the structure (unix(7)).
  const size_t path = length <= header ? 0 : std::min(size_t{length} - header, sizeof address.sun_path);
  return Napi::Buffer<char>::Copy(env, address.sun_path, path);
}

Napi::Value SeqpacketSocket::LocalName(const Napi::CallbackInfo& info) {
  return ReadName(info.Env(), fd_.Get(), getsockname);
}

Napi::Value SeqpacketSocket::PeerName(const Napi::CallbackInfo& info) {
  return ReadName(info.Env(), fd_.Get(), getpeername);
}

Napi::Value SeqpacketSocket::Credentials(const Napi::CallbackInfo& info) {
  ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd_.Get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return ErrnoValue(info.Env(), errno);
  Napi::Array result = Napi::Array::New(info.Env(), 3);
  result[0u] = Napi::Number::New(info.Env(), peer.pid);
  result[1u] = Napi::Number::New(info.Env(), peer.uid);
  result[2u] = Napi::Number::New(info.Env(), peer.gid);
  return result;
}

Napi::Function SeqpacketSocket::Define(Napi::Env env) {
  return DefineClass(env, "SeqpacketSocket",
                     {
                         StaticMethod("listen", &SeqpacketSocket::Listen),
                         StaticMethod("connect", &SeqpacketSocket::Connect),
                         InstanceMethod("accept", &SeqpacketSocket::Accept),
                         InstanceMethod("start", &SeqpacketSocket::Start),
                         InstanceMethod("watch", &SeqpacketSocket::Watch),
                         InstanceMethod("send", &SeqpacketSocket::Send),
                         InstanceMethod("localName", &SeqpacketSocket::LocalName),
                         InstanceMethod("peerName", &SeqpacketSocket::PeerName),
                         InstanceMethod("credentials", &SeqpacketSocket::Credentials),
                         InstanceMethod("close", &SeqpacketSocket::Close),
                     });
}

Addon::Addon(Napi::Env environment) : env(environment) {
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

  const auto arena = Napi::Uint8Array::New(env, size_t{kReceiveBatch} * kSlotStride);
  const auto lengths = Napi::Int32Array::New(env, kReceiveBatch + 1);
  const auto table = Napi::Int32Array::New(env, 2 * kSendBatch);
  receive_arena = Napi::Persistent(arena);
  received = Napi::Persistent(lengths);
  send_table = Napi::Persistent(table);
  received_table = Napi::Int32Array(lengths).Data();
  send_entries = Napi::Int32Array(table).Data();

  std::memset(receive_headers, 0, sizeof receive_headers);
  std::memset(send_headers, 0, sizeof send_headers);
  uint8_t* slot = Napi::Uint8Array(arena).Data();
  for (int i = 0; i < kReceiveBatch; ++i, slot += kSlotStride) {
    receive_parts[i] = {slot, size_t{kSlotLength}};
    receive_headers[i].msg_hdr.msg_iov = &receive_parts[i];
    receive_headers[i].msg_hdr.msg_iovlen = 1;
  }
  for (int i = 0; i < kSendBatch; ++i) {
    send_headers[i].msg_hdr.msg_iov = &send_parts[i];
    send_headers[i].msg_hdr.msg_iovlen = 1;
  }
}

void Addon::EndEnvironment() {
  while (!open.empty()) (*open.begin())->Release();
  napi_async_destroy(env, async);
  exit.reset();
}

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

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* addon = new Addon(env);
  env.SetInstanceData(addon);
  const Napi::Function constructor = SeqpacketSocket::Define(env);
  addon->constructor = Napi::Persistent(constructor);
  exports["SeqpacketSocket"] = constructor;
  exports["receiveArena"] = addon->receive_arena.Value();
  exports["received"] = addon->received.Value();
  exports["sendTable"] = addon->send_table.Value();
  exports["receiveBatch"] = Napi::Number::New(env, kReceiveBatch);
  exports["sendBatch"] = Napi::Number::New(env, kSendBatch);
  exports["slotStride"] = Napi::Number::New(env, kSlotStride);
  exports["setOption"] = Napi::Function::New(env, SetOption, "setOption");
  exports["getOption"] = Napi::Function::New(env, GetOption, "getOption");
  exports["connectUnix"] = Napi::Function::New(env, ConnectUnix, "connectUnix");
  return exports;
}

NODE_API_MODULE(pathfinder_edge, Init)

}  // namespace
