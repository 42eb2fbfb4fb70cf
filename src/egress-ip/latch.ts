import type { Clock } from "../clock.ts";
import type { AddressCounts } from "./classify.ts";
import type { AddressWatch } from "./observed.ts";
import { type OutcomeMeaning, recentMs } from "./outcomes.ts";

/** What the latch is judged by. */
export interface LatchInputs {
  readonly closed: boolean;
  /** What the last round of questions showed; a check URL that did not answer is in neither count. */
  readonly addresses: AddressCounts;
  /** Presto's application has answered a call that was sent after these addresses were first seen. */
  readonly letInSince: boolean;
  /** How often Presto, since its application answered last, did what it would do to an address that is not registered. */
  readonly signs: number;
}

/** Once Presto has contradicted the check URLs, calls that were turned away for what they asked must not count. */
const signsAgainstPresto = 5;

/**
 * Whether calls must be blocked. A check URL is a stranger's page, and one alone must not
 * stop payments: it takes two that agree, or one and Presto's own behaviour; and what Presto's
 * application answers after that counts more than all of them. One that is down closes nothing.
 */
export function mustBeClosed({ closed, addresses, letInSince, signs }: LatchInputs): boolean {
  const { registered, notRegistered } = addresses;
  if (letInSince && signs < signsAgainstPresto) return false;
  if (notRegistered >= 2) return true;
  if (notRegistered === 1 && signs > 0) return true;
  return closed && registered === 0;
}

/** What exchanges with Presto say of the address that they left from, since its application answered last. */
export interface ContactSigns {
  /**
   * An exchange has ended.
   * @param sentAt monotonic time of its sending, or of something before that
   * @returns whether the check URLs should be asked soon
   */
  note(meaning: OutcomeMeaning, sentAt: number): boolean;
  /** Monotonic time of the last call that the application answered. */
  letInSentAt(): number;
  /** How often Presto did what it would do to an address that is not registered. */
  count(): number;
  /** What was turned away says nothing of the address that calls leave from now. */
  forget(): void;
}

/** Calls that fail in a row ask for a round; a single one does only if none was let in for so long, in milliseconds. */
const enoughInARow = 3;
const quietMs = 10_000;

export function createContactSigns(clock: Pick<Clock, "monotonic">): ContactSigns {
  let letInSentAt = Number.NEGATIVE_INFINITY;
  let signs = 0;
  let signAt = Number.NEGATIVE_INFINITY;
  /** Exchanges that fail as they might from an address that is not registered. */
  let inARow = 0;

  return {
    note({ letIn, sign, suspicious }, sentAt) {
      const now = clock.monotonic();
      let askSoon = false;
      if (letIn === true) {
        if (sentAt > letInSentAt) letInSentAt = sentAt;
        if (sentAt >= signAt) {
          signs = 0;
          inARow = 0;
        }
      } else if (sign === true || suspicious === true) {
        inARow += 1;
        askSoon = inARow >= enoughInARow || now - letInSentAt >= quietMs;
      }
      if (sign === true) {
        signs = now - signAt > recentMs ? 1 : signs + 1;
        signAt = now;
      }
      return askSoon;
    },
    letInSentAt: () => letInSentAt,
    count: () => (clock.monotonic() - signAt > recentMs ? 0 : signs),
    forget() {
      signs = 0;
      inARow = 0;
    },
  };
}

export interface EgressLatchDeps {
  readonly watch: Pick<AddressWatch, "findings" | "unregisteredSince">;
  readonly signs: Pick<ContactSigns, "letInSentAt" | "count">;
  /** Calls are blocked from now on, and why. */
  readonly onClose: (reason: string) => void;
  /** They leave again. */
  readonly onOpen: () => void;
}

/** Whether calls are blocked, and why. */
export interface EgressLatch {
  /** Brings it in step with what is known. */
  settle(): void;
  /** In one sentence; undefined while calls leave. Costs nothing: it is asked for each call. */
  reason(): string | undefined;
  /** Has Presto's application answered a call that was sent after the check URLs saw an address that is not registered? */
  isContradicted(): boolean;
}

export function createEgressLatch({ watch, signs, onClose, onOpen }: EgressLatchDeps): EgressLatch {
  let closed: string | undefined;

  function isContradicted(): boolean {
    return signs.letInSentAt() >= watch.unregisteredSince();
  }

  function close(): void {
    const { unregistered } = watch.findings();
    // While no check URL answers, what the last of them said stands.
    const reason = unregistered.length === 0 && closed !== undefined ? closed : blockedBy(unregistered);
    if (reason === closed) return;
    closed = reason;
    onClose(reason);
  }

  return {
    settle() {
      const must = mustBeClosed({
        closed: closed !== undefined,
        addresses: watch.findings().counts,
        letInSince: isContradicted(),
        signs: signs.count(),
      });
      if (must) close();
      else if (closed !== undefined) {
        closed = undefined;
        onOpen();
      }
    },
    reason: () => closed,
    isContradicted,
  };
}

function blockedBy(unregistered: readonly string[]): string {
  return `This process would leave from ${unregistered.join(" and ")}, which ${unregistered.length === 1 ? "is" : "are"} not in PRESTO_EGRESS_IPS; leave from a registered address, or have this one registered with Presto.`;
}
