// Sockets of another network namespace. The thread that enters it ends there: this process's own threads stay where they
// are, and nothing can fail on a way back.
#pragma once
#include <napi.h>

// (the namespace's file, kind: 4 and 6 for TCP over that version of IP, 1 for AF_UNIX SOCK_SEQPACKET): the descriptor of a
// non-blocking socket, which the caller closes, or -errno: ENOENT, EPERM (setns() needs CAP_SYS_ADMIN), EINVAL (the file is
// no network namespace), or what socket() says.
Napi::Value SocketIn(const Napi::CallbackInfo& info);
