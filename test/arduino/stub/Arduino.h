/* Our own stand-in for the Arduino core: only what the sketch uses, for compiling and running it in a test. */
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern unsigned long stubMillis;
inline unsigned long millis() { return stubMillis; }
inline unsigned long micros() { return stubMillis * 1000; }
inline void randomSeed(unsigned long seed) { printf("seed %s\n", seed ? "set" : "0"); }
inline long random(long high) { return high / 2; }
inline long random(long low, long high) { return low + (high - low) / 2; }

inline void stubTell(const char *format, ...) {
  va_list values;
  va_start(values, format);
  printf("%lu.%lu ", stubMillis / 1000, stubMillis / 100 % 10);
  vprintf(format, values);
  va_end(values);
}

struct StubSerial {
  void begin(unsigned long) {}
  void print(const char *text) { printf("%s", text); }
  void println(const char *text) { printf("%s\n", text); }
};
extern StubSerial Serial;
