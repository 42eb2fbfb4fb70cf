import type { WritableStore } from "../../src/renewal/run.ts";
import {
  type StoredRecord,
  StoreError,
  type TokenRecord,
  type TokenStore,
  type WriteResult,
} from "../../src/store/contract.ts";
import type { Operate } from "./operate.ts";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

/** The one stored record, and what is done to it. */
export interface SimStore {
  /** What stands in it, in truth. */
  current(): StoredRecord | undefined;
  /** As a process that issues uses it: each operation may be struck by a fault. */
  forIssuing(process: SimProcess): WritableStore;
  /** As requests use it. */
  forRequests(process: SimProcess): TokenStore;
  /** Puts a record there, by no protocol. */
  put(record: TokenRecord): void;
  /** Puts an earlier record back, under a new version; false if there is none. */
  restoreBackup(): boolean;
  fail(ms: number): void;
  isDown(): boolean;
  /** The watch tells nothing for so long. */
  silence(ms: number): void;
}

export interface SimStoreOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly story: Story;
  readonly operate: Operate;
  /** Share of the notices that never come. */
  readonly lostNotices: number;
  readonly isLocal: boolean;
  /** A write was applied, whenever its writer hears of it. */
  readonly onWrite: (process: SimProcess, before: StoredRecord | undefined, after: StoredRecord) => void;
}

/** Records that a backup may hold. */
const mostBackups = 6;

export function createSimStore(options: SimStoreOptions): SimStore {
  const { timeline, random, story, operate, lostNotices } = options;
  const backups: TokenRecord[] = [];
  const watchers = new Map<() => void, SimProcess>();
  let stored: StoredRecord | undefined;
  let serial = 0;
  let downUntil = 0;
  let silentUntil = 0;

  const isDown = (): boolean => timeline.now() < downUntil;
  const lost = (): Error => new StoreError("unreadable", "The simulated store did not answer.");

  function put(record: TokenRecord): StoredRecord {
    serial += 1;
    stored = { record, version: `v${serial}` };
    backups.push(record);
    if (backups.length > mostBackups) backups.shift();
    for (const [notice, process] of watchers) tellSoon(process, notice);
    return stored;
  }

  /** Late or never, and now and then when nothing has changed. */
  function tellSoon(process: SimProcess, notice: () => void): void {
    if (timeline.now() < silentUntil || random.chance(lostNotices)) return;
    process.deliver(random.chance(0.1) ? random.between(100, 5_000) : random.between(1, 50), notice);
    if (random.chance(0.05)) process.deliver(random.between(1, 30_000), notice);
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
    const toMs = options.isLocal ? random.between(0.2, 3) : random.between(1, 40);
    timeline.after(toMs, () => {
      const found = isDown() ? "down" : stored;
      answer = () => (found === "down" ? reject(lost()) : resolve(found));
      process.deliver(toMs, () => answer());
    });
    return promise;
  }

  return {
    current: () => stored,
    forIssuing: (process) => ({
      read: () => operate({ process, kind: "read", effect: read, lost }),
      write: (record, expected) =>
        operate({ process, kind: "write", effect: () => write(process, record, expected), lost }),
    }),
    forRequests: (process) => ({
      kind: "file",
      canChange: true,
      read: () => requestRead(process),
      watch(onChange) {
        watchers.set(onChange, process);
        process.onDeath(() => watchers.delete(onChange));
        return () => void watchers.delete(onChange);
      },
      close() {},
    }),
    put,
    restoreBackup() {
      const [oldest] = backups;
      if (oldest === undefined || stored === undefined) return false;
      const record = random.chance(0.5) ? oldest : random.pick(backups);
      story.tell(() => `a backup is restored, of generation ${record.generation}`);
      put(record);
      return true;
    },
    fail(ms) {
      story.tell(() => `the store is away for ${(ms / 1_000).toFixed(0)} s`);
      downUntil = timeline.now() + ms;
    },
    isDown,
    silence(ms) {
      silentUntil = timeline.now() + ms;
    },
  };
}
