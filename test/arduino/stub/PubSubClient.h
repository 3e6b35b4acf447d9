/*
 * Our own stand-in for the PubSubClient library (2.8): its signatures, as far as the sketch uses them, and its limit on
 * what is sent. What is done is printed, with the time in seconds. Not the library itself.
 */
#pragma once
#include "Arduino.h"
#include "Client.h"

typedef void (*StubCallback)(char *, uint8_t *, unsigned int);
#define MQTT_CALLBACK_SIGNATURE StubCallback callback

class PubSubClient {
public:
  explicit PubSubClient(Client &) {}
  PubSubClient &setServer(const char *, uint16_t) { return *this; }
  PubSubClient &setCallback(MQTT_CALLBACK_SIGNATURE) {
    this->onMessage = callback;
    return *this;
  }
  PubSubClient &setKeepAlive(uint16_t) { return *this; }
  bool setBufferSize(uint16_t size) {
    bufferSize = size;
    return true;
  }
  bool connect(const char *id, const char *user, const char *, const char *willTopic, uint8_t willQos, bool willRetain,
               const char *willMessage) {
    stubTell("connect %s %s will %s=%s qos %u%s\n", id, user ? user : "-", willTopic, willMessage, willQos,
           willRetain ? " retained" : "");
    return isConnected = isReachable;
  }
  void disconnect() {
    stubTell("disconnect\n");
    isConnected = false;
  }
  bool publish(const char *topic, const char *payload) { return publish(topic, payload, false); }
  bool publish(const char *topic, const char *payload, bool retained) {
    if (bufferSize < 5 + 2 + strlen(topic) + strlen(payload)) return false;
    stubTell("publish %s=%s%s\n", topic, payload, retained ? " retained" : "");
    return true;
  }
  bool subscribe(const char *topic) {
    stubTell("subscribe %s\n", topic);
    return true;
  }
  bool unsubscribe(const char *topic) {
    stubTell("unsubscribe %s\n", topic);
    return true;
  }
  bool loop() { return isConnected; }
  bool connected() { return isConnected; }

  StubCallback onMessage = nullptr;
  bool isReachable = true;
  bool isConnected = false;
  uint16_t bufferSize = 256;
};
