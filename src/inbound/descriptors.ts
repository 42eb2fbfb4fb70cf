import { readBounded } from "../files/io.ts";

/** More callers than any one machine has. */
const mostConnections = 8_192;

/** Descriptors for what is not a connection of a call: listeners, store, watches, log, admin and control listener, names. */
const forTheRest = 64;

/**
 * How many callers' connections may be open. A process without a descriptor left accepts and
 * closes a connection without a word to itself or the caller (libuv's uv__emfile_trick), and can
 * neither connect to Presto nor read a token: so callers leave room for that.
 * @param limit descriptors that this process may have open; undefined where that is not known
 */
export function callerConnections(limit: number | undefined, maxInFlight: number): number {
  if (limit === undefined) return mostConnections;
  const left = limit - forTheRest;
  // Each caller may have a call in flight, which takes a connection to Presto as well.
  const room = Math.max(left - maxInFlight, Math.floor(left / 2), 1);
  return Math.min(room, mostConnections);
}

/** Node raises the soft limit to the hard one when it starts. */
export async function readDescriptorLimit(): Promise<number | undefined> {
  try {
    const read = await readBounded("/proc/self/limits", {
      maxBytes: 16 * 1024,
      followLink: false,
      ofSystem: true,
    });
    const text = read.kind === "content" ? read.bytes.toString("latin1") : "";
    const [, soft] = /^Max open files +(\d+) /m.exec(text) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
