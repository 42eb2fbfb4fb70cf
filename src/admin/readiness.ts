import type { Signals } from "../observe/signals.ts";

/** What must hold for the sidecar to be ready. All of it is local: an outage of Presto must not take an app's pod down. */
export type LatchName = "started" | "token" | "draining";

/** One condition; closed while it does not hold. */
export type Latch =
  | { readonly name: LatchName; readonly closed: false }
  | { readonly name: LatchName; readonly closed: true; readonly reason: string };

export interface Readiness {
  /** @param reason one sentence for people, without a secret */
  close(name: LatchName, reason: string): void;
  open(name: LatchName): void;
  /** Empty when ready. */
  closed(): readonly (Latch & { readonly closed: true })[];
  all(): readonly Latch[];
}

/** Begins as a process does: not started, without a token. Each change is told once. */
export function createReadiness({ signals }: { readonly signals: Pick<Signals, "latchChanged"> }): Readiness {
  const reasons = new Map<LatchName, string | undefined>();

  function set(name: LatchName, reason: string | undefined): void {
    if (reasons.has(name) && reasons.get(name) === reason) return;
    reasons.set(name, reason);
    signals.latchChanged(name, reason);
  }

  const all = (): Latch[] =>
    [...reasons].map(([name, reason]) =>
      reason === undefined ? { name, closed: false } : { name, closed: true, reason },
    );

  set("started", "The sidecar is starting.");
  set("token", "No token has been read yet.");
  set("draining", undefined);

  return {
    close: set,
    open: (name) => set(name, undefined),
    closed: () => all().filter((latch) => latch.closed),
    all,
  };
}
