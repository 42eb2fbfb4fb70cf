import type { Emit, Warning } from "../../src/lib/events.ts";
import { decodeObject, encodeObject } from "../../src/store/codec.ts";
import {
  type StoredBytes,
  type StoredRecord,
  StoreError,
  type TokenRecord,
  type TokenStore,
  type WritableStore,
  type WriteResult,
} from "../../src/store/contract.ts";
import { createTokenStore } from "../../src/store/over-backend.ts";
import { recordCodec } from "../../src/store/record.ts";
import type { Operate } from "./operate.ts";
import type { Random } from "./random.ts";
import type { Place, PlaceOptions } from "./sim-place.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/** The one stored record, and what is done to it. */
export interface SimStore extends Pick<
  Place,
  "fail" | "isDown" | "silence" | "disturbWatches" | "standsStill"
> {
  /** What stands in it, in truth. */
  current(): StoredRecord | undefined;
  /** As a process uses it, for its calls and, where it issues, for its renewals. */
  open(process: SimProcess, issues: boolean, emit: Emit<Warning>): OpenedStore;
  /** When it was written last, by a process: simulated time. */
  writtenAt(): number;
  /** Does it name another object than the one that it stands in? */
  isElsewhere(): boolean;
  /** Puts a record there, by no protocol. */
  put(record: TokenRecord): void;
  /** Puts an earlier record back; false if there is none. */
  restoreBackup(): boolean;
  /** Takes the record away. */
  wipe(): void;
}

export interface OpenedStore {
  readonly forRequests: TokenStore;
  /** Each operation may be struck by a fault. */
  readonly forIssuing: WritableStore;
}

/** A write was applied, whenever its writer hears of it. */
export type OnWrite = (process: SimProcess, before: StoredRecord | undefined, after: StoredRecord) => void;

/** Records that a backup may hold. */
const mostBackups = 6;

function createBackups<T>(random: Random): { keep(record: T): void; pick(): T | undefined } {
  const kept: T[] = [];
  return {
    keep(record) {
      kept.push(record);
      if (kept.length > mostBackups) kept.shift();
    },
    pick: () => (random.chance(0.5) || kept.length === 0 ? kept[0] : random.pick(kept)),
  };
}

/** The adapter that ships, over a server that is simulated: what stands there is bytes. */
export function createRemoteStore<P extends Place>(
  options: Omit<PlaceOptions, "onWrite"> & { readonly onWrite: OnWrite },
  createPlace: (options: PlaceOptions) => P,
): { readonly store: SimStore; readonly place: P } {
  const { random, story } = options;
  const backups = createBackups<StoredBytes>(random);
  let writtenAt = Number.NEGATIVE_INFINITY;
  const records = new WeakMap<StoredBytes, StoredRecord>();

  function recordOf(stored: StoredBytes | undefined): StoredRecord | undefined {
    if (stored === undefined) return undefined;
    const known = records.get(stored);
    if (known !== undefined) return known;
    const { value } = decodeObject(recordCodec, stored.bytes, undefined, "The simulated record");
    const record = { record: value, version: stored.version };
    records.set(stored, record);
    return record;
  }

  const place = createPlace({
    ...options,
    onWrite(process, before, after) {
      const found = recordOf(after);
      if (after === undefined || found === undefined) return;
      writtenAt = options.timeline.now();
      backups.keep(after);
      options.onWrite(process, recordOf(before), found);
    },
  });

  const store: SimStore = {
    ...place,
    current: () => recordOf(place.current()),
    writtenAt: () => writtenAt,
    isElsewhere() {
      const home = recordOf(place.current())?.record.home ?? null;
      const identity = place.identity();
      if (home === null || identity === undefined) return false;
      return Object.keys(identity).some((key) => home[key] !== identity[key]);
    },
    open(process, issues, emit) {
      const store = createTokenStore(place.open(process, issues, emit), {
        keys: undefined,
        clock: process.clock,
      });
      const { write } = store;
      if (write === undefined) throw new Error("this place can't be written");
      return { forRequests: store, forIssuing: { read: store.read, write } };
    },
    put(record) {
      place.put(encodeObject(recordCodec, record, undefined));
      const stored = place.current();
      if (stored !== undefined) backups.keep(stored);
    },
    restoreBackup() {
      const found = backups.pick();
      if (found === undefined) return false;
      story.tell(() => `a backup is restored, of generation ${recordOf(found)?.record.generation}`);
      place.putBack(found.bytes, found.version);
      return true;
    },
    wipe() {
      story.tell(() => "the record is wiped");
      place.wipe();
    },
  };
  return { store, place };
}

export interface FileStoreOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly operate: Operate;
  /** Share of the notices that never come. */
  readonly lostNotices: number;
  readonly onWrite: OnWrite;
}

/** A file of this host: written at once or not at all, and nobody reads what is not there any more. */
export function createFileStore(options: FileStoreOptions): SimStore {
  const { timeline, random, story, operate, lostNotices } = options;
  const backups = createBackups<TokenRecord>(random);
  const watchers = new Map<() => void, SimProcess>();
  let stored: StoredRecord | undefined;
  let serial = 0;
  let writtenAt = Number.NEGATIVE_INFINITY;
  let downUntil = 0;
  let silentUntil = 0;

  const isDown = (): boolean => timeline.now() < downUntil;
  const lost = (): Error => new StoreError("unreadable", "The simulated store did not answer.");

  function put(record: TokenRecord): StoredRecord {
    serial += 1;
    stored = { record, version: `v${serial}` };
    backups.keep(record);
    tellAll();
    return stored;
  }

  /** Late or never, and now and then when nothing has changed. */
  function tellAll(): void {
    for (const [notice, process] of watchers) {
      if (timeline.now() < silentUntil || random.chance(lostNotices)) continue;
      process.deliver(random.chance(0.1) ? random.between(100, 5_000) : random.between(1, 50), notice);
      if (random.chance(0.05)) process.deliver(random.between(1, 30_000), notice);
    }
  }

  function write(process: SimProcess, record: TokenRecord, expected: string | undefined): WriteResult {
    // In an outage most writes fail; of some only the answer is lost.
    if (isDown() && random.chance(0.8)) throw lost();
    if (stored?.version !== expected) {
      story.tell(
        () => `a write of ${process.name} is refused: the store has ${stored?.version ?? "nothing"}`,
      );
      return { outcome: "refused" };
    }
    const before = stored;
    const after = put(record);
    writtenAt = timeline.now();
    options.onWrite(process, before, after);
    if (isDown()) throw lost();
    return { outcome: "written", version: after.version };
  }

  function read(): StoredRecord | undefined {
    if (isDown()) throw lost();
    return stored;
  }

  function requestRead(process: SimProcess): Promise<StoredRecord | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<StoredRecord | undefined>();
    if (!process.isAlive()) return promise;
    let answer = (): void => {};
    const toMs = random.between(0.2, 3);
    timeline.after(toMs, () => {
      const found = isDown() ? "down" : stored;
      answer = () => (found === "down" ? reject(lost()) : resolve(found));
      process.deliver(toMs, () => answer());
    });
    return promise;
  }

  return {
    current: () => stored,
    writtenAt: () => writtenAt,
    isElsewhere: () => false,
    open: (process) => ({
      forIssuing: {
        read: () => operate({ process, kind: "read", effect: read, lost }),
        write: (record, expected) =>
          operate({ process, kind: "write", effect: () => write(process, record, expected), lost }),
      },
      forRequests: {
        kind: "file",
        canChange: true,
        read: () => requestRead(process),
        watch(onChange) {
          watchers.set(onChange, process);
          process.onDeath(() => watchers.delete(onChange));
          return () => void watchers.delete(onChange);
        },
        close() {},
      },
    }),
    put,
    restoreBackup() {
      const record = backups.pick();
      if (record === undefined || stored === undefined) return false;
      story.tell(() => `a backup is restored, of generation ${record.generation}`);
      // Whoever reads it has another one in hand.
      put({ ...record });
      return true;
    },
    wipe() {
      story.tell(() => "the record is wiped");
      stored = undefined;
      tellAll();
    },
    fail(ms) {
      story.tell(() => `the store is away for ${(ms / 1_000).toFixed(0)} s`);
      downUntil = timeline.now() + ms;
    },
    isDown,
    silence(ms) {
      silentUntil = timeline.now() + ms;
    },
    disturbWatches() {},
    standsStill() {},
  };
}
