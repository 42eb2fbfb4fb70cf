import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import { loadConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import { isTokenText, Secret } from "../secret.ts";
import type { StoredRecord, TokenRecord, TokenStore } from "../store/contract.ts";
import { openRenewalLock, openStore } from "../store/open.ts";
import type { Arguments, Io, Run } from "./command.ts";
import { parseExpiryDate } from "./options.ts";
import { probeToken } from "./presto-client.ts";
import { refuseKeyless, withRenewalLock } from "./renew-locally.ts";
import { printJson, printLine, printNote, readSecret } from "./terminal.ts";

/** Puts a token from standard input or a hidden prompt into the store, as the next generation. */
export const tokenImport: Run = async (args, io) => {
  const described = readDescription(args, io);
  const config = loadConfig(io.env, io.execArgv, "write-store");
  for (const warning of config.warnings) printNote(io, `Warning: ${warning}`);
  const store = await openStore(config.store, { clock: io.clock });
  const lock = openRenewalLock(store);
  try {
    // Whoever would be refused is told before typing the token; nobody holds a lock while a person types.
    refuseWhileRenewed(await store.read().catch(refuseKeyless(config.store)));
    const token = await readToken(io);
    const record = await withRenewalLock(lock, io, () =>
      storeImport(store, { ...described, token }, io.clock),
    );
    const lives = await probeToken(config, token, io);
    report(io, record, lives, args.flag("json"));
    return 0;
  } finally {
    store.close();
  }
};

function readDescription(args: Arguments, io: Io): Omit<TokenImport, "token"> {
  const name = args.text("name") ?? null;
  if (name !== null && !/^[\x20-\x7e]{1,255}$/.test(name)) {
    throw new CommandError("usage", "--name has more than 255 characters, or one that is not visible ASCII.");
  }
  const expires = args.text("expires");
  return { name, expiresAt: expires === undefined ? null : parseExpiryDate(expires, io.clock.now()) };
}

async function readToken(io: Io): Promise<Secret> {
  const text = await readSecret(io, "Token");
  if (!isTokenText(text)) {
    throw new CommandError(
      "input-refused",
      "This can't be a token: it holds a space, a line end or another character that is not visible ASCII. Nothing was stored.",
    );
  }
  return new Secret(text);
}

function report(io: Io, record: TokenRecord, lives: ProbeVerdict | undefined, asJson: boolean): void {
  const fingerprint = record.token?.fingerprint() ?? null;
  const expires = record.expiresAt?.toISOString() ?? null;
  if (asJson) {
    printJson(io, {
      name: record.name,
      generation: record.generation,
      fingerprint,
      expires_at: expires,
      presto_says: lives ?? null,
    });
    return;
  }
  printLine(io, `The token is stored as generation ${record.generation}, fingerprint ${fingerprint}.`);
  printLine(
    io,
    expires === null
      ? "When it expires is unknown: give --expires if Presto named a date."
      : `It expires at ${expires}.`,
  );
  if (lives !== undefined) printLine(io, livesSentences[lives]);
}

const livesSentences: Readonly<Record<ProbeVerdict, string>> = {
  alive: "Presto accepts it.",
  dead: "Presto refuses it (401, asked twice): it is revoked, expired, or of another account. It is stored all the same; import a live one over it.",
  unclear: "Whether it lives is not known: Presto gave no answer that tells.",
};

/** A token that a person puts into the store. */
export interface TokenImport {
  readonly token: Secret;
  readonly name: string | null;
  /** Null where it is not known. */
  readonly expiresAt: Date | null;
}

/**
 * Stores a token as the next generation. The store compares and sets under its own lock: a
 * record that changed since it was read here is never overwritten.
 * @returns what stands in the store now
 * @throws CommandError `try-again` if a renewal is under way, or somebody else wrote; `refused` if the store is read-only
 * @throws StoreError as the store does
 */
export async function storeImport(
  store: TokenStore,
  wanted: TokenImport,
  clock: Clock,
): Promise<TokenRecord> {
  const current = await store.read();
  refuseWhileRenewed(current);
  const record = nextRecord(current?.record, wanted, new Date(clock.now()));
  if (await write(store, record, current?.version)) return record;
  throw new CommandError(
    "try-again",
    "Somebody else changed the record at the same moment. Nothing was stored. See what stands there now (presto-sidecar token show), and try again if it is still wanted.",
  );
}

/** True if the record stands in the store. A write that throws may have been applied: only a fresh read can tell. */
async function write(store: TokenStore, record: TokenRecord, expected: string | undefined): Promise<boolean> {
  if (store.write === undefined)
    throw new CommandError("refused", "This store can't be written. Nothing was stored.");
  try {
    return (await store.write(record, expected)).outcome === "written";
  } catch (error) {
    const found = await store.read().catch(() => undefined);
    if (found?.record.writtenBy?.holder === record.writtenBy?.holder) return true;
    throw error;
  }
}

/** @throws CommandError `try-again` where the record shows a renewal whose end is not known */
export function refuseWhileRenewed(current: StoredRecord | undefined): void {
  const intent = current?.record.intent ?? null;
  if (intent === null) return;
  throw new CommandError(
    "try-again",
    `A renewal is under way since ${intent.at.toISOString()}, and its end is not known yet. Nothing was stored. Try again when it has ended; where no sidecar runs that could end it: presto-sidecar token renew`,
  );
}

function nextRecord(current: TokenRecord | undefined, wanted: TokenImport, now: Date): TokenRecord {
  return {
    schema: 1,
    generation: (current?.generation ?? 0) + 1,
    token: wanted.token,
    name: wanted.name,
    issuedAt: now,
    expiresAt: wanted.expiresAt,
    intent: null,
    // An import clears neither: they are about the account, not about this token.
    unexplainedDeaths: current?.unexplainedDeaths ?? [],
    stopped: current?.stopped ?? null,
    writtenBy: { holder: randomUUID(), lock: "token import" },
  };
}
