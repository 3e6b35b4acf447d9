#include "seqpacket_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "unix_address.h"

namespace {

constexpr int kEndOfStream = 1;
constexpr int kSendBuffer = 262'144;  // xcm-transports.md, 3.3
constexpr int kWritable = -1;         // the event "may send again"; others are the number of messages received

UniqueFd NewSocket(UniqueFd fd = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))) {
  if (!fd) return fd;
  const int on = 1;
  setsockopt(fd.Get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  // Only for its side effect: a client that connects is given a name by the kernel, which the other side can log.
  setsockopt(fd.Get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  return fd;
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

}  // namespace

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
  UniqueFd made(info[1].IsNumber() ? info[1].As<Napi::Number>().Int32Value() : -1);
  sockaddr_un address;
  socklen_t length;
  if (!ReadUnixAddress(info[0], &address, &length)) return ErrnoValue(info.Env(), EINVAL);
  UniqueFd fd = made ? NewSocket(std::move(made)) : NewSocket();
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
  SeqpacketSocket* socket = WatchedSocket::Wrap(addon, addon.seqpacket_socket, std::move(fd));
  socket->listening_ = listening;
  return socket->Value();
}

void SeqpacketSocket::OnEvents(int events) {
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
    received = recvmmsg(fd_.Get(), addon_.batches.receive_headers, kReceiveBatch, MSG_DONTWAIT | MSG_TRUNC, nullptr);
    // A reset is reported before the messages that came before it, and only once.
    if (received < 0 && errno == ECONNRESET && !reset_) {
      reset_ = true;
      errno = EINTR;
    }
  } while (received < 0 && errno == EINTR);
  int32_t* end = addon_.batches.received_table + kReceiveBatch;
  *end = 0;
  *count = 0;
  if (received < 0) {
    if (errno == EAGAIN) return false;
    *end = -errno;
    return true;
  }
  for (; *count < received; ++*count) {
    // At the end of the stream recvmmsg() fills every slot that is left with length 0.
    const unsigned length = addon_.batches.receive_headers[*count].msg_len;
    if (length == 0) {
      *end = reset_ ? -ECONNRESET : kEndOfStream;
      break;
    }
    addon_.batches.received_table[*count] = static_cast<int32_t>(length);
  }
  return true;
}

Napi::Value SeqpacketSocket::Send(const Napi::CallbackInfo& info) {
  Napi::ArrayBuffer source = info[0].As<Napi::ArrayBuffer>();
  const int count = info[1].As<Napi::Number>().Int32Value();
  auto* data = static_cast<uint8_t*>(source.Data());
  const size_t size = source.ByteLength();
  if (count < 1 || count > kSendBatch) return ErrnoValue(info.Env(), EINVAL);
  for (int i = 0; i < count; ++i) {
    const auto offset = static_cast<uint32_t>(addon_.batches.send_entries[2 * i]);
    const auto length = static_cast<uint32_t>(addon_.batches.send_entries[2 * i + 1]);
    // An empty packet would look like the end of the connection to its receiver.
    if (length == 0 || offset > size || length > size - offset) return ErrnoValue(info.Env(), EINVAL);
    addon_.batches.send_parts[i] = {data + offset, length};
  }
  const int sent = sendmmsg(fd_.Get(), addon_.batches.send_headers, count, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
  if (sent < 0) return errno == EAGAIN ? Napi::Number::New(info.Env(), 0) : ErrnoValue(info.Env(), errno);
  return Napi::Number::New(info.Env(), sent);
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
