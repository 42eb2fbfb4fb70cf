import { expect } from "vitest";

import type { Disk } from "../../src/audit/disk.ts";
import type { CompletedReference, OpenCall } from "../../src/audit/entries.ts";
import { openAudit } from "../../src/audit/open.ts";
import type { AuditEvent, AuditOptions, AuditRecord, RecordUnavailable } from "../../src/audit/types.ts";
import { verifyRecord } from "../../src/audit/verify.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { RenewalLock } from "../../src/store/contract.ts";
import { begun, refused } from "./audit-entries.ts";
import type { MemoryDisk } from "./memory-disk.ts";

export interface AuditBenchOptions {
  readonly disk: Disk;
  readonly clock?: Clock;
  readonly mostBytes?: number;
  readonly whenUnavailable?: AuditOptions["whenUnavailable"];
  readonly path?: string;
}

/** The record over a disk of the test's own, and what was told of it. */
export interface AuditBench {
  readonly record: AuditRecord;
  readonly events: AuditEvent[];
  /** Calls that were found open at the start. */
  readonly found: OpenCall[];
  /** Transactions whose money had moved by then. */
  readonly completed: CompletedReference[];
  /** Announces a money call; resolves with undefined once its line is durable, or with why it is not. */
  announce(call: string, reference?: string): Promise<RecordUnavailable | undefined>;
  /** Takes down a call's end. */
  end(call: string, open?: boolean): void;
}

export const auditPath = "/record/audit.jsonl";

/** A lock that anybody gets. */
const noLock: Pick<RenewalLock, "acquire"> = {
  acquire: async () => ({
    identity: "none",
    heldUntil: () => Number.POSITIVE_INFINITY,
    renew: async () => true,
    release: async () => {},
  }),
};

export async function openAuditBench(options: AuditBenchOptions): Promise<AuditBench> {
  const events: AuditEvent[] = [];
  const found: OpenCall[] = [];
  const completed: CompletedReference[] = [];
  const record = await openAudit(
    {
      place: { kind: "file", path: options.path ?? auditPath, mode: 0o600 },
      whenUnavailable: options.whenUnavailable ?? "refuse",
      writer: "sidecar",
      lockWaitMs: 0,
      ...(options.mostBytes === undefined ? {} : { mostBytes: options.mostBytes }),
    },
    {
      clock: options.clock ?? systemClock,
      emit: (event) => events.push(event),
      stream: () => {
        throw new Error("no stream");
      },
      onFound(open, moved) {
        found.push(...open);
        completed.push(...moved);
      },
      disk: options.disk,
      lock: noLock,
    },
  );
  return {
    record,
    events,
    found,
    completed,
    announce: (call, reference) =>
      new Promise((resolve) => {
        record.announce(begun(call, reference), refused(call), resolve);
      }),
    end: (call, open = false) =>
      record.note({ type: "call-ended", call, operation: "wallet.confirm", outcome: "answered", open }),
  };
}

/** The whole record verifies against its head. */
export async function expectWhole(disk: MemoryDisk, record: AuditRecord): Promise<void> {
  const records = disk.paths().filter((path) => !path.endsWith(".tmp"));
  const verified = await verifyRecord(disk, records, record.report().head);
  expect(verified.ok ? "" : verified.fault.sentence).toBe("");
}

/** What the lines of a file are of. */
export function entryTypes(disk: MemoryDisk, path = auditPath): unknown[] {
  return disk.lines(path).map(({ type }) => type);
}
