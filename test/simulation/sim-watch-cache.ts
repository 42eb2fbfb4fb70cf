import type { JsonObject } from "../../src/lib/json.ts";
import { StoreError } from "../../src/store/contract.ts";
import type { RemoteStream } from "../../src/store/remote.ts";
import type { PlaceOptions } from "./sim-place.ts";
import type { SimProcess } from "./sim-process.ts";

/** What serves watches, and reads that do not ask for a quorum: it may be behind etcd. */
export interface WatchCache {
  open(process: SimProcess, path: string): Promise<RemoteStream>;
  changed(type: "MODIFIED" | "DELETED", object: JsonObject): void;
  /** An object as an API server's cache may still have it. */
  lagging(): JsonObject | undefined;
  /** Ends every watch. */
  cut(): void;
  /** Ends every watch, and forgets from which versions one may begin. */
  restart(): void;
  silence(ms: number): void;
}

export interface WatchCacheOptions extends Omit<PlaceOptions, "onWrite"> {
  readonly isDown: () => boolean;
  readonly revision: () => number;
  readonly current: () => { readonly revision: number; readonly object: JsonObject } | undefined;
}

/** One watch, as its server has it. */
interface Watch {
  send(event: JsonObject): void;
  /** @param broken the connection broke; else it ended in order */
  end(broken: boolean): void;
  /** Nothing comes any more, and nobody is told. */
  freeze(): void;
}

/** Milliseconds between two bookmarks, and how far a cache may be behind. */
const bookmarkMs = 60_000;
const lagMs = 5_000;

export function createCache(options: WatchCacheOptions): WatchCache {
  const { timeline, random, story, lostNotices, isDown, revision } = options;
  const watches = new Set<Watch>();
  /** Objects as they were, oldest first, each until when it was the newest. */
  let earlier: { readonly object: JsonObject; readonly until: number }[] = [];
  let newest: JsonObject | undefined;
  let oldestKnown = 0;
  let silentUntil = 0;

  function note(object: JsonObject): void {
    const now = timeline.now();
    earlier = earlier.filter(({ until }) => until > now - lagMs);
    if (newest !== undefined) earlier.push({ object: newest, until: now });
    newest = object;
  }

  function endAll(broken: boolean): void {
    for (const watch of watches) watch.end(broken);
  }

  function connect(process: SimProcess, query: URLSearchParams): RemoteStream {
    const stream = createStream(process, () => watches.delete(watch));
    let silent = false;
    const watch: Watch = {
      send(event) {
        if (timeline.now() < silentUntil) silent = true;
        const ms = random.chance(0.05) ? random.between(100, 5_000) : random.between(1, 30);
        if (!silent) process.deliver(ms, () => stream.push(event));
      },
      end(broken) {
        watches.delete(watch);
        if (!silent) process.deliver(random.between(1, 30), () => stream.end(broken));
      },
      freeze() {
        silent = true;
      },
    };
    watches.add(watch);
    process.onDeath(() => watches.delete(watch));
    begin(watch, query.get("resourceVersion"));
    const bookmark = (): void => {
      if (!watches.has(watch)) return;
      watch.send({ type: "BOOKMARK", object: at(revision()) });
      timeline.after(bookmarkMs, bookmark);
    };
    timeline.after(bookmarkMs, bookmark);
    const seconds = Number(query.get("timeoutSeconds") ?? "300");
    timeline.after(seconds * 1_000, () => {
      if (watches.has(watch)) watch.end(false);
    });
    return stream.remote;
  }

  /** What it is told first: what has changed since the version that it named. */
  function begin(watch: Watch, from: string | null): void {
    const current = options.current();
    if (from === null) {
      const object = lagging();
      if (object !== undefined) watch.send({ type: "ADDED", object });
      return;
    }
    const version = Number(from);
    if (version < oldestKnown || version > revision()) {
      watch.send({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
      watch.end(false);
    } else if (current !== undefined && current.revision > version)
      watch.send({ type: "MODIFIED", object: current.object });
  }

  function lagging(): JsonObject | undefined {
    const now = timeline.now();
    const stale = earlier.filter(({ until }) => until > now - lagMs);
    return stale.length > 0 && random.chance(0.7) ? random.pick(stale).object : options.current()?.object;
  }

  return {
    open(process, path) {
      const { promise, resolve, reject } = Promise.withResolvers<RemoteStream>();
      if (!process.isAlive()) return promise;
      const query = new URLSearchParams(path.slice(path.indexOf("?") + 1));
      timeline.after(random.between(1, 40), () => {
        if (isDown()) process.deliver(random.between(1, 40), () => reject(lost()));
        else process.deliver(random.between(1, 40), () => resolve(connect(process, query)));
      });
      return promise;
    },
    changed(type, object) {
      note(object);
      for (const watch of watches) {
        if (random.chance(lostNotices)) watch.freeze();
        watch.send({ type, object });
      }
    },
    lagging,
    cut: () => endAll(random.chance(0.5)),
    restart() {
      oldestKnown = revision();
      story.tell(() => `no watch can begin before ${oldestKnown} any more`);
      endAll(true);
    },
    silence(ms) {
      silentUntil = timeline.now() + ms;
    },
  };
}

function at(revision: number): JsonObject {
  return { kind: "Secret", metadata: { resourceVersion: String(revision) } };
}

function lost(): Error {
  return new StoreError("unreachable", "The simulated API server did not answer.");
}

interface SimStream {
  readonly remote: RemoteStream;
  push(event: JsonObject): void;
  end(broken: boolean): void;
}

/** Lines that come one by one, as over a connection. */
function createStream(process: SimProcess, onClosed: () => void): SimStream {
  const lines: Buffer[] = [];
  let ending: "open" | "ended" | "broken" = "open";
  let wake = (): void => {};

  async function* body(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const line = lines.shift();
      if (line !== undefined) yield line;
      else if (ending === "ended") return;
      else if (ending === "broken") throw lost();
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }

  function end(broken: boolean): void {
    if (ending === "open") ending = broken ? "broken" : "ended";
    onClosed();
    wake();
  }

  return {
    remote: { status: 200, headers: {}, body: body(), destroy: () => process.deliver(0, () => end(false)) },
    push(event) {
      if (ending !== "open") return;
      lines.push(Buffer.from(`${JSON.stringify(event)}\n`));
      wake();
    },
    end,
  };
}
