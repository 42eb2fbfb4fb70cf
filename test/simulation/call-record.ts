import type { Outcome } from "../../src/errors.ts";
import type { Operation } from "../../src/policy/operations.ts";

/** One send of a call, as the world saw it. */
export interface SendRecord {
  /** Name of the token that it went with. */
  readonly token: string;
  /** Presto acted on it. */
  executed: boolean;
  /** The status that its sender heard; undefined while, or if, it heard nothing. */
  heard: number | undefined;
}

/** How a call ended, as its caller was told. */
export interface CallEnd {
  readonly outcome: Outcome | "caller-gone" | "connection-closed";
  /** Presto's status, or 0. */
  readonly status: number;
  /** Code of the sidecar's own reply, or `-`. */
  readonly code: string;
}

/** A caller's call. */
export interface CallRecord {
  /** Also its path, so that what arrives at Presto can be told apart. */
  readonly id: string;
  readonly operation: Operation;
  readonly transaction: string;
  readonly process: string;
  /** Simulated time. */
  readonly begunAt: number;
  /** By the clock of the process. */
  readonly arrivedAt: number;
  readonly deadlineAt: number;
  readonly sends: SendRecord[];
  /** Its last try came to no connection. */
  connectFailed: boolean;
  /** Nobody waits for its answer any more. */
  callerGone: boolean;
  end: CallEnd | undefined;
}
