/** Which broker, and how to get in: what the configuration says, and the sockets and logins that follow from it. */

import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { BrokerAddress } from "./broker-url.js";

export interface BrokerTls {
  /** Files in PEM form: the authorities to trust instead of the system's; our certificate and its key. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Trusts any certificate. Never the default; a warning is logged. */
  readonly insecure?: boolean;
}

export interface BrokerOptions {
  /** `mqtt://host[:1883]` or `mqtts://host[:8883]`. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** A file whose first line is the password; read at each attempt to connect. */
  readonly passwordFile?: string;
  readonly tls?: BrokerTls;
  readonly clientId: string;
  readonly keepaliveSeconds: number;
  /** What the broker publishes for us when the connection ends without `stop`; at each attempt to connect it is asked anew. */
  readonly will?: () => Will;
  /**
   * The largest packet that the broker takes, if it is known: an MQTT 5 broker tells, one of 3.1.1 ends the connection
   * instead. Default: 1,048,576 bytes, which is the most in any case.
   */
  readonly maxPacketBytes?: number;
}

export interface Will {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  readonly qos: 0 | 1;
}

/** The password is read now, if it is in a file. Throws the system's error. */
export function loginOf({ user, passwordFile, ...options }: BrokerOptions): { username?: string; password?: string } {
  const password = passwordFile === undefined ? options.password : firstLine(passwordFile);
  return { ...(user === undefined ? {} : { username: user }), ...(password === undefined ? {} : { password }) };
}

/** Reads the certificate files, and gives what opens a socket. Throws the system's error. */
export function socketOpener({ host, port, tls }: BrokerAddress, options: BrokerTls = {}): () => Socket {
  if (!tls) return () => connectTcp({ host, port });
  const { ca, cert, key, insecure } = options;
  const settings = {
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
    rejectUnauthorized: insecure !== true,
  };
  return () => connectTls(settings);
}

function firstLine(path: string): string {
  return readFileSync(path, "utf8").split(/\r?\n/, 1)[0];
}
