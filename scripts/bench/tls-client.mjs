/** A Pathfinder connection over TLS in the plainest way: Node's TLS and four bytes of length before each message. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";

/** What a client needs of the certificates in `folder` (churn.mjs). */
export function clientIdentity(folder) {
  const read = (name) => readFileSync(join(folder, name));
  return { ca: read("tc.pem"), cert: read("client-cert.pem"), key: read("client-key.pem") };
}

export function openTls(port, { ca, cert, key }) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca, cert, key, checkServerIdentity: () => undefined });
    let rest = Buffer.alloc(0);
    const client = {
      onMessage: () => {},
      send(text) {
        const bytes = Buffer.from(text);
        const frame = Buffer.alloc(4 + bytes.length);
        frame.writeUInt32BE(bytes.length);
        bytes.copy(frame, 4);
        socket.write(frame);
      },
      /** Resolves with the next message. */
      request(text) {
        return new Promise((answered, failed) => {
          client.onMessage = answered;
          client.onEnd = failed;
          client.send(text);
        });
      },
      close: () => socket.destroy(),
      onEnd: reject,
    };
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
        const end = 4 + rest.readUInt32BE();
        client.onMessage(rest.subarray(4, end).toString());
        rest = rest.subarray(end);
      }
    });
    socket.once("secureConnect", () => resolve(client));
    socket.on("error", (error) => client.onEnd(error));
    socket.on("close", () => client.onEnd(new Error("the server closed the connection")));
  });
}

export async function tlsHello(client, id) {
  const answer = await client.request(
    `{"ta-cmd":"hello","ta-id":0,"msg-type":"request","client-id":${id},"protocol-minimum-version":2,"protocol-maximum-version":2}`,
  );
  if (!answer.includes('"complete"')) throw new Error(answer);
}
