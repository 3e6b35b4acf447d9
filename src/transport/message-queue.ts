/** Messages copied out of a shared arena, in order, in few large pieces of memory that are freed as they empty. */

const MIN_CHUNK = 4 * 1024;
const MAX_CHUNK = 64 * 1024;

/** Messages lie one behind the other; `bytes` has an ArrayBuffer of its own. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly ends: number[];
  /** Index of the first message that is still in the queue. */
  first: number;
}

/** Where message `index` of a chunk begins. */
export function beginOf(chunk: Chunk, index: number): number {
  return index === 0 ? 0 : chunk.ends[index - 1]!;
}

/** Has no limit of its own: who fills it stops in time. */
export class MessageQueue {
  #chunks: Chunk[] = [];
  #messages = 0;
  #bytes = 0;

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The chunk with the oldest message. Only to be called when there is one. */
  get oldest(): Chunk {
    return this.#chunks[0]!;
  }

  /** Appends a copy of `source[begin … end)`. */
  push(source: Uint8Array, begin: number, end: number): void {
    const length = end - begin;
    let chunk = this.#chunks[this.#chunks.length - 1];
    let used = chunk === undefined ? 0 : chunk.ends[chunk.ends.length - 1]!;
    if (chunk === undefined || chunk.bytes.length - used < length) {
      const size = chunk === undefined ? MIN_CHUNK : Math.min(2 * chunk.bytes.length, MAX_CHUNK);
      chunk = { bytes: new Uint8Array(Math.max(size, length)), ends: [], first: 0 };
      this.#chunks.push(chunk);
      used = 0;
    }
    chunk.bytes.set(source.subarray(begin, end), used);
    chunk.ends.push(used + length);
    this.#messages++;
    this.#bytes += length;
  }

  /** Removes `count` messages of the oldest chunk. Its bytes stay valid for whoever still holds it. */
  drop(count: number): void {
    const chunk = this.oldest;
    const from = beginOf(chunk, chunk.first);
    chunk.first += count;
    this.#bytes -= beginOf(chunk, chunk.first) - from;
    this.#messages -= count;
    if (chunk.first === chunk.ends.length) this.#chunks.shift();
  }

  clear(): void {
    this.#chunks = [];
    this.#messages = 0;
    this.#bytes = 0;
  }
}
