/** A syslog in Python that reads only when it is told to. */

import { rmSync } from "node:fs";
import { PythonPeer } from "./transport-peers.js";

const SCRIPT = `
path, kind = sys.argv[1:3]
listener = socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind))
listener.bind(path)
if kind != "DGRAM": listener.listen(5)
listener.setblocking(False)
connections = [listener] if kind == "DGRAM" else []
say("ready")
def read_all():
    if kind != "DGRAM":
        try:
            while True: connections.append(listener.accept()[0])
        except BlockingIOError: pass
    for connection in connections:
        connection.setblocking(False)
        data = None
        try:
            while data != b"":
                data = connection.recv(1 << 20)
                if data: say(data.hex())
        except BlockingIOError: pass
while wait() == "read":
    read_all()
    say("done")
`;

export class SyslogPeer {
  private readonly peer: PythonPeer;

  private constructor(
    readonly path: string,
    kind: "DGRAM" | "STREAM" | "SEQPACKET",
  ) {
    rmSync(path, { force: true });
    this.peer = new PythonPeer(SCRIPT, path, kind);
  }

  /** Listens at `path`; a socket that is left there from before is replaced. */
  static async start(path: string, kind: "DGRAM" | "STREAM" | "SEQPACKET" = "DGRAM"): Promise<SyslogPeer> {
    const peer = new SyslogPeer(path, kind);
    await peer.peer.says();
    return peer;
  }

  /** What has come since it read last: each datagram, or piece of a stream. */
  async read(): Promise<string[]> {
    this.peer.tell("read");
    const texts: string[] = [];
    for (;;) {
      const [line] = await this.peer.says();
      if (line === "done") return texts;
      texts.push(Buffer.from(line!, "hex").toString());
    }
  }

  /** Reads until what has come, all together, satisfies `enough`. */
  async readUntil(enough: (texts: readonly string[]) => boolean): Promise<string[]> {
    const texts: string[] = [];
    const end = performance.now() + 20_000;
    while (!enough(texts)) {
      texts.push(...(await this.read()));
      if (performance.now() > end) throw new Error(`not within 20 s; syslog got ${texts.join("\n")}`);
    }
    return texts;
  }

  kill(): Promise<void> {
    return this.peer.kill();
  }
}
