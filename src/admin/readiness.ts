import type { Emit } from "../lib/events.ts";
import type { LatchChanged } from "../observe/events.ts";
import { type LatchName, latchRows } from "../observe/lights.ts";

/** One condition; closed while it does not hold. */
export type Latch = OpenLatch | ClosedLatch;

interface OpenLatch {
  readonly name: LatchName;
  /** An advisory latch is shown where all are listed, and readiness does not follow it. */
  readonly advisory: boolean;
  readonly closed: false;
}

interface ClosedLatch {
  readonly name: LatchName;
  readonly advisory: boolean;
  readonly closed: true;
  readonly reason: string;
}

/** Is the sidecar ready? Readiness does not follow an advisory latch. */
export function isReady(latches: readonly Latch[]): boolean {
  return latches.every((latch) => latch.advisory || !latch.closed);
}

export interface Readiness {
  /** @param reason one sentence for people, without a secret */
  close(name: LatchName, reason: string): void;
  open(name: LatchName): void;
  /** One latch, for whoever keeps it. */
  latch(name: LatchName): { open(): void; close(reason: string): void };
  /** Advisory latches too. */
  all(): readonly Latch[];
}

export interface ReadinessOptions {
  readonly emit: Emit<LatchChanged>;
  /**
   * What the latched alarm does to readiness. `decisive`: closes it, where issuing is all that
   * the process is for. `advisory`: does not, where the token in hand may go on serving for
   * weeks. Left out: the same, in a role that issues nothing, and it is listed once there was one.
   */
  readonly alarm?: "decisive" | "advisory";
  /** Is there a latch for the address that calls leave from? It is closed while they are blocked. Not unless given. */
  readonly egress?: boolean;
}

/** Begins as a process does: not started, without a token. Each change is told once. */
export function createReadiness({ emit, alarm, egress = false }: ReadinessOptions): Readiness {
  const reasons = new Map<LatchName, string | undefined>();
  const isAlwaysAdvisory = (name: LatchName): boolean => latchRows[name].effect === "advisory";
  const isAdvisory = (name: LatchName): boolean =>
    isAlwaysAdvisory(name) || (name === "alarm" && alarm !== "decisive");
  const isListedLate = (name: LatchName): boolean =>
    isAlwaysAdvisory(name) || (name === "alarm" && alarm === undefined);

  function set(name: LatchName, reason: string | undefined): void {
    if (name === "egress" && !egress) return;
    if (reasons.has(name) && reasons.get(name) === reason) return;
    // What there was never a reason to look at is not listed.
    if (isListedLate(name) && reason === undefined && !reasons.has(name)) return;
    reasons.set(name, reason);
    // An advisory one has an event of its own, and what counts latches may take none for a lost readiness.
    if (!isAdvisory(name)) emit({ type: "latch-changed", name, reason, ready: isReady(all()) });
  }

  const all = (): Latch[] =>
    [...reasons].map(([name, reason]) => {
      const latch = { name, advisory: isAdvisory(name) };
      return reason === undefined ? { ...latch, closed: false } : { ...latch, closed: true, reason };
    });

  set("started", "The sidecar is starting.");
  set("token", "No token has been read yet.");
  set("draining", undefined);
  set("alarm", undefined);
  set("egress", undefined);

  return {
    close: set,
    open: (name) => set(name, undefined),
    latch: (name) => ({ open: () => set(name, undefined), close: (reason) => set(name, reason) }),
    all,
  };
}
