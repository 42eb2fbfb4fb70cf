import type { CompletedReference, OpenCall } from "../audit/entries.ts";
import { createMoneyRecord } from "../audit/money-lines.ts";
import { type AuditDeps, openAudit, type OpenAuditOptions } from "../audit/open.ts";
import type { AuditOptions, AuditRecord, ThisPod } from "../audit/types.ts";
import type { Clock } from "../clock.ts";
import type { ConfigRow } from "../config/describe.ts";
import type { KnownCompleted, LeftOpen, MoneyRecord } from "../money/record.ts";
import { openStandardStream } from "../observe/standard-output.ts";
import type { Operation } from "../policy/operations.ts";
import type { Observers } from "./observers.ts";
import type { Sidecar } from "./sidecar.ts";

export interface RecordOptions {
  readonly role: string;
  /** Undefined where no record is kept. */
  readonly audit: AuditOptions | undefined;
  readonly pod: ThisPod;
  readonly operations: readonly Operation[];
}

export interface RecordDeps {
  readonly clock: Clock;
  readonly observers: Pick<Observers, "emit" | "version" | "keepRecord">;
  /** The configuration, secrets masked. */
  readonly described: readonly ConfigRow[];
  /** The system's unless given: for the simulation. */
  readonly files?: Required<Pick<AuditDeps, "disk" | "lock"> & Pick<OpenAuditOptions, "mostBytes">>;
}

/** The record of money and credentials of a sidecar that runs. */
export interface KeptRecord {
  /** As calls that move money see it. */
  readonly money: MoneyRecord;
  /** Hands over what an earlier process has left open or seen completed, now and whenever it becomes known. */
  leaveTo(sidecar: Pick<Sidecar, "reopen">): void;
  close: AuditRecord["close"];
  /** The process ends as it should. */
  stop(): void;
}

/** Milliseconds that a start waits for the end of another process that writes the same record. */
const lockWaitMs = 500;

/**
 * Opens the record, and takes down this start.
 * @throws CommandError as `openAudit`
 */
export async function keepRecord(
  { role, audit, pod, operations }: RecordOptions,
  { clock, observers, described, files }: RecordDeps,
): Promise<KeptRecord | undefined> {
  if (audit === undefined) return undefined;
  const { emit, version } = observers;
  const early: { readonly left: LeftOpen[]; readonly completed: KnownCompleted[] } = {
    left: [],
    completed: [],
  };
  const operationOf = lookUpIn(operations);
  let reopen: Sidecar["reopen"] = (left, completed) => {
    early.left.push(...left);
    for (const one of completed) early.completed.push(one);
  };
  const record = await openAudit(
    {
      ...audit,
      writer: "sidecar",
      lockWaitMs,
      ...(files === undefined ? {} : { mostBytes: files.mostBytes }),
    },
    {
      clock,
      emit,
      stream: () => openStandardStream(1, { clock }),
      onFound: (open, completed) =>
        reopen(
          open.map((call) => leftOpen(call, operationOf)),
          completed.map((one) => knownCompleted(one, operationOf)),
        ),
      ...(files === undefined ? {} : { disk: files.disk, lock: files.lock }),
    },
  );
  observers.keepRecord(record);
  const configuration = Object.fromEntries(described.map(({ name, value }) => [name, value]));
  record.note({ type: "start", version, role, pod: pod.name, namespace: pod.namespace, configuration });
  return {
    money: createMoneyRecord(record, { pod, clock }),
    leaveTo(sidecar) {
      reopen = sidecar.reopen;
      sidecar.reopen(early.left, early.completed);
    },
    close: record.close,
    stop: () => record.note({ type: "stop" }),
  };
}

function leftOpen(
  { operation: name, references, requestId, begunAt }: OpenCall,
  operationOf: LookUp,
): LeftOpen {
  return { operation: operationOf(name), references, requestId, at: new Date(begunAt) };
}

function knownCompleted(
  { operation, reference, at }: CompletedReference,
  operationOf: LookUp,
): KnownCompleted {
  return { operation: operationOf(operation), reference, at: new Date(at) };
}

type LookUp = (name: string) => Operation;

function lookUpIn(operations: readonly Operation[]): LookUp {
  const byName = new Map(operations.map((each) => [each.name, each]));
  return (name) => {
    const known = byName.get(name) ?? forgotten(name);
    byName.set(name, known);
    return known;
  };
}

/** One that the configuration does not name any more: nobody can be asked about it. */
function forgotten(name: string): Operation {
  return { name, method: "POST", template: "", nature: "moves" };
}
