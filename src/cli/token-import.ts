import type { Entry } from "../audit/line.ts";
import { loadConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import type { ProbeVerdict } from "../presto/probe.ts";
import { isTokenText, Secret } from "../secret.ts";
import type { HeldLock, RenewalLock, TokenRecord, TokenStore } from "../store/contract.ts";
import { importToken, refuseWhileRenewed, type TokenImport } from "../store/import.ts";
import { openStore } from "../store/open.ts";
import { openRenewalLock } from "../store/renewal-lock.ts";
import { recorded } from "./command-record.ts";
import type { Arguments, Io, Run } from "./command.ts";
import { probeToken } from "./presto-client.ts";
import { readSecret } from "./prompts.ts";
import { lockWaitMs, refuseKeyless } from "./store-client.ts";
import { expirySentence, printResult, printWarning, printWarnings } from "./terminal.ts";

/** Puts a token from standard input or a hidden prompt into the store, as the next generation. */
export const tokenImport: Run = async (args, io) => {
  const described = readDescription(args, io);
  const config = loadConfig(io.env, io.execArgv, "write-store");
  printWarnings(io, config);
  const store = await openStore(config.store, { clock: io.clock, emit: printWarning(io) });
  const lock = await openRenewalLock({ store, use: "record", options: config.store, clock: io.clock });
  try {
    // Whoever would be refused is told before typing the token; nobody holds a lock while a person types.
    const found = await store.read().catch(refuseKeyless(config.store));
    // Beside a renewal only a token that Presto accepts is stored, and without PRESTO_URL nobody can be asked.
    if (config.upstream === undefined) refuseWhileRenewed(found);
    const token = await readToken(io);
    let lives: ProbeVerdict | undefined;
    const isAlive = async (): Promise<boolean> => {
      lives = await probeToken(config, token, io);
      return lives === "alive";
    };
    const record = await recorded(config, io, "token import", async (note) => {
      const stored = await storeToken({ store, lock }, { ...described, token }, io, isAlive);
      note(importedEntry(stored));
      return stored;
    });
    lives ??= await probeToken(config, token, io);
    report(io, record, lives, args.flag("json"));
    return 0;
  } finally {
    await store.logOut?.();
    lock.close();
    store.close();
  }
};

function importedEntry({ generation, token, name, expiresAt }: TokenRecord): Entry {
  return {
    type: "token-imported",
    generation,
    token_id: token?.fingerprint() ?? null,
    name,
    expires_at: expiresAt?.toISOString() ?? null,
  };
}

/**
 * Under the lock, or beside its holder: a renewal that settles a call has it for minutes. What Presto accepts is stored
 * all the same, as by whoever has lost the lock (R7b): at most one token lives, and the holder reads again where its
 * own write is refused.
 * @throws CommandError `try-again`, which says who holds the lock, for every other token
 */
async function storeToken(
  { store, lock }: { readonly lock: RenewalLock; readonly store: TokenStore },
  wanted: TokenImport,
  io: Io,
  isAlive: () => Promise<boolean>,
): Promise<TokenRecord> {
  const deps = { clock: io.clock, isAlive };
  let held: HeldLock | undefined;
  let heldByOther: CommandError | undefined;
  try {
    held = await lock.acquire({ waitMs: lockWaitMs, signal: io.signal });
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== "try-again") throw error;
    heldByOther = error;
  }
  try {
    return await importToken(store, wanted, { ...deps, heldByOther });
  } finally {
    await held?.release();
  }
}

function readDescription(args: Arguments, io: Io): Omit<TokenImport, "token"> {
  const name = args.text("name") ?? null;
  if (name !== null && !/^[\x20-\x7e]{1,255}$/.test(name)) {
    throw new CommandError("usage", "--name has more than 255 characters, or one that is not visible ASCII.");
  }
  const expires = args.text("expires");
  return { name, expiresAt: expires === undefined ? null : parseExpiryDate(expires, io.clock.now()) };
}

/**
 * The moment at which a token dies that Presto was asked for with this date: 00:00 UTC of
 * the day, not its end.
 * @param now milliseconds since 1970
 * @throws CommandError `usage` if it is no date, or is past
 */
export function parseExpiryDate(text: string, now: number): Date {
  const date = new Date(`${text}T00:00:00.000Z`);
  // A date that does not exist (31 June) becomes another one, or none.
  const exists =
    /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
  if (!exists)
    throw new CommandError("usage", "--expires is not a date that exists. Write it like 2027-02-22.");
  if (date.getTime() <= now) {
    throw new CommandError(
      "usage",
      `--expires ${text} is past: a token stops working at 00:00 UTC of its day. Give the date that Presto named.`,
    );
  }
  return date;
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
  const { name, generation, token } = record;
  const fingerprint = token?.fingerprint() ?? null;
  const expires = record.expiresAt?.toISOString() ?? null;
  printResult(
    io,
    asJson,
    { name, generation, fingerprint, expires_at: expires, presto_says: lives ?? null },
    `The token is stored as generation ${generation}, fingerprint ${fingerprint}.`,
    expires === null
      ? "When it expires is unknown: give --expires if Presto named a date."
      : expirySentence(expires),
    ...(lives === undefined ? [] : [livesSentences[lives]]),
  );
}

const livesSentences: Readonly<Record<ProbeVerdict, string>> = {
  alive: "Presto accepts it.",
  dead: "Presto refuses it (401, asked twice): it is revoked, expired, or of another account. It is stored all the same; import a live one over it.",
  unclear: "Whether it lives is not known: Presto gave no answer that tells.",
};
