import { loadConfig, type StoreConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import type { TokenRecord, TokenStore } from "../store/contract.ts";
import { openStore } from "../store/open.ts";
import type { Io, Run } from "./command.ts";
import { refuseKeyless } from "./store-client.ts";
import { printJson, printTable, printWarnings } from "./terminal.ts";

/** Shows what the store holds, but never the token. */
export const tokenShow: Run = async (args, io) => {
  const config = loadConfig(io.env, io.execArgv, "read-store");
  printWarnings(io, config);
  const store = await openStore(config.store, { clock: io.clock });
  try {
    show(io, await readToken(store, config), args.flag("json"));
    return 0;
  } finally {
    await store.logOut?.();
    store.close();
  }
};

async function readToken(store: TokenStore, config: StoreConfig): Promise<TokenRecord> {
  const stored = await store.read().catch(refuseKeyless(config.store));
  if (stored === undefined || stored.record.token === null) {
    throw new CommandError(
      "no-token",
      "There is no token in the store. Put one there with: presto-sidecar token import",
    );
  }
  return stored.record;
}

function show(io: Io, record: TokenRecord, asJson: boolean): void {
  const expiry = record.expiresAt;
  if (asJson) {
    printJson(io, {
      name: record.name,
      generation: record.generation,
      fingerprint: record.token?.fingerprint() ?? null,
      issued_at: record.issuedAt?.toISOString() ?? null,
      expires_at: expiry?.toISOString() ?? null,
      renewal_under_way: record.intent !== null,
      stopped: record.stopped?.reason ?? null,
    });
    return;
  }
  printTable(io, [
    ["name", record.name ?? "unknown"],
    ["generation", String(record.generation)],
    ["fingerprint", record.token?.fingerprint() ?? "none"],
    ["issued or imported", record.issuedAt?.toISOString() ?? "unknown"],
    [
      "expires",
      expiry === null
        ? "unknown"
        : `${expiry.toISOString()}${expiry.getTime() <= io.clock.now() ? " (it has expired)" : ""}`,
    ],
    [
      "renewal",
      record.intent === null ? "none under way" : `under way since ${record.intent.at.toISOString()}`,
    ],
    [
      "alarm",
      record.stopped === null
        ? "none"
        : `${record.stopped.reason} (since ${record.stopped.at.toISOString()})`,
    ],
  ]);
}
