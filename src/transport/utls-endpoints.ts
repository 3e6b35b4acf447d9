/** Makes `utls` connections: `ux` where client and server are on one host, else `tls` (xcm-transports.md, 6). */

import { formatAddress, hostAndPort, type InetAddress } from "./address.js";
import { parseLocalAddress } from "./local-address.js";
import { connectSeqpacket, listenSeqpacket } from "./seqpacket-endpoints.js";
import type { Attempt } from "./stream-connector.js";
import { connectTls, listenTls } from "./tls-endpoints.js";
import {
  type Connection,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  TransportError,
} from "./transport.js";

/** The `ux` name is the text of the address, or that of the address really bound if the port was left to the kernel. */
export async function listenUtls(address: InetAddress, options: ListenOptions): Promise<Listener> {
  const tls = await listenTls({ ...address, transport: "tls" }, options);
  const bound = tls.address.slice("tls:".length);
  let ux: Listener;
  try {
    ux = listenSeqpacket({ transport: "ux", name: address.port === 0 ? bound : hostAndPort(address) }, options);
  } catch (error) {
    tls.close();
    if (!(error instanceof TransportError)) throw error;
    throw new TransportError(error.code, `${formatAddress(address)}: ${error.message}`);
  }
  return new UtlsListener(`utls:${bound}`, ux, tls);
}

class UtlsListener implements Listener {
  constructor(
    readonly address: string,
    private readonly ux: Listener,
    private readonly tls: Listener,
  ) {}

  pauseAccepting(): void {
    this.ux.pauseAccepting();
    this.tls.pauseAccepting();
  }

  resumeAccepting(): void {
    this.ux.resumeAccepting();
    this.tls.resumeAccepting();
  }

  close(): void {
    this.ux.close();
    this.tls.close();
  }
}

/** Only a server that does not listen on this host is tried over the network; the TLS files matter only then. */
export async function connectUtls(address: InetAddress, options: ConnectOptions & Attempt): Promise<Connection> {
  const { localAddress, ...others } = options;
  const local = localAddress === undefined ? undefined : parseLocalAddress(localAddress, address);
  try {
    return await connectSeqpacket({ transport: "ux", name: hostAndPort(address) }, others);
  } catch (error) {
    if (!(error instanceof TransportError) || error.code !== "ECONNREFUSED") throw error;
  }
  const from = local && { localAddress: formatAddress({ ...local, transport: "tls" }) };
  return connectTls({ ...address, transport: "tls" }, { ...others, ...from });
}
