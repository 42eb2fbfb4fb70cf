import type { Clock, Timer } from "../../clock.ts";
import { type BackOff, backOffMs, sleepUnlessAborted } from "../../lib/async.ts";
import type { Emit, Warning } from "../../lib/events.ts";
import { isObject, parseObject } from "../../lib/json.ts";
import { maxObjectBytes, StoreError } from "../contract.ts";
import { RemoteError, type RemoteResponse, type RemoteStream } from "../remote.ts";

export interface SecretWatchOptions {
  /** Of the watch request, without version and time. */
  readonly path: string;
  readonly open: (path: string) => Promise<RemoteStream>;
  /** The version that a quorum read finds; undefined where there is no Secret. */
  readonly look: () => Promise<string | undefined>;
  readonly refusalOf: (response: RemoteResponse) => StoreError;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly emit: Emit<Warning>;
}

export interface SecretWatch {
  /** Calls back after a change. One watch serves all who ask; it begins with the first, and ends with the last. */
  watch(onChange: () => void): () => void;
  /** Whoever reads the Secret says what was found, so that the watch begins there. */
  noteRead(version: string | undefined): void;
  /** The API server asks for a rest of so many seconds. */
  noteRest(seconds: number): void;
  /** Milliseconds that are left of it. */
  restMs(): number;
  /** Until it should be read again without being told: seldom while the watch lives. */
  pollMs(): number;
  /** Is one open that was heard of lately? */
  isLive(): boolean;
  close(): void;
}

/** Milliseconds without a byte after which a watch is dead. Bookmarks come about once a minute. */
const silenceMs = 90_000;
/** Milliseconds between the beginnings of two watches at least: a process has two at most, so it begins one a second. */
const leastApartMs = 2_000;
/** Seconds for which a watch is asked for; jittered, so that those that were begun together do not end together. */
const watchSeconds = 300;
const backOff: BackOff = { firstMs: 500, mostMs: 5_000 };
/** While nothing was ever read: the process is not ready, and is to be soon after the API server is back. */
const firstBackOff: BackOff = { firstMs: 250, mostMs: 1_500 };
/** Milliseconds between two reads, with a watch that lives and without. */
const calmPollMs = 60_000;
const pollMs = 5_000;
const warnAfterMs = 60_000;
/** Milliseconds. A watch is asked for for minutes. */
const shortMs = 10_000;

/** Where the next watch begins: `known` is false where the version has yet to be looked for. */
interface Start {
  readonly known: boolean;
  readonly version: string | undefined;
}

const unknown: Start = { known: false, version: undefined };

/** A watch that can't go on from where it began: what was missed has to be looked for. The message goes on from "it". */
class WatchExpired extends Error {
  override readonly name: string = "WatchExpired";
}

/** It was open and dead. */
class WatchSilent extends WatchExpired {
  override readonly name = "WatchSilent";
}

/**
 * Watches a Secret for as long as anybody listens. It begins at the version of a quorum read of this
 * process: one that begins anywhere else is served from a cache that may be older than what was just
 * read. An event only says that there is something to read, so nothing goes back in time, whatever an
 * old cache tells. A watch that ended by itself goes on where it was; after any other end the Secret is
 * looked at anew, which also mends a version that is too old (410) or that a restored etcd does not know.
 */
export function createSecretWatch(options: SecretWatchOptions): SecretWatch {
  const { clock, random, emit } = options;
  const listeners = new Set<() => void>();
  let running: AbortController | undefined;
  let stream: RemoteStream | undefined;
  let heardAt = Number.NEGATIVE_INFINITY;
  let lastRead: Start = unknown;
  let everRead = false;
  let failingSince: number | undefined;
  let warned = false;
  let restUntil = Number.NEGATIVE_INFINITY;

  /** Of the pause until the next poll: drawn anew by each read, so that whoever asks twice hears the same. */
  let jitter = jitterOf(random());

  function restMs(): number {
    return Math.max(0, restUntil - clock.monotonic());
  }

  function tell(): void {
    for (const listener of listeners) listener();
  }

  async function run(signal: AbortSignal): Promise<void> {
    let start = lastRead;
    let begunAt = Number.NEGATIVE_INFINITY;
    let failures = 0;
    while (!signal.aborted) {
      const pause = failures === 0 ? 0 : backOffMs(everRead ? backOff : firstBackOff, failures, random());
      await sleepUnlessAborted(clock, Math.max(pause, restMs()), signal);
      if (signal.aborted) return;
      try {
        if (!start.known) start = await lookAnew();
        await sleepUnlessAborted(clock, begunAt + leastApartMs - clock.monotonic(), signal);
        if (signal.aborted) return;
        begunAt = clock.monotonic();
        start = await follow(start, signal, () => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        start = unknown;
        failures += 1;
        noteFailure(error);
      }
    }
  }

  async function lookAnew(): Promise<Start> {
    const before = lastRead;
    const version = await options.look();
    everRead = true;
    if (!before.known || before.version !== version) tell();
    return { known: true, version };
  }

  /** Until the watch ends. @returns where the next one begins */
  async function follow(start: Start, signal: AbortSignal, onOpen: () => void): Promise<Start> {
    const seconds = Math.round(watchSeconds * (0.8 + random() * 0.4));
    const from = start.version === undefined ? "" : `&resourceVersion=${encodeURIComponent(start.version)}`;
    const opened = await options.open(`${options.path}&timeoutSeconds=${seconds}${from}`);
    let isSilent = false;
    let anyHeard = false;
    const openedAt = clock.monotonic();
    const stop = (): void => opened.destroy();
    const stopSilent = (): void => {
      isSilent = true;
      stop();
    };
    if (signal.aborted) {
      stop();
      return start;
    }
    signal.addEventListener("abort", stop, { once: true });
    let silence: Timer = clock.after(silenceMs, stopSilent);
    try {
      const { status, headers } = opened;
      if (status !== 200) throw options.refusalOf({ status, headers, body: await readAll(opened) });
      onOpen();
      stream = opened;
      heardAt = clock.monotonic();
      let current = start;
      for await (const line of linesOf(opened, () => {
        heardAt = clock.monotonic();
        silence.cancel();
        silence = clock.after(silenceMs, stopSilent);
      })) {
        current = { known: true, version: heard(line) };
        anyHeard = true;
        failingSince = undefined;
        warned = false;
      }
      // One that ends at once, each time, is none.
      if (!anyHeard && clock.monotonic() - openedAt < shortMs) noteFailure(new WatchExpired("ends at once"));
      return current;
    } catch (error) {
      if (isSilent) throw new WatchSilent(`brought no byte for ${silenceMs / 1_000} s`);
      throw error;
    } finally {
      stream = undefined;
      silence.cancel();
      signal.removeEventListener("abort", stop);
      stop();
    }
  }

  /** @returns the version that it names */
  function heard(line: string): string {
    const event = parseObject(line);
    const object = event?.["object"];
    const metadata = isObject(object) ? object["metadata"] : undefined;
    const version = isObject(metadata) ? metadata["resourceVersion"] : undefined;
    switch (event?.["type"]) {
      case "BOOKMARK":
        break;
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
        tell();
        break;
      default:
        // ERROR, with 410 mostly; or nothing that an API server says.
        throw new WatchExpired("can't go on");
    }
    if (typeof version !== "string" || version === "")
      throw new WatchExpired("brought an event without a version");
    return version;
  }

  /** The record is polled meanwhile, so nothing is lost but time: told once, and only where it lasts, as a silence has. */
  function noteFailure(error: unknown): void {
    failingSince ??= clock.monotonic();
    const lasts = error instanceof WatchSilent || clock.monotonic() - failingSince >= warnAfterMs;
    if (warned || !lasts) return;
    warned = true;
    emit({
      type: "warning",
      message: `There is no watch, and the store is read every ${pollMs / 1000} s instead. ${reasonOf(error)}`,
    });
  }

  function end(): void {
    running?.abort();
    running = undefined;
  }

  function isLive(): boolean {
    return stream !== undefined && clock.monotonic() - heardAt < silenceMs;
  }

  return {
    watch(onChange) {
      const listener = (): void => onChange();
      listeners.add(listener);
      if (running === undefined) {
        running = new AbortController();
        void run(running.signal);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) end();
      };
    },
    noteRead(version) {
      everRead = true;
      lastRead = { known: true, version };
      jitter = jitterOf(random());
    },
    noteRest(seconds) {
      // With jitter on top: all who were told the same would come back together.
      const until = clock.monotonic() + seconds * 1_000 * (1 + random() / 5);
      restUntil = Math.max(restUntil, until);
    },
    restMs,
    pollMs() {
      return Math.max((isLive() ? calmPollMs : pollMs) * jitter, restMs());
    },
    isLive,
    close() {
      listeners.clear();
      end();
    },
  };
}

/** A sentence, which quotes nothing that came. */
function reasonOf(error: unknown): string {
  if (error instanceof StoreError) return error.message;
  const why = error instanceof WatchExpired ? `it ${error.message}` : brokenOff(error);
  return `Of the last one: ${why}. See whether a proxy or load balancer before the API server cuts long answers, or keeps them back.`;
}

function brokenOff(error: unknown): string {
  return error instanceof RemoteError ? error.message : "it ended in a way that was not foreseen";
}

/** A fifth to either side. */
function jitterOf(chance: number): number {
  return 0.8 + chance * 0.4;
}

/** Bytes. A Secret in base64, with what is said about it. */
const longestLine = 2 * maxObjectBytes;

async function* linesOf(
  { body }: RemoteStream,
  onBytes: () => void,
): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    onBytes();
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, at).toString("utf8");
      rest = rest.subarray(at + 1);
      if (line.trim() !== "") yield line;
    }
    if (rest.length > longestLine) throw new WatchExpired("brought an event without an end");
  }
}

/** A refusal is short; what is longer is none of an API server. */
async function readAll({ body }: RemoteStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > 64 * 1024) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
