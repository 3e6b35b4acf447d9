/** What strangers may cost, and the times of the conventions. Each is documented in docs/conventions/README.md. */

export const LIMITS = {
  /** Devices shown as services, over all conventions; the configuration may say otherwise. */
  devices: 10_000,
  /** Announcements remembered per convention; a device of Home Assistant's has one for each entity. */
  subjects: 50_000,
  /** Characters of all the announcements remembered per convention; of all attributes of Homie 4, too. */
  announcedCharacters: 33_554_432,
  /** Announcements that may be joined into one device. */
  subjectsOfDevice: 256,
  /** Bytes of a payload, and of Zigbee2MQTT's list of all devices. */
  payloadBytes: 65_536,
  listBytes: 1_048_576,
  /** How deep JSON may be nested. */
  depth: 32,
  /** Bytes of a topic that is read or subscribed to. */
  topicBytes: 512,
  /** Bytes of one text value; longer ones are left out, not cut. */
  textBytes: 1024,
  /** Values of one property; of one announcement, or of one device; all of a device's texts together, in bytes. */
  valuesOfProperty: 64,
  values: 256,
  deviceBytes: 32_768,
  /** Keys by which one announcement may be recognised. */
  keys: 8,
  /** Subscriptions of all conventions besides their fixed ones; and topics that one of them waits for with these. */
  filters: 800,
  presenceTopics: 20_000,
  /** Availability topics of one Home Assistant announcement, and the components of a device announcement. */
  availabilityTopics: 16,
  /** State topics of one Home Assistant announcement that are listened to as signs of life. */
  stateTopics: 16,
  components: 200,
  /** Attributes (retained topics) of one Homie 4 device. */
  attributes: 1000,
  /** Questions to single devices that wait to be sent. */
  questions: 10_000,
  /** Devices in one list of Zigbee2MQTT's. */
  listedDevices: 2000,
} as const;

export const TIMES = {
  /** A device must be quiet for so long before it is shown or changed, but not longer than `longestWaitMs`. */
  quietMs: 2_000,
  longestWaitMs: 10_000,
  /** From a will to the loss of the device: a take-over or reconnect gives `offline`, then `online`. */
  graceMs: 10_000,
  /** For what the broker keeps of a device's presence, when its announcement was heard: so long at most it is not shown. */
  replayMs: 60_000,
  /** An announcement that the broker kept, without presence, must be confirmed within this; after a reconnect, too. */
  provisionalMs: 600_000,
  /** A device without presence may be silent for so long. */
  silenceMs: 86_400_000,
  /** A presence without an announcement is remembered for so long. */
  forgetMs: 3_600_000,
  /** After the broker came back nothing ends before this: devices spread their reconnects. */
  settleMs: 30_000,
  /** A broker that was away for longer: nothing is known of its devices any more. */
  awayMs: 600_000,
  /** Between two questions to single devices, of each table. */
  questionMs: 100,
  /** A timer this late shows that the whole process stood still. */
  stalledMs: 5_000,
} as const;

/** Seconds for which the directory keeps a device when this gateway is gone. */
export const TTL_SECONDS = 600;
