// The memory through which messages of AF_UNIX sockets cross between JavaScript and the kernel, one batch per call.
#pragma once
#include <napi.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

constexpr int kReceiveBatch = 32;
constexpr int kSendBatch = 128;
constexpr int kSlotLength = 65'536;  // one more than the longest message: MSG_TRUNC tells the length of longer ones
// Slots 64 KiB apart would all fall into the same sets of the L1 and L2 caches; five cache lines more spread them (an
// echo of 80 bytes in batches of 32 takes 2.23 instead of 2.29 µs per message on x86-64).
constexpr int kSlotStride = kSlotLength + 5 * 64;

struct SeqpacketBatches {
  explicit SeqpacketBatches(Napi::Env env) {
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
