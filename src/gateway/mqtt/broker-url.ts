/** Where a broker is, as the configuration says it. */

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** For the log; holds no secret. */
  readonly text: string;
}

/**
 * Reads `mqtt://host[:port]` (port 1883) or `mqtts://host[:port]` (TLS, port 8883). Throws a `RangeError` that never
 * repeats a password.
 */
export function parseBrokerUrl(text: string): BrokerAddress {
  const expected = "expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]";
  const match = /^(mqtts?):\/\/(?:([^@]*)@)?(\[[0-9A-Fa-f:.%a-z]+\]|[^[\]/?#:@\s]+)(?::([0-9]{1,5}))?\/?$/.exec(text);
  if (!match) {
    const shown = text.includes("@") ? `…@${text.slice(text.lastIndexOf("@") + 1)}` : text;
    throw new RangeError(`broker ${JSON.stringify(shown.slice(0, 100))}: ${expected}`);
  }
  const [, scheme, login, bracketed, digits] = match;
  if (login !== undefined) {
    throw new RangeError(`broker ${scheme}://…@${bracketed}: user and password have keys of their own; ${expected}`);
  }
  const tls = scheme === "mqtts";
  const port = digits === undefined ? (tls ? 8883 : 1883) : Number(digits);
  if (port < 1 || port > 65_535) throw new RangeError(`broker ${JSON.stringify(text)}: port ${port} is not 1 to 65535`);
  const host = bracketed.replace(/^\[|\]$/g, "");
  return { host, port, tls, text: `${scheme}://${bracketed}:${port}` };
}
