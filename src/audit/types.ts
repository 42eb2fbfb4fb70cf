import type { Entry, Head } from "./line.ts";

/** The Pod that this process runs in, as far as it was told. */
export interface ThisPod {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

/** Where the record is kept. */
export type AuditPlace =
  | { readonly kind: "file"; readonly path: string; /** Of its files. */ readonly mode: number }
  | { readonly kind: "stdout" };

/** What the record is configured with. */
export interface AuditOptions {
  readonly place: AuditPlace;
  /** What a record that can't be written does to calls that move money. */
  readonly whenUnavailable: "refuse" | "continue";
}

/** The line could not be written: what waits for it must not be done. The message is for people. */
export class RecordUnavailable extends Error {
  override readonly name = "RecordUnavailable";
}

/** A line that is waited for. */
export interface AwaitedLine {
  /**
   * Nobody waits any more, and what it announced is not done: `refused` is then written behind it,
   * unless the line never came near the disk.
   */
  abandon(): void;
}

/** The record, as those see it who have something to write. */
export interface AuditRecord {
  /**
   * Writes a line that must be durable before what it announces is done.
   * @param refused what is written behind it where that is not done after all, and the line may stand on the disk
   * @param done called once: without an error when the line is durable, or when the record can't be written and the
   *   configuration says to go on without
   */
  announce(entry: Entry, refused: Entry, done: (error?: RecordUnavailable) => void): AwaitedLine;
  /** Why a line that is announced now would not be written; undefined while it would be, or where the configuration says to go on without. */
  refusal(): RecordUnavailable | undefined;
  /** Writes a line that nobody waits for. What can't be written now is kept, within bounds, and written later. */
  note(entry: Entry): void;
  report(): AuditReport;
  /** Writes what is left, for so many milliseconds at most. */
  close(withinMs: number): Promise<void>;
}

/** How the record stands, for metrics. */
export interface AuditReport {
  /** False while it can't be written. */
  readonly available: boolean;
  /** Of the last line that is durable. */
  readonly head: Head;
  /** The one that was last told in the log. */
  readonly told: Head | undefined;
  /** Calls that are open by its lines. */
  readonly open: number;
  /** Lines that were lost because they could not be written for too long. */
  readonly lost: number;
  /** Number of the present file; 0 for standard output. */
  readonly file: number;
}

/** What is told of the record itself. */
export type AuditEvent =
  /** It can't be written, for the reason given; or (undefined) it can again. */
  | {
      readonly type: "audit-availability";
      readonly unavailable: { readonly reason: string; readonly cause: unknown } | undefined;
    }
  /** Its file was removed, renamed or changed by somebody else. */
  | { readonly type: "audit-interfered"; readonly what: string }
  /** The head of its chain, to be kept where this machine can't change it. */
  | { readonly type: "audit-head"; readonly head: Head; readonly file: number };
