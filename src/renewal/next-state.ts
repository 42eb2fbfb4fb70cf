import type { Account, IssueEnd, IssuedToken } from "../presto/auth.ts";
import type { Intent, RenewalReason, TokenRecord } from "../store/contract.ts";
import type { RenewalEnd } from "./renewal-end.ts";
import type { Found } from "./renewal-parts.ts";

/** An intent of ours, as it stands in the store: the record with it, and the version that our write made. */
export interface Standing {
  readonly intent: Intent;
  readonly record: TokenRecord;
  readonly version: string;
}

/** An issue call of which it is not known whether it was executed: our own, or that of an intent taken over. */
export interface CallInQuestion {
  /** A dead stored token proves that it was executed. */
  readonly soleCall: boolean;
  /** Monotonic time at which it was given up, or its intent taken over. */
  readonly givenUpAt: number;
  /** Our own call, which may still be answered, and who it was made for. */
  readonly late?: LateAnswer;
}

export interface LateAnswer {
  readonly end: Promise<IssueEnd>;
  readonly account: Account;
  /** Stops listening. */
  readonly hangUp: () => void;
}

/** A token that was issued and is not stored yet: kept until it is, or is dead. */
export interface Candidate {
  readonly issued: IssuedToken;
  readonly account: Account;
  /** Monotonic time at which it was heard of. */
  readonly since: number;
}

/** The next state, with what it begins with. */
export type NextState =
  | { readonly to: "reading" }
  | { readonly to: "probing"; readonly found: Found; readonly reason: Exclude<RenewalReason, "takeover"> }
  | {
      readonly to: "intending";
      readonly found: Found;
      readonly reason: RenewalReason;
      readonly soleCall: boolean;
      /** What the record's list of unexplained deaths becomes; `isNew` if one was added. */
      readonly deaths?: { readonly list: readonly Date[]; readonly isNew: boolean };
      /** Where another's intent is taken over: was its call a `soleCall`? */
      readonly takenOver?: { readonly soleCall: boolean };
    }
  | {
      readonly to: "settling";
      readonly standing: Standing;
      readonly call: CallInQuestion;
      /** Was the call made under the intent that stands? Every call has an intent of its own. */
      readonly underThisIntent: boolean;
    }
  | { readonly to: "checking"; readonly standing: Standing }
  | { readonly to: "issuing"; readonly standing: Standing; readonly account: Account }
  | { readonly to: "storing"; readonly standing: Standing; readonly candidate: Candidate }
  | { readonly to: "reconciling"; readonly candidate: Candidate }
  | { readonly to: "clearing"; readonly end: RenewalEnd }
  | { readonly to: "stopped"; readonly end: RenewalEnd }
  | { readonly to: "idle"; readonly end: RenewalEnd };
