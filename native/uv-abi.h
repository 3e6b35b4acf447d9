// The seven functions of libuv that the addon calls, declared here because a machine with Node.js and g++ (Debian's
// `nodejs` package) has no uv.h. They and the numbers below belong to libuv's stable 1.x ABI; Node.js exports them.
#pragma once
#include <cstddef>

struct uv_loop_s;
struct uv_poll_s;
struct uv_handle_s;

extern "C" {
constexpr int UV_POLL = 8;  // uv_handle_type
constexpr int UV_READABLE = 1;
constexpr int UV_WRITABLE = 2;
typedef void (*uv_poll_cb)(uv_poll_s* handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_s* handle);
std::size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_close(uv_handle_s* handle, uv_close_cb close_cb);
void uv_unref(uv_handle_s* handle);
int uv_poll_init(uv_loop_s* loop, uv_poll_s* handle, int fd);
int uv_poll_start(uv_poll_s* handle, int events, uv_poll_cb cb);
int uv_poll_stop(uv_poll_s* handle);
}
