import { Failure } from "../errors.ts";
import { StoreError } from "../store/contract.ts";

/** How one run through the states ended. Details are sentences for people, without a secret. */
export type RenewalEnd =
  /** A new token is stored. */
  | {
      readonly kind: "renewed";
      readonly tokenId: string;
      readonly generation: number;
      readonly expiresAt: Date | null;
    }
  /** Under the lock there was nothing to do: not due, done by another, a false report, an old intent that needed no token. */
  | { readonly kind: "nothing-to-do"; readonly detail: string }
  /** The alarm is latched: somebody else issues tokens on this account. */
  | { readonly kind: "stopped"; readonly detail: string }
  /** Presto refused clearly. `credentials`: by 401, and no other password is left to try. */
  | {
      readonly kind: "refused";
      readonly credentials: boolean;
      readonly detail: string;
      readonly retryAfterMs?: number;
    }
  /** Presto, the store or the credentials could not be had, or the lock was lost; nothing was issued. */
  | { readonly kind: "unreachable"; readonly detail: string; readonly cause?: unknown }
  /** The token that was issued was found dead before it could be stored. */
  | { readonly kind: "lost"; readonly detail: string }
  /** The process is ending; what is left is in the record, for the next one. */
  | { readonly kind: "shut-down" };

/** What could not be had, with the cause's own words where they are made for people. */
export function unreachable(what: string, cause?: unknown): RenewalEnd {
  const words = cause instanceof StoreError || cause instanceof Failure ? ` ${cause.message}` : "";
  return { kind: "unreachable", detail: `${what}${words}`, cause };
}
