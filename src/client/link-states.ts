/** The life of a link as data (libpaf-client.md, 5 and 10): a pair that is missing is not legal in that state. */

/**
 * `waiting` to try again, `connecting`, `greeting` (the connection stands, the server has not yet answered), `operational`,
 * `detaching` (services are being taken back before the link ends), `detached` (over).
 */
export type LinkPhase = "waiting" | "connecting" | "greeting" | "operational" | "detaching" | "detached";

export type LinkInput =
  /** The time to wait is over. */
  | "due"
  /** The connection stands; the hello is on its way. */
  | "connected"
  | "hello-complete"
  /** Connecting, the handshake, or taking back services took too long. */
  | "timeout"
  /** The connection could not be made or has ended, for whatever reason. */
  | "lost"
  /** The server has no service of ours any more. */
  | "withdrawn"
  | "detach"
  /** The link is not wanted any more, at once. */
  | "stop";

export type LinkEffect =
  | "connect"
  | "begin"
  | "close"
  /** If the connection was good for long, the next failure counts as the first. */
  | "settle"
  | "forget-matches"
  | "arm-greeting"
  | "arm-retry"
  | "withdraw"
  | "arm-detach"
  | "finish";

interface Transition {
  readonly next: LinkPhase;
  readonly effects: readonly LinkEffect[];
}

const GREET: Transition = { next: "operational", effects: ["begin"] };
const FAIL: Transition = { next: "waiting", effects: ["close", "arm-retry"] };
const LEAVE: Transition = { next: "detached", effects: ["close", "finish"] };
const STOP: Transition = { next: "detached", effects: ["close", "forget-matches", "finish"] };

export const LINK: { readonly [when in `${LinkPhase}/${LinkInput}`]?: Transition } = {
  "waiting/due": { next: "connecting", effects: ["arm-greeting", "connect"] },
  "waiting/detach": LEAVE,
  "waiting/stop": STOP,
  "connecting/connected": { next: "greeting", effects: [] },
  "connecting/hello-complete": GREET,
  "connecting/timeout": FAIL,
  "connecting/lost": FAIL,
  "connecting/detach": LEAVE,
  "connecting/stop": STOP,
  "greeting/hello-complete": GREET,
  "greeting/timeout": FAIL,
  "greeting/lost": FAIL,
  "greeting/detach": LEAVE,
  "greeting/stop": STOP,
  "operational/lost": { next: "waiting", effects: ["close", "settle", "forget-matches", "arm-retry"] },
  "operational/detach": { next: "detaching", effects: ["arm-detach", "withdraw"] },
  "operational/stop": STOP,
  "detaching/withdrawn": LEAVE,
  "detaching/timeout": LEAVE,
  "detaching/lost": LEAVE,
  "detaching/stop": LEAVE,
};
