/* Our own stand-in for the Arduino core: only what the sketch uses, for compiling and running it in a test. */
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern unsigned long stubMillis;
inline unsigned long millis() { return stubMillis; }
inline long random(long high) { return high / 2; }
inline long random(long low, long high) { return low + (high - low) / 2; }

struct StubSerial {
  void begin(unsigned long) {}
  void print(const char *text) { printf("%s", text); }
  void println(const char *text) { printf("%s\n", text); }
};
extern StubSerial Serial;
