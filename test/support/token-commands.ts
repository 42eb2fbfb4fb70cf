import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { expect } from "vitest";

import { type Clock, systemClock } from "../../src/clock.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import type { FullTokenStore } from "../../src/store/over-backend.ts";
import { type Ran, runHere, type TestIoOptions } from "./command-io.ts";
import { createFileStore } from "./file-stores.ts";
import { memoryFolder } from "./memory-folder.ts";

/** The token that the commands below are given; whatever prints it fails its test. */
export const markedToken = "1111|MARKED-token-of-this-test";

const key = Buffer.alloc(32, 7).toString("base64");

/** Its seconds pass a hundred times faster, so that nobody waits for what is waited for. */
const hastyClock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 100 };

/** The token commands on a file store of their own. */
export interface TokenCommands {
  readonly folder: string;
  /** Of the record. */
  readonly path: string;
  /** The variables that each command is given. */
  readonly env: NodeJS.ProcessEnv;
  readonly run: (
    argv: readonly string[],
    stdin?: TestIoOptions["stdin"],
    env?: NodeJS.ProcessEnv,
  ) => Promise<Ran>;
  /** Runs `token import` with these bytes on standard input. */
  readonly importing: (stdin?: string, ...options: string[]) => Promise<Ran>;
  /** The record, read behind the commands' back. */
  readonly stored: () => Promise<TokenRecord | undefined>;
  /** Changes the record behind the commands' back. */
  readonly change: (record: Partial<TokenRecord>) => Promise<void>;
  readonly close: () => void;
}

export function createTokenCommands(clock: Clock = hastyClock): TokenCommands {
  const folder = mkdtempSync(join(memoryFolder(), "token-commands-"));
  const path = join(folder, "token");
  const own = { PRESTO_STORE: `file:${path}`, PRESTO_STORE_KEY: key };

  async function run(
    argv: readonly string[],
    stdin: TestIoOptions["stdin"] = "",
    env: NodeJS.ProcessEnv = {},
  ): Promise<Ran> {
    const ran = await runHere(argv, { stdin, clock, env: { ...own, ...env } });
    expect(ran.out + ran.err).not.toContain("MARKED");
    expect(ran.out + ran.err).not.toContain(key);
    return ran;
  }

  async function withStore<T>(use: (store: FullTokenStore) => Promise<T>): Promise<T> {
    const store = createFileStore({
      path,
      keys: { kind: "value", secret: new Secret(key) },
      clock: systemClock,
    });
    try {
      return await use(store);
    } finally {
      store.close();
    }
  }

  return {
    folder,
    path,
    env: own,
    run,
    importing: (stdin = markedToken, ...options) => run(["token", "import", ...options], stdin),
    stored: () => withStore(async (store) => (await store.read())?.record),
    change: (record) =>
      withStore(async (store) => {
        const current = await store.read();
        if (current === undefined) throw new Error("nothing stored");
        await store.write({ ...current.record, ...record }, current.version);
      }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
