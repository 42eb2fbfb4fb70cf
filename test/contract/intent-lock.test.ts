import { randomUUID } from "node:crypto";

import type { Clock } from "../../src/clock.ts";
import { random } from "../../src/lib/async.ts";
import {
  type HeldLock,
  type RenewalLock,
  type StoredRecord,
  StoreError,
  type WritableStore,
} from "../../src/store/contract.ts";
import { holderName } from "../../src/store/holder.ts";
import { createIntentLock } from "../../src/store/intent-lock.ts";
import { emptyRecord } from "../../src/store/record.ts";
import { leaseMs } from "../../src/store/term.ts";
import { createHandClock } from "../support/hand-clock.ts";
import { describeLock } from "./lock.ts";

/** Where the record's intent is the lock: over a store in memory, each process with its own way to it. */
describeLock(
  "of a record's intent",
  async () => {
    const clock = createHandClock();
    let stored: StoredRecord | undefined;
    let serial = 0;
    let processes = 0;
    return {
      async start() {
        processes += 1;
        const id = randomUUID();
        let state: "well" | "cut" | "dead" = "well";
        const way = async (): Promise<void> => {
          if (state === "dead") await new Promise(() => {});
          await clock.sleep(state === "cut" ? 5_000 : 5);
          if (state === "cut") throw new StoreError("unreachable", "The stand-in did not answer.");
        };
        const store: WritableStore = {
          async read() {
            await way();
            return stored;
          },
          async write(record, expected) {
            await way();
            if (stored?.version !== expected) return { outcome: "refused" };
            serial += 1;
            stored = { record, version: String(serial) };
            return { outcome: "written", version: String(serial) };
          },
        };
        const identity = holderName({ namespace: "presto", name: `rotator-${processes}` }, id);
        const holder = { id, identity };
        return {
          lock: asRenewalsDo(createIntentLock({ store, holder, leaseMs, clock, random }), {
            store,
            id,
            identity,
            clock,
          }),
          clock,
          kill: () => void (state = "dead"),
          cut: () => void (state = "cut"),
        };
      },
      pass: (ms) => clock.advance(ms),
      async dispose() {},
    };
  },
  {
    termMs: leaseMs,
    isKept: true,
    handOverMs: 4_000,
    holder: /^The Pod presto\/rotator-\d \(since .*\) works on the record/,
    saidLateMs: leaseMs / 2,
  },
);

interface Process {
  readonly store: WritableStore;
  readonly id: string;
  readonly identity: string;
  readonly clock: Clock;
}

/** Whoever has it writes an intent first, keeps that while it works, and takes it away at the end (R3, R4, R8). */
function asRenewalsDo(lock: RenewalLock, { store, id, identity, clock }: Process): RenewalLock {
  async function write(intent: string | null): Promise<boolean> {
    const found = await store.read();
    const record = {
      ...(found?.record ?? emptyRecord),
      intent:
        intent === null
          ? null
          : { id: intent, holder: id, soleCall: false, reason: "manual" as const, at: new Date(clock.now()) },
      writtenBy: { holder: id, lock: identity },
    };
    return (await store.write(record, found?.version)).outcome === "written";
  }

  async function intend(held: HeldLock, intent: string): Promise<boolean> {
    if (held.intent?.mayTouch(await store.read()) !== true) return false;
    const sentAt = clock.monotonic();
    if (!(await write(intent))) return false;
    held.intent.stands(sentAt);
    return true;
  }

  return {
    name: lock.name,
    async acquire(options) {
      const begun = clock.monotonic();
      for (;;) {
        const left = Math.max(0, options.waitMs - (clock.monotonic() - begun));
        const held = await lock.acquire({ ...options, waitMs: left });
        const intent = randomUUID();
        if (!(await intend(held, intent))) continue;
        let released = false;
        const keep = (): void =>
          void clock.after(leaseMs / 3, () => {
            if (released || held.heldUntil() <= clock.monotonic()) return;
            intend(held, intent).then(keep, keep);
          });
        keep();
        return {
          ...held,
          async release() {
            if (released) return;
            released = true;
            const isOurs = held.heldUntil() > clock.monotonic();
            await held.release();
            if (isOurs) await write(null);
          },
        };
      }
    },
  };
}
