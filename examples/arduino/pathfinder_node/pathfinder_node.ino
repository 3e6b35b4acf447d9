/*
 * A lamp that announces itself in a Pathfinder directory over MQTT, and finds a switch there: for boards with a network
 * interface and the PubSubClient library. See docs/conventions/native.md for what is said on the wire.
 *
 * It needs some 500 bytes of RAM besides the library. Nothing is allocated; a payload is read where it arrived.
 */

#include <Arduino.h>
#include <PubSubClient.h>
#include <WiFi.h>

// --- what to change -------------------------------------------------------------------------------------------------

static const char WIFI_NAME[] = "attic";
static const char WIFI_PASSWORD[] = "secret";
static const char BROKER[] = "10.0.0.2";
static const uint16_t BROKER_PORT = 1883;
// 1 to 20 of A-Z a-z 0-9 _ -; different for each device, and its user name at a broker with access rules
static const char DEVICE[] = "a1b2c3d4e5f6";
static const char PASSWORD[] = "";
// kind; TTL in seconds; properties. Percent-escape ; % and control characters.
static const char ANNOUNCEMENT[] = "lamp;600;room=kitchen;fw#3;url=coap://10.0.0.17";
static const unsigned long TTL_SECONDS = 600;
// what we are looking for, in the directory's filter language (150 bytes at most)
static const char WANTED[] = "(&(k=switch)(room=kitchen))";
static const uint16_t PACKET_BYTES = 128; // set max_packet of the gateway to the smallest of all devices

// --- topics ---------------------------------------------------------------------------------------------------------

#define ROOT "sd1"
static char stateTopic[40];
static char announceTopic[40];
static char queryTopic[40];
static char replyTopic[40];

static void makeTopics() {
  snprintf(stateTopic, sizeof stateTopic, ROOT "/s/%s", DEVICE);
  snprintf(announceTopic, sizeof announceTopic, ROOT "/a/%s", DEVICE);
  snprintf(queryTopic, sizeof queryTopic, ROOT "/q/%s", DEVICE);
  snprintf(replyTopic, sizeof replyTopic, ROOT "/r/%s", DEVICE);
}

static WiFiClient network;
static PubSubClient mqtt(network);

// --- finding a peer -------------------------------------------------------------------------------------------------

static char peerUrl[64];       // of the first one found; empty: none yet
static uint16_t queryNumber;   // of the query we wait for an answer to; 0: none
static unsigned long askAgainAt;
static unsigned long askWaitMs = 3000;

static void ask() {
  char payload[170];
  static uint16_t lastNumber;
  queryNumber = ++lastNumber ? lastNumber : ++lastNumber; // never 0
  snprintf(payload, sizeof payload, "%u;1;%s", (unsigned)queryNumber, WANTED);
  mqtt.publish(queryTopic, payload);
  askAgainAt = millis() + askWaitMs;
  if (askWaitMs < 300000UL) askWaitMs *= 2; // nothing in time: ask again, and wait twice as long
}

// Ends the field that `text` begins with, and returns the next one; null behind the last.
static char *nextField(char *text) {
  char *end = strchr(text, ';');
  if (!end) return nullptr;
  *end = '\0';
  return end + 1;
}

static int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Replaces %xx, in place.
static void unescape(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    int high = *from == '%' ? hexDigit(from[1]) : -1;
    int low = high >= 0 ? hexDigit(from[2]) : -1;
    if (low >= 0) {
      *to++ = (char)(high * 16 + low);
      from += 2;
    } else {
      *to++ = *from;
    }
  }
  *to = '\0';
}

// A reply: number;i/n;id;kind;ttl;properties, or number;0/0, number;!filter, number;!busy;seconds.
static void onReply(char *text) {
  char *field = nextField(text);
  if (!queryNumber || (uint16_t)atoi(text) != queryNumber || !field) return; // an answer to an older question
  char *rest = nextField(field);
  if (!strcmp(field, "!busy") && rest) {
    askAgainAt = millis() + 1000UL * (unsigned long)atoi(rest);
    return;
  }
  if (field[0] == '!' || !strcmp(field, "0/0")) return; // none there (yet): we ask again later
  for (int skipped = 0; rest && skipped < 3; skipped++) rest = nextField(rest); // id, kind, TTL
  while (rest) {
    char *property = rest;
    rest = nextField(property); // "+" and "~" have no key and match nothing below
    if (strncmp(property, "url=", 4)) continue;
    unescape(property + 4);
    strncpy(peerUrl, property + 4, sizeof peerUrl - 1);
    queryNumber = 0;
    Serial.print("switch found at ");
    Serial.println(peerUrl);
    return;
  }
}

static void onMessage(char *topic, uint8_t *payload, unsigned int length) {
  // The library's buffer has room for the zero only if the packet did not fill it.
  static char text[PACKET_BYTES + 1];
  if (length > PACKET_BYTES) return;
  memcpy(text, payload, length);
  text[length] = '\0';
  if (!strcmp(topic, replyTopic)) onReply(text);
}

// --- announcing -----------------------------------------------------------------------------------------------------

static unsigned long announceAt;

static void announce() {
  mqtt.publish(announceTopic, ANNOUNCEMENT, true);
  // every half of the TTL, 10 % more or less
  announceAt = millis() + TTL_SECONDS * (unsigned long)random(450, 550);
}

static unsigned long connectAt;
static unsigned long connectSpreadMs = 30000;

static void connect() {
  char client[24];
  snprintf(client, sizeof client, "n-%s", DEVICE);
  const char *user = PASSWORD[0] ? DEVICE : nullptr;
  const char *password = PASSWORD[0] ? PASSWORD : nullptr;
  if (!mqtt.connect(client, user, password, stateTopic, 1, true, "0")) {
    connectAt = millis() + (unsigned long)random((long)connectSpreadMs);
    if (connectSpreadMs < 300000UL) connectSpreadMs *= 2;
    return;
  }
  connectSpreadMs = 30000;
  mqtt.publish(stateTopic, "1", true); // after every connect, and first: an old will may just have said 0
  announce();
  mqtt.subscribe(replyTopic);
  if (!peerUrl[0]) ask();
}

// For battery-powered nodes: call before switching the radio off. The TTL should be at least 2.5 times as long.
void sleepFor(unsigned long seconds) {
  char state[12];
  snprintf(state, sizeof state, "z%lu", seconds);
  mqtt.publish(stateTopic, state, true);
  mqtt.disconnect(); // a clean one: no will is sent
}

void setup() {
  Serial.begin(115200);
  makeTopics();
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  mqtt.setServer(BROKER, BROKER_PORT);
  mqtt.setBufferSize(PACKET_BYTES);
  mqtt.setKeepAlive(15);
  mqtt.setCallback(onMessage);
  connectAt = millis();
}

void loop() {
  const unsigned long now = millis();
  if (!mqtt.connected()) {
    if (WiFi.status() == WL_CONNECTED && (long)(now - connectAt) >= 0) connect();
    return;
  }
  mqtt.loop();
  connectAt = now + (unsigned long)random((long)connectSpreadMs); // if it is lost: spread over half a minute
  if ((long)(now - announceAt) >= 0) announce();
  if (!peerUrl[0] && (long)(now - askAgainAt) >= 0) ask();
}
