import type { Outcome } from "../problem.ts";

/** A proxied or refused call, told once, when its reply has ended or its caller has gone. */
export interface FinishedCall {
  readonly requestId: string;
  /** Name of the operation, or `none` where the request was refused before one was found. */
  readonly operation: string;
  readonly movesMoney: boolean;
  readonly outcome: Outcome;
  /** Status sent to the caller; 0 if it had gone before any could be sent. */
  readonly status: number;
  /** Code of the sidecar's own reply, if it made one. */
  readonly code: string | undefined;
  /** For the log: why, in the error's own words, never a secret. */
  readonly cause: unknown;
  /** Milliseconds spent in exchanges with Presto. */
  readonly upstreamMs: number;
  /** Milliseconds from the request's head to the reply's last byte. */
  readonly totalMs: number;
  /** How many times it was sent. */
  readonly sends: number;
  /** Generation of the token last sent, or undefined if none was. */
  readonly generation: number | undefined;
  /** Socket peer: `127.0.0.1:41234` or `unix`. */
  readonly peer: string;
  /** The caller closed its connection before it was answered. */
  readonly callerGone: boolean;
}

/** What the program tells of itself. Whoever logs or counts implements it; the rest only calls it. */
export interface Signals {
  callFinished(call: FinishedCall): void;
  /** Another token is in hand. */
  tokenChanged(token: {
    readonly generation: number;
    readonly id: string;
    readonly expiresAt: Date | null;
  }): void;
  /** Presto answered 401 to this token. */
  tokenRejected(token: { readonly generation: number; readonly id: string }): void;
  /** Presto accepted a token that it had answered 401 to. */
  tokenAccepted(token: { readonly generation: number; readonly id: string }): void;
  /** A read of the store failed; the token in hand, if any, goes on serving. */
  storeFailed(error: unknown): void;
  /** A full handshake with Presto: when its certificate ends. */
  peerCertificate(validTo: Date): void;
  /** A connection to Presto could not be made. */
  connectFailed(error: unknown): void;
  /** A readiness latch opened (`reason` undefined) or closed. */
  latchChanged(name: string, reason: string | undefined): void;
  /** Something that an operator should read: a warning in one sentence. */
  warned(message: string, cause?: unknown): void;
}
