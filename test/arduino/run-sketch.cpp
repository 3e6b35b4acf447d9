/* Runs the sketch against the stand-ins: a fixed story, whose outcome is printed and compared by arduino.test.ts. */
#include "Arduino.h"
#include "PubSubClient.h"
#include "WiFi.h"
#include SKETCH

unsigned long stubMillis = 0;
StubSerial Serial;
StubWiFi WiFi;

static void deliver(const char *topic, const char *payload) {
  char topicCopy[64];
  uint8_t bytes[512];
  snprintf(topicCopy, sizeof topicCopy, "%s", topic);
  const unsigned int length = (unsigned int)strlen(payload);
  memcpy(bytes, payload, length);
  mqtt.onMessage(topicCopy, bytes, length);
}

static void pass(unsigned long ms) {
  for (unsigned long end = stubMillis + ms; stubMillis < end; stubMillis += 100) loop();
}

int main() {
  setup();
  pass(1000);
  deliver("sd1/r/a1b2c3d4e5f6", "1;0/0");
  pass(3000);
  deliver("sd1/r/a1b2c3d4e5f6", "1;1/1;5f3a9c0047d21e08;switch;600;url=old"); // an answer to an older question
  deliver("sd1/r/other", "2;1/1;5f3a9c0047d21e08;switch;600;url=foreign");
  deliver("sd1/r/a1b2c3d4e5f6", "2;!busy;30");
  pass(31000);
  deliver("sd1/r/a1b2c3d4e5f6", "3");
  deliver("sd1/r/a1b2c3d4e5f6", "3;1/1");
  deliver("sd1/r/a1b2c3d4e5f6", "3;1/1;;;;;;");
  deliver("sd1/r/a1b2c3d4e5f6", "3;1/1;5f3a9c0047d21e08;switch;600;~;room=kitchen;url=coap://10.0.0.18/a%3Bb%;+");
  printf("peer %s\n", peerUrl);
  pass(300000); // half of the TTL
  sleepFor(240);
  return 0;
}
