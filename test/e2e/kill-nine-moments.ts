import type { RenewalState } from "../../src/renewal/types.ts";
import type { RequestEffect } from "../../src/sandbox/fault-kinds.ts";
import type { Span } from "../support/deck.ts";
import type { StageOptions } from "../support/renewal-stage.ts";

/** A moment of a renewal at which its process is killed: how it is brought about, and what it is counted from. */
export interface Moment extends StageOptions {
  readonly name: string;
  /** `wish`: a person asks for a token. `revoked`: the stored one was killed from outside. `first`: the store is empty. */
  readonly provoke: "wish" | "revoked" | "first";
  /** `begun`: when the renewal was asked for. `issue-seen`: when Presto has read the issue call. Else a state, as the log tells it. */
  readonly killAt: RenewalState | "begun" | "issue-seen";
  readonly afterMs: Span;
  /** A call that Presto has kept waiting is executed after the kill, so much later. Without it, never. */
  readonly executedAfterMs?: Span;
  /** The process that comes next is killed too, so long after it began to look. */
  readonly againAfterMs?: Span;
}

const held: RequestEffect = { kind: "hold" };
const executed: RequestEffect = { kind: "hold", acts: true };
const short: Span = [0, 8];
const wire: Span = [0, 50];

/** One deck. Held back, every state can be hit for certain; without that, the kill falls where it falls. */
export const moments: readonly Moment[] = [
  { name: "reading", provoke: "wish", killAt: "reading", afterMs: [0, 1] },
  { name: "probing", provoke: "wish", killAt: "probing", afterMs: [0, 4] },
  { name: "probing a dead token", provoke: "revoked", killAt: "probing", afterMs: [0, 2_500] },
  { name: "noting a dead token", provoke: "revoked", killAt: "intending", afterMs: short },
  { name: "intending", provoke: "wish", killAt: "intending", afterMs: short },
  {
    name: "intent not yet written",
    provoke: "wish",
    writesHeld: "from-the-start",
    killAt: "intending",
    afterMs: [0, 500],
  },
  { name: "checking", provoke: "wish", killAt: "checking", afterMs: [0, 3] },
  { name: "calls still in flight", provoke: "wish", busy: true, killAt: "checking", afterMs: [0, 1_800] },
  { name: "issuing", provoke: "wish", killAt: "issuing", afterMs: short },
  { name: "call never executed", provoke: "wish", issue: held, killAt: "issue-seen", afterMs: wire },
  {
    name: "call executed later",
    provoke: "wish",
    issue: held,
    killAt: "issue-seen",
    afterMs: wire,
    executedAfterMs: [0, 2_000],
  },
  { name: "executed, not answered", provoke: "wish", issue: executed, killAt: "issue-seen", afterMs: wire },
  {
    name: "answer comes late",
    provoke: "wish",
    issue: { kind: "slow-head", ms: 100 },
    killAt: "issue-seen",
    afterMs: [0, 150],
  },
  {
    name: "answer comes in halves",
    provoke: "wish",
    issue: { kind: "slow-body", ms: 100 },
    killAt: "issue-seen",
    afterMs: [0, 150],
  },
  { name: "storing", provoke: "wish", killAt: "storing", afterMs: short },
  {
    name: "token not yet stored",
    provoke: "wish",
    issue: executed,
    writesHeld: "issue-seen",
    killAt: "storing",
    afterMs: [0, 500],
  },
  {
    name: "token refused by the store",
    provoke: "wish",
    issue: executed,
    writesHeld: "issue-seen",
    killAt: "reconciling",
    afterMs: [0, 1_500],
  },
  {
    name: "answer lost",
    provoke: "wish",
    issue: { kind: "reset-after-acting" },
    killAt: "settling",
    afterMs: [0, 2_600],
  },
  {
    name: "call lost",
    provoke: "wish",
    issue: { kind: "reset-before-acting" },
    killAt: "settling",
    afterMs: [0, 3_500],
  },
  {
    name: "clearing after a refusal",
    provoke: "wish",
    issue: { kind: "status", status: 422 },
    busy: true,
    writesHeld: "checking",
    killAt: "clearing",
    afterMs: [0, 300],
  },
  { name: "just stored", provoke: "wish", killAt: "idle", afterMs: [0, 10] },
  { name: "blind, 0 to 30 ms", provoke: "wish", killAt: "begun", afterMs: [0, 30] },
  { name: "blind, 0 to 30 ms", provoke: "wish", killAt: "begun", afterMs: [0, 30] },
  { name: "blind, 0 to 30 ms", provoke: "wish", killAt: "begun", afterMs: [0, 30] },
  { name: "blind, 0 to 120 ms", provoke: "wish", killAt: "begun", afterMs: [0, 120] },
  {
    name: "twice, after an execution",
    provoke: "wish",
    issue: executed,
    killAt: "issue-seen",
    afterMs: wire,
    againAfterMs: [0, 3_000],
  },
  {
    name: "twice, before an execution",
    provoke: "wish",
    issue: held,
    killAt: "issue-seen",
    afterMs: wire,
    againAfterMs: [0, 3_500],
  },
  { name: "first issue, blind", provoke: "first", killAt: "begun", afterMs: [0, 60] },
  { name: "first issue, executed", provoke: "first", issue: executed, killAt: "issue-seen", afterMs: wire },
  { name: "first issue, storing", provoke: "first", killAt: "storing", afterMs: short },
];
