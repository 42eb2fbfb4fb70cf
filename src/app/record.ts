import type { OpenCall } from "../audit/entries.ts";
import { createMoneyRecord } from "../audit/money-lines.ts";
import { openAudit } from "../audit/open.ts";
import type { AuditOptions, AuditRecord, PodName } from "../audit/types.ts";
import type { Clock } from "../clock.ts";
import type { ConfigRow } from "../config/describe.ts";
import type { LeftOpen, MoneyRecord } from "../money/record.ts";
import { openStandardStream } from "../observe/standard-output.ts";
import type { Operation } from "../policy/operations.ts";
import type { Observers } from "./observers.ts";
import type { Sidecar } from "./sidecar.ts";

export interface RecordOptions {
  readonly role: string;
  /** Undefined where no record is kept. */
  readonly audit: AuditOptions | undefined;
  readonly pod: PodName;
  readonly operations: readonly Operation[];
}

export interface RecordDeps {
  readonly clock: Clock;
  readonly observers: Pick<Observers, "emit" | "version" | "keepRecord">;
  /** The configuration, secrets masked. */
  readonly described: readonly ConfigRow[];
}

/** The record of money and credentials of a sidecar that runs. */
export interface KeptRecord {
  /** As calls that move money see it. */
  readonly money: MoneyRecord;
  /** Hands over what an earlier process has left open, now and whenever it becomes known. */
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
  { clock, observers, described }: RecordDeps,
): Promise<KeptRecord | undefined> {
  if (audit === undefined) return undefined;
  const { emit, version } = observers;
  const early: LeftOpen[] = [];
  let reopen = (left: readonly LeftOpen[]): void => void early.push(...left);
  const record = await openAudit(
    { ...audit, writer: "sidecar", lockWaitMs },
    {
      clock,
      emit,
      stream: () => openStandardStream(1, { clock }),
      onFound: (open) => reopen(open.map((call) => leftOpen(call, operations))),
    },
  );
  observers.keepRecord(record);
  const configuration = Object.fromEntries(described.map(({ name, value }) => [name, value]));
  record.note({ type: "start", version, role, ...podFields(pod), configuration });
  return {
    money: createMoneyRecord(record, { pod, clock }),
    leaveTo(sidecar) {
      reopen = sidecar.reopen;
      sidecar.reopen(early);
    },
    close: record.close,
    stop: () => record.note({ type: "stop" }),
  };
}

function podFields({ name, namespace }: PodName): { readonly pod?: string; readonly namespace?: string } {
  return { ...(name === undefined ? {} : { pod: name }), ...(namespace === undefined ? {} : { namespace }) };
}

function leftOpen(
  { operation: name, references, requestId, begunAt }: OpenCall,
  operations: readonly Operation[],
): LeftOpen {
  const operation = operations.find((each) => each.name === name) ?? forgotten(name);
  return { operation, references, requestId, at: new Date(begunAt) };
}

/** One that the configuration does not name any more: nobody can be asked about it. */
function forgotten(name: string): Operation {
  return { name, method: "POST", template: "", movesMoney: true };
}
