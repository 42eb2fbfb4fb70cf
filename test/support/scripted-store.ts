import {
  type Home,
  type ObjectInfo,
  type StoredRecord,
  StoreError,
  type TokenRecord,
  type WritableStore,
} from "../../src/store/contract.ts";
import { emptyRecord } from "../../src/store/record.ts";

/**
 * How a write ends: refused although the version is right; without an answer, and not applied
 * (`lost`), applied (`lost-but-applied`), or applied when the test says so (`late`).
 */
export type WriteScript = "refused" | "lost" | "lost-but-applied" | "late";

/** A store with compare-and-set whose misfortunes a test writes down beforehand. */
export interface ScriptedStore extends WritableStore {
  current(): StoredRecord | undefined;
  record(): TokenRecord;
  /** Writes as somebody else would, whatever stands there. */
  put(differences: Partial<TokenRecord>): StoredRecord;
  /** Takes the record away. */
  remove(): void;
  /** From now on the place tells which object it is, and who wrote it last. */
  tellsOf(identity: Home, lastWriter?: string): void;
  /** Ends of the writes to come, in order; after them all go well. */
  script(...ends: readonly WriteScript[]): void;
  /** So many reads fail from now on. */
  failReads(times: number): void;
  /** Runs right before the next write is looked at. */
  beforeWrite(run: () => void): void;
  /** Runs right before the next read is answered. */
  beforeRead(run: () => void): void;
  /** What was sent late arrives now; false if it is refused. */
  applyLate(): boolean;
  /** The records that were applied, by whoever uses `write`. */
  readonly written: readonly TokenRecord[];
}

export function createScriptedStore(trail: string[]): ScriptedStore {
  const written: TokenRecord[] = [];
  let stored: StoredRecord | undefined;
  let info: ObjectInfo = {};
  let serial = 0;
  let ends: WriteScript[] = [];
  let failing = 0;
  let late: { readonly record: TokenRecord; readonly expected: string | undefined } | undefined;
  let hooks: { on: "read" | "write"; run: () => void }[] = [];

  const lost = (): StoreError => new StoreError("unreadable", "The scripted store did not answer.");

  function meanwhile(on: "read" | "write"): void {
    const due = hooks.filter((hook) => hook.on === on);
    hooks = hooks.filter((hook) => hook.on !== on);
    for (const { run } of due) run();
  }

  function apply(record: TokenRecord): StoredRecord {
    serial += 1;
    stored = { record, version: `v${serial}`, ...info };
    return stored;
  }

  return {
    async read() {
      meanwhile("read");
      if (failing > 0) {
        failing -= 1;
        trail.push("read fails");
        throw lost();
      }
      trail.push("read");
      return stored;
    },
    async write(record, expected) {
      meanwhile("write");
      const end = ends.shift();
      trail.push(`write ${end ?? ""}`.trim());
      if (end === "lost") throw lost();
      if (end === "late") {
        late = { record, expected };
        throw lost();
      }
      if (end === "refused" || stored?.version !== expected) return { outcome: "refused" };
      const { version } = apply(record);
      written.push(record);
      if (end === "lost-but-applied") throw lost();
      return { outcome: "written", version };
    },
    current: () => stored,
    record() {
      if (stored === undefined) throw new Error("nothing is stored");
      return stored.record;
    },
    remove() {
      stored = undefined;
    },
    tellsOf(object, lastWriter) {
      info = { identity: object, lastWriter: () => lastWriter };
      if (stored !== undefined) stored = { ...stored, ...info };
    },
    put: (differences) => apply({ ...emptyRecord, ...stored?.record, ...differences }),
    script(...more) {
      ends = [...ends, ...more];
    },
    failReads(times) {
      failing = times;
    },
    beforeWrite: (run) => void hooks.push({ on: "write", run }),
    beforeRead: (run) => void hooks.push({ on: "read", run }),
    applyLate() {
      if (late === undefined || late.expected !== stored?.version) return false;
      written.push(apply(late.record).record);
      late = undefined;
      return true;
    },
    written,
  };
}
