/** A list of Zigbee2MQTT's as large as those of large houses. */

const exposed = (name: string, at: number) => ({
  access: 1,
  description: `Measured ${name} value of endpoint ${at}, as the device reports it`,
  label: name,
  name,
  property: name,
  type: "numeric",
  unit: "%",
  value_max: 100,
  value_min: 0,
});

/** A payload of at least `bytes` bytes, and the names of the devices in it. */
export function bridgeDevices(bytes: number): { readonly text: string; readonly names: readonly string[] } {
  const entries: string[] = [
    JSON.stringify({ ieee_address: "0x00124b0024c0ffee", type: "Coordinator", friendly_name: "Coordinator" }),
  ];
  const names: string[] = [];
  for (let size = 0; size < bytes; size += entries[entries.length - 1].length + 1) {
    const at = names.length;
    const name = `floor ${at % 4}/sensor ${at}`;
    names.push(name);
    entries.push(
      JSON.stringify({
        definition: {
          description: "Temperature and humidity sensor",
          exposes: ["battery", "temperature", "humidity", "voltage", "linkquality"].map(exposed),
          model: "WSDCGQ11LM",
          options: [exposed("calibration", at)],
          source: "native",
          supports_ota: false,
          vendor: "Aqara",
        },
        disabled: false,
        endpoints: { 1: { bindings: [], clusters: { input: ["genBasic"], output: [] }, configured_reportings: [] } },
        friendly_name: name,
        ieee_address: `0x00158d00${at.toString(16).padStart(8, "0")}`,
        interview_completed: true,
        interviewing: false,
        manufacturer: "LUMI",
        model_id: "lumi.weather",
        network_address: at,
        power_source: "Battery",
        supported: true,
        type: "EndDevice",
      }),
    );
  }
  return { text: `[${entries.join(",")}]`, names };
}
