/*
 * A lamp that announces itself in a Pathfinder directory over MQTT, and finds a switch there: for boards with a network
 * interface and the PubSubClient library. See docs/conventions/native.md for what is said on the wire.
 *
 * It needs some 600 bytes of RAM besides the library. Nothing is allocated; a payload is read where it arrived. Nothing
 * is sent from within the library's callback, which would overwrite what it is called with.
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
// how: 0 asks the gateway (queries), 1 reads its mirror, which is good for up to some 20 services of a kind
#ifndef FIND_BY_MIRROR
#define FIND_BY_MIRROR 0
#endif
// the same for the mirror, where we choose ourselves
static const char WANTED_KIND[] = "switch";
static const char WANTED_FIELD[] = "room=kitchen";
// a peer that was found is asked about again so often, should nobody tell that it is gone
static const unsigned long CHECK_MS = 600000UL;
static const uint16_t PACKET_BYTES = 128; // set max_packet of the gateway to the smallest of all devices

// --- topics ---------------------------------------------------------------------------------------------------------

#define ROOT "sd1"
static char stateTopic[40];
static char announceTopic[40];
static char queryTopic[40];
static char replyTopic[40];
static char mirrorTopic[40];

static void makeTopics() {
  snprintf(stateTopic, sizeof stateTopic, ROOT "/s/%s", DEVICE);
  snprintf(announceTopic, sizeof announceTopic, ROOT "/a/%s", DEVICE);
  snprintf(queryTopic, sizeof queryTopic, ROOT "/q/%s", DEVICE);
  snprintf(replyTopic, sizeof replyTopic, ROOT "/r/%s", DEVICE);
  snprintf(mirrorTopic, sizeof mirrorTopic, ROOT "/m/%s/+", WANTED_KIND);
}

static WiFiClient network;
static PubSubClient mqtt(network);

// --- chance ---------------------------------------------------------------------------------------------------------

static const unsigned long FIRST_WAIT_MS = 3000;
static const unsigned long LONGEST_WAIT_MS = 60000UL;

// Boards that get their power at the same moment must not do everything at the same moment.
static unsigned long seedOf(const char *name) {
  unsigned long hash = 2166136261UL;
  while (*name) hash = ((hash ^ (uint8_t)*name++) * 16777619UL) & 0xffffffffUL;
  return hash;
}

// Up to a quarter more.
static unsigned long atLeast(unsigned long ms) { return ms + (unsigned long)random((long)(ms / 4)); }

static unsigned long doubled(unsigned long waitMs) {
  return waitMs < LONGEST_WAIT_MS / 2 ? waitMs * 2 : LONGEST_WAIT_MS;
}

// --- the peer -------------------------------------------------------------------------------------------------------

static char peerUrl[64];   // empty: none yet
static char peerTopic[48]; // where its mirror is: empty there means that it is gone
static bool lookAgain;     // by mirror: have the broker tell once more what it keeps

static uint16_t queryNumber;    // of the query we wait for an answer to; 0: none
static unsigned long askAt;     // when to ask (again), whether there is a peer or not
static unsigned long askWaitMs = FIRST_WAIT_MS;

static void ask() {
  char payload[170];
  static uint16_t lastNumber;
  queryNumber = ++lastNumber ? lastNumber : ++lastNumber; // never 0
  snprintf(payload, sizeof payload, "%u;1;%s", (unsigned)queryNumber, WANTED);
  mqtt.publish(queryTopic, payload);
  askAt = millis() + atLeast(askWaitMs); // nothing in time: ask again, and wait twice as long
  askWaitMs = doubled(askWaitMs);
}

static void found(const char *url) {
  queryNumber = 0;
  askWaitMs = FIRST_WAIT_MS;
  askAt = millis() + atLeast(CHECK_MS);
  if (!strcmp(peerUrl, url)) return;
  snprintf(peerUrl, sizeof peerUrl, "%s", url);
  Serial.print("switch found at ");
  Serial.println(peerUrl);
}

static void forget() {
  if (!peerUrl[0]) return;
  Serial.println("the switch is gone");
  peerUrl[0] = peerTopic[0] = '\0';
}

// Subscribes to the mirror of the peer that was found by a query, and to no other. (A gateway that writes no mirror says
// nothing there; then `CHECK_MS` counts.)
static void watchPeer() {
  static char watched[sizeof peerTopic];
  if (!strcmp(watched, peerTopic)) return;
  if (watched[0]) mqtt.unsubscribe(watched);
  if (peerTopic[0]) mqtt.subscribe(peerTopic);
  strcpy(watched, peerTopic);
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

// The value of `url` among properties; null: there is none, or `wanted` is not among them.
static char *urlOf(char *fields, const char *wanted) {
  char *url = nullptr;
  bool isWanted = !wanted;
  while (fields) {
    char *property = fields;
    fields = nextField(property); // "+" and "~" have no key and match nothing below
    if (wanted && !strcmp(property, wanted)) isWanted = true;
    if (!url && !strncmp(property, "url=", 4)) url = property + 4;
  }
  if (!url || !isWanted) return nullptr;
  unescape(url);
  return strlen(url) < sizeof peerUrl ? url : nullptr; // half an address is none
}

// A reply: number;i/n;id;kind;ttl;properties, or number;0/0, number;!filter, number;!busy;seconds.
static void onReply(char *text) {
  char *place = nextField(text);
  if (!queryNumber || (uint16_t)atoi(text) != queryNumber || !place) return; // an answer to an older question
  char *id = nextField(place);
  if (!strcmp(place, "!busy") && id) {
    const long seconds = atol(id);
    askAt = millis() + atLeast(seconds > 0 && seconds < 60 ? 1000UL * (unsigned long)seconds : LONGEST_WAIT_MS);
    return;
  }
  if (!strcmp(place, "0/0")) forget(); // none there (yet, or any more): we ask again later
  char *kind = id ? nextField(id) : nullptr;
  char *ttl = kind ? nextField(kind) : nullptr;
  char *properties = ttl ? nextField(ttl) : nullptr;
  char *url = properties ? urlOf(properties, nullptr) : nullptr;
  if (!url) return;
  found(url);
  if (strlen(id) == 16 && strlen(kind) <= 20) snprintf(peerTopic, sizeof peerTopic, ROOT "/m/%s/%s", kind, id);
}

// A mirror: generation;ttl;properties; empty: gone. All of the kind, or only that of the peer we have.
static void onMirror(const char *topic, char *text) {
  const bool isPeer = !strcmp(topic, peerTopic);
  if (peerUrl[0] && !isPeer) return; // we have one
  char *ttl = nextField(text);
  char *properties = ttl ? nextField(ttl) : nullptr;
  char *url = properties ? urlOf(properties, FIND_BY_MIRROR ? WANTED_FIELD : nullptr) : nullptr;
  if (url) {
    found(url);
    snprintf(peerTopic, sizeof peerTopic, "%s", topic);
  } else if (isPeer) {
    forget();
    lookAgain = true;
    askAt = millis() + (unsigned long)random(1000); // others have lost the same peer
  }
}

static void onMessage(char *topic, uint8_t *payload, unsigned int length) {
  // The library's buffer has room for the zero only if the packet did not fill it.
  static char text[PACKET_BYTES + 1];
  if (length > PACKET_BYTES) return;
  memcpy(text, payload, length);
  text[length] = '\0';
  if (!strcmp(topic, replyTopic)) onReply(text);
  else if (!strncmp(topic, ROOT "/m/", sizeof ROOT + 2)) onMirror(topic, text);
}

// After each connect: what we have subscribed to before counts no more, and our peer may have gone meanwhile.
static void beginToLook() {
  if (FIND_BY_MIRROR) {
    forget();
    mqtt.subscribe(mirrorTopic); // stays: it tells when the peer is gone, too
    return;
  }
  mqtt.subscribe(replyTopic);
  if (peerTopic[0]) mqtt.subscribe(peerTopic);
  askWaitMs = FIRST_WAIT_MS;
  ask();
}

static void look(unsigned long now) {
  if (!FIND_BY_MIRROR) {
    watchPeer();
    if ((long)(now - askAt) >= 0) ask();
  } else if (lookAgain) {
    mqtt.unsubscribe(mirrorTopic); // whoever subscribes is told what the broker keeps
    mqtt.subscribe(mirrorTopic);
  }
  lookAgain = false;
}

// --- announcing -----------------------------------------------------------------------------------------------------

static unsigned long announceAt;

static void announce() {
  mqtt.publish(announceTopic, ANNOUNCEMENT, true);
  // every half of the TTL, 10 % more or less
  announceAt = millis() + TTL_SECONDS * (unsigned long)random(450, 550);
}

static unsigned long connectAt;
static unsigned long connectSpreadMs = LONGEST_WAIT_MS / 2;

static void connect() {
  char client[24];
  snprintf(client, sizeof client, "n-%s", DEVICE);
  const char *user = PASSWORD[0] ? DEVICE : nullptr;
  const char *password = PASSWORD[0] ? PASSWORD : nullptr;
  if (!mqtt.connect(client, user, password, stateTopic, 1, true, "0")) {
    connectAt = millis() + (unsigned long)random((long)connectSpreadMs);
    connectSpreadMs = LONGEST_WAIT_MS;
    return;
  }
  connectSpreadMs = LONGEST_WAIT_MS / 2;
  mqtt.publish(stateTopic, "1", true); // after every connect, and first: an old will may just have said 0
  announce();
  beginToLook();
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
  randomSeed(seedOf(DEVICE) ^ micros());
  makeTopics();
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  mqtt.setServer(BROKER, BROKER_PORT);
  mqtt.setBufferSize(PACKET_BYTES);
  mqtt.setKeepAlive(15);
  mqtt.setCallback(onMessage);
  connectAt = millis() + (unsigned long)random(3000); // all boards of a house get their power back together
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
  look(now);
}
