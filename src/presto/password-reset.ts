import { randomInt } from "node:crypto";

import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import { backOffMs, onAbort, sleepUnlessAborted } from "../lib/async.ts";
import { Secret } from "../secret.ts";
import type { CredentialStore, Credentials } from "../store/contract.ts";
import { noCredentials } from "../store/credentials.ts";
import { isWritten } from "../store/import.ts";
import type { Issuer, RefusedByPresto, ResetEnd } from "./auth.ts";

/** What a password reset needs. The renewal lock is held by whoever calls, and no intent stands. */
export interface ResetDeps {
  readonly store: Required<Pick<CredentialStore, "read" | "write">>;
  readonly issuer: Pick<Issuer, "resetPassword">;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Asked right before the first byte: is the lock still ours? */
  readonly mayBegin: () => boolean;
  /** Gives the call up; the pending password stays. */
  readonly signal: AbortSignal;
}

/** How a reset ended. In every case but `changed` and a refusal by 422, the pending password stands where it stood. */
export type ResetOutcome =
  /** Presto has the new password. `stored`: it stands in the old one's place; if not, it is still the pending one. */
  | { readonly kind: "changed"; readonly stored: boolean }
  /** `dropped`: the pending password is gone, since Presto's rules refuse it. */
  | (RefusedByPresto & { readonly dropped: boolean })
  | Exclude<ResetEnd, { readonly kind: "reset" } | RefusedByPresto>;

/** As long as an issue call may take, milliseconds: then it is given up, and its end is unclear. */
export const callTimeoutMs = 15_000;
/** How often a write is tried again that others, or a failing disk, got in the way of. */
const mostWrites = 3;
/** Between two of them: a disk or a server that fails is not asked again in the same moment. */
const rewrites = { firstMs: 100, mostMs: 1_000 };

/**
 * Changes the account's password, as the protocol says: the new one is stored as *pending*
 * before the call, and takes the old one's place once Presto has answered 200. Until then it
 * may be the account's password and may not be, so it is neither replaced nor dropped: the
 * same one is tried again. Only a 422 proves that it never can be.
 *
 * @param wanted the new password; undefined where an earlier one stands pending and is to be settled
 * @throws CommandError `configuration` without credentials; `try-again` where the pending one is not as the caller saw it, or somebody else wrote: nothing was sent
 * @throws what the store throws, before anything was sent
 */
export async function settleReset(deps: ResetDeps, wanted: Secret | undefined): Promise<ResetOutcome> {
  const { email, password, pending } = await beginReset(deps, wanted);
  const end = await callWithin(deps, (signal) =>
    deps.issuer.resetPassword({ email, password }, pending, { mayBegin: deps.mayBegin, signal }),
  );
  switch (end.kind) {
    case "reset":
      return {
        kind: "changed",
        stored: await replacePending(deps, pending, (stored) => ({ ...stored, password: pending })),
      };
    case "refused":
      return {
        ...end,
        dropped: end.status === 422 && (await replacePending(deps, pending, (stored) => stored)),
      };
    case "not-sent":
    case "unclear":
      return end;
  }
}

interface BegunReset extends Credentials {
  readonly pending: Secret;
}

/** Has a pending password in the store: the earlier one, or the wanted one by compare-and-set. */
async function beginReset({ store }: ResetDeps, wanted: Secret | undefined): Promise<BegunReset> {
  const stored = await store.read();
  if (stored === undefined) throw noCredentials();
  const { credentials, version } = stored;
  if (credentials.pending !== null) {
    if (wanted !== undefined) throw changedMeanwhile("Another password reset was begun meanwhile");
    return { ...credentials, pending: credentials.pending };
  }
  if (wanted === undefined) throw changedMeanwhile("The earlier password reset was settled meanwhile");
  const begun = { ...credentials, pending: wanted };
  const written = await isWritten(
    () => store.write(begun, version),
    async () => isSame((await store.read())?.credentials.pending, wanted),
  );
  if (written) return begun;
  throw changedMeanwhile("Somebody else changed the credentials at the same moment");
}

async function callWithin(
  { clock, signal }: ResetDeps,
  call: (signal: AbortSignal) => Promise<ResetEnd>,
): Promise<ResetEnd> {
  // Not `AbortSignal.any`: Node keeps one that is listened to, and all that its listeners know, for ever if nothing ends it.
  const over = new AbortController();
  const stopListening = onAbort(signal, (reason) => over.abort(reason));
  const timer = clock.after(callTimeoutMs, () => over.abort());
  try {
    return await call(over.signal);
  } finally {
    timer.cancel();
    stopListening();
  }
}

/**
 * Ends the pending state: writes what `next` makes of the stored credentials, without a
 * pending password. Others may write in between (a running sidecar seals with a new key), so
 * each try reads afresh, and what stands there afterwards decides. Waits a little longer before
 * each, but not where the command is to end: the tries that are left are then made at once.
 * @returns true if it stands in the store
 */
async function replacePending(
  { store, clock, random, signal }: ResetDeps,
  pending: Secret,
  next: (stored: Credentials) => Credentials,
): Promise<boolean> {
  for (let writes = 0; ; writes++) {
    if (writes > 0) await sleepUnlessAborted(clock, backOffMs(rewrites, writes, random()), signal);
    try {
      const stored = await store.read();
      if (stored === undefined) return false;
      const { credentials, version } = stored;
      const wanted = { ...next(credentials), pending: null };
      if (credentials.pending === null) return isSame(credentials.password, wanted.password);
      if (!isSame(credentials.pending, pending) || writes === mostWrites) return false;
      if ((await store.write(wanted, version)).outcome === "written") return true;
    } catch {
      // Unclear: it is read again. Nothing is lost where it can't be written, and the caller says so.
      if (writes >= mostWrites) return false;
    }
  }
}

function isSame(one: Secret | null | undefined, other: Secret): boolean {
  return one !== null && one !== undefined && one.fingerprint() === other.fingerprint();
}

function changedMeanwhile(what: string): CommandError {
  return new CommandError("try-again", `${what}. Nothing was sent to Presto. Run the command again.`);
}

// Without those that are taken for one another on paper: I, l, O, 0, 1.
const upper = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const lower = "abcdefghijkmnopqrstuvwxyz";
const digits = "23456789";
/** None of them means anything to a shell, a URL's path or a JSON text. */
const special = "-_.+=:@";
const letters = upper + lower;
const all = letters + digits + special;

const length = 32;

/**
 * A new password: 32 characters, about 180 bits, one of each kind at least. It begins with a
 * letter, so that no program takes it for an option.
 * @param below an integer of 0 or more and below its argument, each as likely as the others
 */
export function generatePassword(below: (bound: number) => number = randomInt): Secret {
  const pick = (from: string): string => from.charAt(below(from.length));
  const rest = [upper, lower, digits, special].map(pick);
  while (rest.length < length - 1) rest.push(pick(all));
  // Fisher and Yates: every order is as likely as the others.
  for (let end = rest.length - 1; end > 0; end--) {
    const chosen = below(end + 1);
    [rest[end], rest[chosen]] = [rest[chosen] ?? "", rest[end] ?? ""];
  }
  return new Secret(pick(letters) + rest.join(""));
}

/** A rule for a new password that it breaks. */
export interface BrokenRule {
  readonly code: "length" | "upper" | "lower" | "digit" | "special" | "text";
  /** What is wrong, as a sentence without anything of the password. */
  readonly sentence: string;
}

interface Rule extends BrokenRule {
  readonly kept: (password: string) => boolean;
}

const matches =
  (pattern: RegExp) =>
  (password: string): boolean =>
    pattern.test(password);

const rules: readonly Rule[] = [
  // In characters, not in UTF-16 units.
  { code: "length", kept: matches(/^.{8,}$/su), sentence: "It has fewer than 8 characters." },
  { code: "upper", kept: matches(/\p{Lu}/u), sentence: "It has no upper-case letter." },
  { code: "lower", kept: matches(/\p{Ll}/u), sentence: "It has no lower-case letter." },
  { code: "digit", kept: matches(/\p{Nd}/u), sentence: "It has no digit." },
  {
    code: "special",
    kept: matches(/[^\p{L}\p{M}\p{N}\p{Z}\p{C}]/u),
    sentence: "It has no special character, such as ! or -.",
  },
  {
    // Not Presto's rule. Servers trim some fields and not others, and half a surrogate pair becomes another
    // character on its way: the password that is set would not be the one that is kept.
    code: "text",
    kept: (password) => password.isWellFormed() && password.trim() === password && !/\p{Cc}/u.test(password),
    sentence: "It begins or ends with a space, or holds a control character or half of a character.",
  },
];

/**
 * The rules that the API has for a new password, checked before it is sent: at least 8
 * characters, with upper case, lower case, a digit and a special character.
 * @returns every rule that it breaks; none where it may be sent
 */
export function brokenPasswordRules(password: Secret): readonly BrokenRule[] {
  const text = password.reveal();
  return rules.filter(({ kept }) => !kept(text)).map(({ code, sentence }) => ({ code, sentence }));
}
