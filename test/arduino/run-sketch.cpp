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

static const char REPLY[] = "sd1/r/a1b2c3d4e5f6";
static const char MIRROR[] = "sd1/m/switch/5f3a9c0047d21e08";
static const char OTHER_MIRROR[] = "sd1/m/switch/5f3a9c0047d21e09";

static void byQuery() {
  deliver(REPLY, "1;0/0");
  pass(3000);
  deliver(REPLY, "1;1/1;5f3a9c0047d21e08;switch;600;url=old"); // an answer to an older question
  deliver("sd1/r/other", "2;1/1;5f3a9c0047d21e08;switch;600;url=foreign");
  deliver(REPLY, "2;!busy;30");
  pass(35000);
  deliver(REPLY, "3");
  deliver(REPLY, "3;1/1");
  deliver(REPLY, "3;1/1;;;;;;");
  deliver(REPLY, "3;!busy;99999999999");
  deliver(REPLY, "3;1/1;5f3a9c0047d21e08;switch;600;~;room=kitchen;url=coap://10.0.0.18/a%3Bb%;+");
  printf("peer %s\n", peerUrl);
  pass(1000);
  deliver(MIRROR, "5;600;url=coap://10.0.0.19"); // it has moved
  deliver(OTHER_MIRROR, "5;600;url=foreign");
  deliver(MIRROR, ""); // it is gone
  pass(1000);
  deliver(REPLY, "4;1/1;5f3a9c0047d21e09;switch;600;url=coap://10.0.0.20");
  pass(100);
  mqtt.isConnected = false; // the broker is lost for a while
  pass(16000);
  deliver(REPLY, "5;1/1;5f3a9c0047d21e09;switch;600;url=coap://10.0.0.20");
  pass(700000); // it is asked about again, and nobody answers
  printf("peer %s\n", peerUrl);
  char none[16];
  snprintf(none, sizeof none, "%u;0/0", (unsigned)queryNumber);
  deliver(REPLY, none);
  printf("nobody answers\n");
  pass(150000);
  printf("no broker\n");
  mqtt.isConnected = mqtt.isReachable = false;
  pass(110000);
  mqtt.isReachable = true;
  pass(30000);
}

static void byMirror() {
  deliver(OTHER_MIRROR, "5;600;url=coap://10.0.0.20;room=hall");
  deliver(MIRROR, "5;600;url=coap://10.0.0.18;room=kitchen;+");
  deliver("sd1/m/switch/5f3a9c0047d21e0a", "5;600;url=coap://10.0.0.21;room=kitchen"); // we have one
  pass(1000);
  deliver(MIRROR, "6;600;url=coap://10.0.0.19;room=kitchen");
  deliver(OTHER_MIRROR, "");
  deliver(MIRROR, "7;600;url=coap://10.0.0.19;room=hall"); // it went to another room
  pass(1000);
  deliver("sd1/m/switch/5f3a9c0047d21e0a", "5;600;url=coap://10.0.0.21;room=kitchen");
  deliver("sd1/m/switch/5f3a9c0047d21e0a", "");
  pass(1000);
  deliver(MIRROR, "8;600;url=coap://10.0.0.19;room=kitchen");
  mqtt.isConnected = false;
  pass(31000);
}

int main() {
  setup();
  printf("seeds differ: %d\n", seedOf("a1b2c3d4e5f6") != seedOf("a1b2c3d4e5f7"));
  pass(3000);
  if (FIND_BY_MIRROR) {
    byMirror();
    return 0;
  }
  byQuery();
  sleepFor(240);
  return 0;
}
