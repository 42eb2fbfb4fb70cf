import { type CredentialConfig, loadConfig } from "../config/load.ts";
import type { UpstreamConfig } from "../config/sections.ts";
import { CommandError } from "../errors.ts";
import { random, untilStopped } from "../lib/async.ts";
import { createIssuer } from "../presto/auth.ts";
import {
  brokenPasswordRules,
  callTimeoutMs,
  generatePassword,
  type ResetOutcome,
  settleReset,
} from "../presto/password-reset.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import { Secret, withoutLineEnd } from "../secret.ts";
import type { Credentials, StoredRecord, TokenStore } from "../store/contract.ts";
import { faultOfPassword, noCredentials } from "../store/credentials.ts";
import { refuseElsewhere } from "../store/home.ts";
import { refuseWhileRenewed } from "../store/import.ts";
import { openCredentials, openStore } from "../store/open.ts";
import { openRenewalLock } from "../store/renewal-lock.ts";
import { recorded } from "./command-record.ts";
import type { Io, Run } from "./command.ts";
import { probeToken, reasonOf, withUpstream } from "./presto-client.ts";
import { createPrompts, decodeUtf8, readToEnd } from "./prompts.ts";
import { refuseKeyless, withRenewalLock } from "./store-client.ts";
import { printNote, printResult, printWarnings } from "./terminal.ts";

/** Changes the account's password at Presto and in PRESTO_CREDENTIALS, or settles an earlier change. */
export const passwordReset: Run = async (args, io) => {
  const config = completeConfig(loadConfig(io.env, io.execArgv, "write-credentials"));
  printWarnings(io, config);
  const { clock, signal } = io;
  const store = await openStore(config.store, { clock });
  const lock = await openRenewalLock({ store, use: "account", options: config.store, clock });
  const credentials = await openCredentials(config.credentials, { clock });
  try {
    // Whoever would be refused is told before typing anything; nobody holds a lock while a person types.
    const stored = await credentials.read().catch(refuseKeyless(config.credentials));
    if (stored === undefined) throw noCredentials();
    refuse(await store.read());
    const asked = newPassword(io, stored.credentials, args.flag("generate"));
    const { wanted, unused } = await untilStopped(signal, asked);
    const reset = (): Promise<ResetOutcome> =>
      withRenewalLock(lock, io, async (held) => {
        // Where the intent is the lock, the one that stands there now is ours.
        if (held.intent === undefined) refuse(await store.read());
        const mayBegin = (): boolean =>
          !signal.aborted && clock.monotonic() + callTimeoutMs < held.heldUntil();
        return withUpstream(config.upstream, io, (openPool) => {
          const issuer = createIssuer({ openPool, clock });
          return settleReset({ store: credentials, issuer, clock, random, mayBegin, signal }, wanted);
        });
      });
    const outcome = await recorded(config, io, "password reset", async (note) => {
      const ended = await reset();
      note({ type: "password-reset", end: ended.kind });
      return ended;
    });
    if (outcome.kind === "changed") {
      const token = await probeStored(config, store, io);
      reportChanged(io, { stored: outcome.stored, earlier: wanted === undefined, token }, args.flag("json"));
    }
    const failure = resetFailure(outcome) ?? (unused ? notUsed() : undefined);
    if (failure !== undefined) throw failure;
    return 0;
  } finally {
    // Both: where they share a login at their server, the last one gives it back.
    await Promise.all([credentials.logOut?.(), store.logOut?.()]);
    credentials.close();
    lock.close();
    store.close();
  }
};

/** No password is changed beside a renewal, nor by whoever has the record of another side. */
function refuse(found: StoredRecord | undefined): void {
  refuseElsewhere(found);
  refuseWhileRenewed(found);
}

type CompleteConfig = CredentialConfig & { readonly upstream: UpstreamConfig };

function completeConfig(config: CredentialConfig): CompleteConfig {
  const { store, upstream } = config;
  if (upstream === undefined) {
    throw new CommandError(
      "configuration",
      "PRESTO_URL is not set, so there is nobody to ask. Set it as the sidecar has it.",
    );
  }
  // Without the token's store there is neither its lock nor its intent: a renewal could be under way.
  if (!store.canWrite) {
    throw new CommandError(
      "configuration",
      `PRESTO_STORE is ${store.kind}:, and a password is changed under the lock of the token's store. Set it as the sidecar that renews has it, such as PRESTO_STORE=file:/var/lib/presto/token.`,
    );
  }
  return { ...config, upstream };
}

/** Whether a reset kills the token is not documented. What can't be learnt is left out: the reset is done. */
async function probeStored(
  config: CredentialConfig,
  store: TokenStore,
  io: Io,
): Promise<ProbeVerdict | undefined> {
  try {
    const token = (await store.read())?.record.token ?? null;
    return token === null ? undefined : await untilStopped(io.signal, probeToken(config, token, io));
  } catch {
    return undefined;
  }
}

function notUsed(): CommandError {
  return new CommandError(
    "try-again",
    "The password that was given now was not used, because the one of an earlier reset had to be settled first. Run the command again to set it.",
  );
}

/** What a reset is to set. */
interface NewPassword {
  /** Undefined: the pending one of an earlier reset. */
  readonly wanted: Secret | undefined;
  /** True if one was piped in that is not the pending one, so that it is not used. */
  readonly unused: boolean;
}

/**
 * The password that a reset is to set: the pending one, if an earlier reset has left it; else
 * a new one, made, piped in, or asked for twice.
 * @throws CommandError `input-refused` for one that can't be set; it names every rule that is broken
 */
async function newPassword(io: Io, stored: Credentials, generate: boolean): Promise<NewPassword> {
  const piped = !generate && io.stdin.isTTY !== true ? await readPiped(io) : undefined;
  if (stored.pending !== null) {
    printNote(
      io,
      "An earlier password reset has no known end: it is settled now, with its own new password.",
    );
    return {
      wanted: undefined,
      unused: piped !== undefined && piped.fingerprint() !== stored.pending.fingerprint(),
    };
  }
  const wanted = generate ? generatePassword() : (piped ?? (await askTwice(io)));
  refuseBad(wanted, stored.password);
  return { wanted, unused: false };
}

/** Undefined for nothing at all. */
async function readPiped(io: Io): Promise<Secret | undefined> {
  const text = withoutLineEnd(decodeUtf8(await readToEnd(io)));
  return text === "" ? undefined : new Secret(text);
}

async function askTwice(io: Io): Promise<Secret> {
  if (io.stdin.isTTY !== true) {
    throw new CommandError(
      "input-refused",
      "No new password was given. Type it at the prompt, pipe it in, or have one made with --generate. Nothing was changed.",
    );
  }
  const prompts = createPrompts(io);
  try {
    const first = await prompts.hidden("New password");
    const second = await prompts.hidden("Once more");
    if (first === second) return new Secret(first);
  } finally {
    prompts.close();
  }
  throw new CommandError("input-refused", "The two that were typed are not the same. Nothing was changed.");
}

function refuseBad(wanted: Secret, current: Secret): void {
  const fault = faultOfPassword(wanted.reveal());
  const sentences = [
    ...(fault === undefined ? [] : [`It ${fault}.`]),
    ...brokenPasswordRules(wanted).map(({ sentence }) => sentence),
    ...(wanted.fingerprint() === current.fingerprint() ? ["It is the present one."] : []),
  ];
  if (sentences.length === 0) return;
  throw new CommandError(
    "input-refused",
    `This can't be the new password. ${sentences.join(" ")} Nothing was changed.`,
  );
}

/** What is known once Presto has the new password. */
export interface ChangedPassword {
  /** False: it could not be written in the old one's place, and still stands there as the pending one. */
  readonly stored: boolean;
  /** It was a new password of an earlier run, which was settled now. */
  readonly earlier: boolean;
  /** Whether the stored token still lives; undefined where none is stored. */
  readonly token: ProbeVerdict | undefined;
}

/** Tells, where machines read it too, that the password was changed. */
export function reportChanged(io: Io, { stored, earlier, token }: ChangedPassword, asJson: boolean): void {
  printResult(
    io,
    asJson,
    { changed: true, stored, earlier, token: token ?? null },
    earlier
      ? "The password reset of an earlier run is settled: Presto has its new password. Run the command again to make another."
      : "Presto has the new password. It stands sealed in PRESTO_CREDENTIALS and is shown nowhere.",
    ...(token === undefined ? [] : [tokenSentences[token]]),
  );
}

const tokenSentences: Readonly<Record<ProbeVerdict, string>> = {
  alive: "The stored token still lives.",
  dead: "The stored token is dead (401, asked twice). A running sidecar of role rotator or all renews it by itself; without one: presto-sidecar token renew",
  unclear: "Whether the stored token still lives is not known: Presto gave no answer that tells.",
};

const kept = "Both passwords are kept, and the new one is tried first at the next issue.";
const again = "Run the command again: it tries the same new password again.";

/** The failure that a reset ended with, unless the password was changed and stored. */
export function resetFailure(outcome: ResetOutcome): CommandError | undefined {
  switch (outcome.kind) {
    case "changed":
      if (outcome.stored) return undefined;
      return new CommandError(
        "unreachable",
        "Presto has the new password, but PRESTO_CREDENTIALS could not be written again. Nothing is lost: it stands there as the pending one, is tried first, and takes the old one's place at the next issue.",
      );
    case "refused":
      return refused(outcome);
    case "not-sent":
      return new CommandError(
        "unreachable",
        `Nothing was sent to Presto.${reasonOf(outcome.cause)} The new password stays in PRESTO_CREDENTIALS as the pending one. ${again}`,
        outcome.cause,
      );
    case "unclear":
      return new CommandError(
        "unreachable",
        `It is not known whether Presto changed the password: it gave no answer that tells.${reasonOf(outcome.cause)} ${kept} ${again}`,
        outcome.cause,
      );
  }
}

function refused(outcome: Extract<ResetOutcome, { readonly kind: "refused" }>): CommandError {
  const { status, detail, retryAfterMs, dropped } = outcome;
  switch (status) {
    case 401:
      return new CommandError(
        "refused",
        `${detail} ${kept} If neither works, move the file of PRESTO_CREDENTIALS away, keep it, and run: presto-sidecar credentials import`,
      );
    case 422:
      return new CommandError(
        "refused",
        `${detail} ${dropped ? "The new password was dropped, and the old one stays." : `The new password can't be one, but PRESTO_CREDENTIALS could not be written to drop it. ${again}`}`,
      );
    case 429: {
      const when = retryAfterMs === undefined ? "later" : `in ${Math.ceil(retryAfterMs / 1000)} s`;
      return new CommandError(
        "try-again",
        `${detail} The new password stays in PRESTO_CREDENTIALS as the pending one. Run the command again ${when}: it tries the same new password again.`,
      );
    }
  }
}
