import { openRenewal, renewOnce } from "../app/issuing.ts";
import { entryOf } from "../audit/credential-lines.ts";
import type { Entry } from "../audit/line.ts";
import { formatDuration } from "../config/parse.ts";
import type { Config } from "../config/sections.ts";
import { CommandError } from "../errors.ts";
import type { Subscriber } from "../observe/events.ts";
import type { RenewalDeps } from "../renewal/run.ts";
import type { IssuingOptions, RenewalEnd } from "../renewal/types.ts";
import { isOwnFault, StoreError, type TokenRecord } from "../store/contract.ts";
import { leaseMs } from "../store/term.ts";
import { recorded } from "./command-record.ts";
import type { Io } from "./command.ts";
import { reasonOf } from "./presto-client.ts";
import { lockWaitMs } from "./store-client.ts";
import { expirySentence, printNote, printResult } from "./terminal.ts";

/** A configuration whose role may issue. */
export interface IssuingConfig extends Config {
  readonly issuing: IssuingOptions;
}

export interface RenewLocallyOptions {
  /** As the record names it. */
  readonly command: "token issue" | "token renew";
  /** Clears the alarm first. */
  readonly force: boolean;
  readonly asJson: boolean;
  /** Called before the lock is taken; whatever it throws ends the command with nothing done. */
  readonly before?: (deps: RenewalDeps) => Promise<void>;
}

/** @throws CommandError `refused` where the role can't issue */
export function issuingConfig(config: Config): IssuingConfig {
  const { issuing } = config;
  if (issuing !== undefined) return { ...config, issuing };
  throw new CommandError(
    "refused",
    `PRESTO_ROLE is ${config.role}, which uses the token and can't issue one. Run this where the role is all or rotator, with the account's credentials.`,
  );
}

/**
 * Renews in this process, under the lock, as a running sidecar would; one that runs follows the store.
 * @returns the exit code 0
 * @throws CommandError for every end that is not a good one; `try-again` where another process holds the lock
 */
export async function renewLocally(
  config: IssuingConfig,
  options: RenewLocallyOptions,
  io: Io,
): Promise<number> {
  const tell = renewalNotes(io, {
    settleMs: config.issuing.settleMs,
    hasTerm: config.store.lock?.kind !== "own",
  });
  let note: ((entry: Entry) => void) | undefined;
  const { deps, close } = await openRenewal(config, {
    clock: io.clock,
    emit(event) {
      tell(event);
      const entry = entryOf(event);
      if (entry !== undefined) note?.(entry);
    },
  });
  try {
    await options.before?.(deps);
    const end = await recorded(config, io, options.command, async (noteEntry) => {
      note = noteEntry;
      const ended = await renewOnce(deps, { force: options.force, lockWaitMs, signal: io.signal });
      // In a sidecar the token's life tells of it; here nobody else does.
      const entry = entryOf({ type: "renewal-ended", end: ended, nextTryAt: undefined });
      if (entry !== undefined) noteEntry(entry);
      return ended;
    });
    const now = await deps.store.read().catch(() => undefined);
    return reportRenewal(io, end, now?.record, options.asJson);
  } finally {
    await close();
  }
}

export interface RenewalNotesOptions {
  readonly settleMs: number;
  /** Does the lock run out by itself, so that one that was left behind is taken after that time? */
  readonly hasTerm: boolean;
}

/** Tells on standard error what a person who waits for a renewal must know. */
export function renewalNotes(io: Io, { settleMs, hasTerm }: RenewalNotesOptions): Subscriber {
  const noted = new Set<string>();
  const noteOnce = (text: string): void => {
    if (noted.has(text)) return;
    noted.add(text);
    printNote(io, text);
  };
  return (event) => {
    switch (event.type) {
      case "renewal-moved":
        if (event.to === "locking") {
          const longer = hasTerm
            ? `; where it does not move, until it has stood still for ${formatDuration(leaseMs)}, for then it was left behind and is taken over`
            : "";
          noteOnce(
            `Another process holds the renewal lock. It is waited for, up to ${formatDuration(lockWaitMs)}${longer}. Ctrl-C ends the waiting; nothing was begun.`,
          );
        }
        if (event.to === "settling") {
          noteOnce(
            `It is not known yet whether Presto executed an issue call. Finding out takes up to ${formatDuration(settleMs)} (PRESTO_SETTLE). Ctrl-C leaves it to the next process that renews: it stands in the record. While the call may still be answered it is listened to for up to 25 s more; a second Ctrl-C ends that.`,
          );
        }
        if (event.to === "reconciling") {
          noteOnce(
            "A new token was issued, but is not stored yet. It is kept in memory, and storing it is tried again and again: it would be lost with this process.",
          );
        }
        break;
      case "alarm-changed":
        if (event.alarm === undefined) noteOnce("The alarm is cleared.");
        break;
      case "warning":
        printNote(io, `Warning: ${event.message}`);
        break;
      default:
    }
  };
}

const command = "presto-sidecar token renew --force";

/** Why the alarm is on, and what a person can do about it, which the reason may say already. */
export function explainAlarm(reason: string): string {
  if (reason.includes(command)) return reason;
  return `${reason} Find out who else issues tokens on this account, and end that; then clear the alarm with: ${command}`;
}

/** Why a token that seems dead was not replaced, and what a person can do about it. */
export function youngToken(detail: string): string {
  return `Nothing was issued. ${detail} If it is known to be dead: ${command}`;
}

/**
 * Tells how a renewal of this command's own ended.
 * @param record what stands in the store now; undefined where it could not be read
 * @returns the exit code 0
 * @throws CommandError for every end that is not a good one
 */
export function reportRenewal(
  io: Io,
  end: RenewalEnd,
  record: TokenRecord | undefined,
  asJson: boolean,
): number {
  switch (end.kind) {
    case "renewed": {
      const { generation, tokenId: fingerprint } = end;
      const expires = end.expiresAt?.toISOString() ?? null;
      const name = record?.token?.fingerprint() === fingerprint ? record.name : null;
      printResult(
        io,
        asJson,
        { renewed: true, generation, expires_at: expires, fingerprint, name },
        `A new token is stored as generation ${generation}, fingerprint ${fingerprint}.`,
        expirySentence(expires),
      );
      return 0;
    }
    case "nothing-to-do": {
      const { generation = null, expiresAt = null, token = null, name = null } = record ?? {};
      const known = {
        generation,
        expires_at: expiresAt?.toISOString() ?? null,
        fingerprint: token?.fingerprint() ?? null,
        name,
      };
      printResult(
        io,
        asJson,
        { renewed: false, detail: end.detail, ...known },
        `Nothing was issued. ${end.detail}`,
      );
      return 0;
    }
    default:
      throw failureOf(end);
  }
}

function failureOf(
  end: Exclude<RenewalEnd, { readonly kind: "renewed" | "nothing-to-do" }>,
): CommandError | StoreError {
  switch (end.kind) {
    case "stopped":
      return new CommandError(
        "refused",
        `The alarm is on, and nothing was issued. ${explainAlarm(end.detail)}`,
      );
    case "elsewhere":
      return new CommandError("refused", `Nothing was issued. ${end.detail}`);
    case "refused":
      return new CommandError("refused", `${end.detail}${mendOf(end)}`);
    case "unreachable":
      return unreachable(end);
    case "young-token":
      return new CommandError("try-again", youngToken(end.detail));
    case "lost":
      return new CommandError(
        "unreachable",
        `${end.detail} See what stands in the store (presto-sidecar token show), and run the command again if it does not live.`,
      );
    case "shut-down":
      return new CommandError(
        "try-again",
        "The renewal was stopped before its end. If it is not known whether Presto executed the call, that stands in the record, and the next process that renews settles it: run the command again, or start the sidecar.",
      );
  }
}

function mendOf({ credentials, retryAfterMs }: Extract<RenewalEnd, { readonly kind: "refused" }>): string {
  if (credentials)
    return " Put the right ones in place (presto-sidecar credentials import, or the variables).";
  return retryAfterMs === undefined ? "" : ` Try again in ${Math.ceil(retryAfterMs / 1000)} s.`;
}

/** What trying again can't mend, such as a wrong key or credentials that are not there, ends with its own code; so does what the system refuses. */
function unreachable({
  detail,
  cause,
}: Extract<RenewalEnd, { readonly kind: "unreachable" }>): CommandError | StoreError {
  if (cause instanceof CommandError && cause.code === "configuration") return cause;
  if (cause instanceof CommandError && cause.code === "system-refused")
    return new CommandError("system-refused", detail, cause);
  if (cause instanceof StoreError && (cause.code === "newer-schema" || isOwnFault(cause, false)))
    return cause;
  const reason = cause instanceof Error && detail.includes(cause.message) ? "" : reasonOf(cause);
  return new CommandError("unreachable", `${detail}${reason}`, cause);
}
