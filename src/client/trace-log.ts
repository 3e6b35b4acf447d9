/** What PAF_DEBUG shows on the standard error (libpaf-client.md, 4): every event and every message, a line each. */

import type { Logger } from "../core/log.js";
import { printable } from "../core/printable.js";

/** `write` gets whole lines. Texts may quote a server: control characters are escaped, so that no line can be forged. */
export function traceLog(
  clientId: bigint,
  domain: string | undefined,
  write: (line: string) => void = (line) => void process.stderr.write(line),
): Logger {
  const who = `<client: 0x${clientId.toString(16)}${domain === undefined ? "" : ` domain: ${printable(domain)}`}>`;
  const at = (level: string) => (text: () => string) => write(`${who} ${level}: ${printable(text())}\n`);
  return { debug: at("debug"), info: at("info"), warning: at("warning"), error: at("error") };
}
