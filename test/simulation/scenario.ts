import type { DayWindow } from "../../src/renewal/schedule.ts";
import type { RenewalTimes } from "../../src/renewal/types.ts";
import type { FaultKind, OperationKind } from "./fault-kinds.ts";

/**
 * What is claimed of a world depends on what happens in it.
 * - `calm`: nothing. `single`: exactly one fault. `several`: two to five. `storm`: up to twenty.
 * - `foreign`: somebody else issues, fewer than LIMIT times, and nothing else happens. `rivalry`: they never stop; holders may crash.
 * - `short-settle`: several faults, and Presto executes calls even after SETTLE.
 * - `overlap`: two or three rotators with short leases, struck where two of them get in each other's way.
 * - `manual`: nothing is issued unless a person wants it; a few faults.
 * - `moved`: machines leave from addresses that are not registered, for so long that renewals come due meanwhile.
 * - `blind`: Presto looks for the record before the token, so that probes tell nothing.
 * - `put-back`: the record is put back as it was, or wiped, one to three times; in half of them nothing else happens.
 * - `clone`: another site has a copy of the record, and a rotator that may do nothing with it.
 * - `deaf`: for minutes nobody can read what Presto answers to an issue call, though it is executed.
 */
export type ScenarioKind =
  | "calm"
  | "single"
  | "several"
  | "storm"
  | "foreign"
  | "rivalry"
  | "short-settle"
  | "overlap"
  | "manual"
  | "moved"
  | "blind"
  | "put-back"
  | "clone"
  | "deaf";

/** Something that is done to the world at a moment, whatever anybody is doing. */
export interface TimedFault {
  readonly at: number;
  readonly kind: FaultKind;
}

/** A fault that strikes whoever comes to do that, the so-manieth time that anybody does. */
export interface Strike {
  readonly operation: OperationKind;
  readonly nth: number;
  /** Undefined: any that can strike there. */
  readonly fault: FaultKind | undefined;
}

/** Something that a person does: at a moment, or a moment after the so-manieth time that a process hears of a token of its own. */
export interface Wish {
  readonly when: { readonly at: number } | { readonly heard: number };
  readonly force: boolean;
  /** Milliseconds that it is waited for. */
  readonly waitMs: number;
}

/** A person puts a token into the store by hand. */
export interface Import {
  readonly at: number;
  /** Not before an intent stands, if one does within a minute. */
  readonly overIntent: boolean;
  /** `new`: it was issued for this, abroad, and so it kills the stored one. `dead`: another one by mistake. `stored`: the one that stands there. */
  readonly token: "new" | "dead" | "stored";
}

/** One simulated world, as its seed makes it. Times are milliseconds. */
export interface Scenario {
  readonly seed: number;
  readonly kind: ScenarioKind;
  /**
   * `file`: role `all`, one or two processes with a kernel lock. The others: rotators and proxies, and a lock that
   * does not fence; the record is in a Secret that is watched, or in a Vault that is polled and whose standbys lag.
   */
  readonly topology: "file" | "kubernetes" | "vault";
  readonly rotators: number;
  readonly proxies: number;
  readonly times: RenewalTimes;
  readonly holdMaxMs: number;
  readonly pollMs: number;
  readonly tokenDays: number;
  readonly renewAt: number;
  /** PRESTO_RENEW_WINDOW. */
  readonly window: DayWindow | undefined;
  /** `live`: a token that works. `empty`: no record. `dead`: a token that does not work. `intent`: what a dead holder left. `stopped`: the alarm is latched, and the token works. */
  readonly beginning: "live" | "empty" | "dead" | "intent" | "stopped";
  /** Presto executes calls even after SETTLE. */
  readonly settleTooShort: boolean;
  /** When Presto's answers to issue calls can't be read; both 0 where they always can. */
  readonly deaf: { readonly from: number; readonly until: number };
  /** Wall clock at the beginning. */
  readonly epoch: number;
  /** Longest time that Presto lies about a new token after an issue. */
  readonly lagMs: number;
  /** How far the machines' wall clocks differ. */
  readonly skewMs: number;
  /** How far each host's is off Presto's, for as long as the world lasts, beside that; 0 where they are kept in step. */
  readonly apartMs: number;
  /** The faults that strike those who issue. */
  readonly strikes: readonly Strike[];
  readonly timedFaults: readonly TimedFault[];
  /** Until when faults are made. */
  readonly faultsMs: number;
  /** Mean time between two calls of one process. */
  readonly callEveryMs: number;
  readonly callDeadlineMs: number;
  /** Share of the watch's notices that never come. */
  readonly lostNotices: number;
  /** What people wish for. */
  readonly wishes: readonly Wish[];
  readonly imports: readonly Import[];
  /** How often a person changes the account's password. */
  readonly resets: number;
  /** Presto ends the live token with the password: that is open. */
  readonly resetKillsToken: boolean;
  /** Did a password reset leave two passwords, and which of them works? */
  readonly pendingPassword: "none" | "works" | "does-not-work";
}
