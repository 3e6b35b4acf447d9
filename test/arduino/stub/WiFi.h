/* Our own stand-in for the WiFi library of ESP boards: only what the sketch uses. */
#pragma once
#include "Client.h"

enum { WL_IDLE_STATUS = 0, WL_CONNECTED = 3 };

class WiFiClient : public Client {};

struct StubWiFi {
  void begin(const char *, const char *) {}
  int status() { return WL_CONNECTED; }
};
extern StubWiFi WiFi;
