import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import type { WritableCredentialStore } from "../../src/store/contract.ts";
import type { Ran } from "./command-io.ts";
import { createFastClock } from "./fast-clock.ts";
import { createFileCredentials } from "./file-stores.ts";
import { type Mark, marksIn } from "./marks.ts";
import { plain, type PlainCredentials } from "./plain-credentials.ts";
import { createTokenCommands, type TokenCommands } from "./token-commands.ts";

/** Of the account, as it is at first. */
export const email = "ops.team@marked-bank.example";
export const password = "First-marked-Passw0rd";

/** The commands of a role that issues, with a Presto on loopback, and files of their own. */
export interface IssuingCommands extends Omit<TokenCommands, "close"> {
  readonly sandbox: Sandbox;
  /** Of the credentials. */
  readonly credentialsPath: string;
  /** The credentials, read behind the commands' back. */
  readonly credentials: () => Promise<PlainCredentials | undefined>;
  /** Writes them behind the commands' back. */
  readonly putCredentials: (credentials: PlainCredentials) => Promise<void>;
  /** A value that no output may hold from now on. */
  readonly hide: (name: string, value: string) => void;
  /** How often this endpoint was called. */
  readonly calls: (endpoint: "token/issue" | "password/reset") => number;
  readonly close: () => Promise<void>;
}

/** Starts the sandbox. All that the commands print is searched for the account and its tokens. */
export async function createIssuingCommands(): Promise<IssuingCommands> {
  const sandbox = createSandbox({ email, password, token: "1111|marked-first-token-of-the-sandbox" });
  await sandbox.start();
  const commands = createTokenCommands(createFastClock(20));
  const credentialsPath = join(commands.folder, "credentials");
  const caFile = join(commands.folder, "ca.pem");
  writeFileSync(caFile, sandbox.caPem);
  const env = {
    ...commands.env,
    PRESTO_URL: sandbox.url,
    PRESTO_CA_FILE: caFile,
    PRESTO_ROLE: "all",
    PRESTO_CREDENTIALS: `file:${credentialsPath}`,
    PRESTO_CONTROL_LISTEN: "off",
    PRESTO_SETTLE: "2s",
    // Longer than real seconds here, where time runs twenty times as fast.
    PRESTO_CONNECT_TIMEOUT: "60s",
    PRESTO_TIMEOUT: "60s",
    PRESTO_DRAIN_MAX: "60s",
  };
  const marks: Mark[] = [
    { name: "the e-mail address", value: email },
    { name: "the password", value: password },
  ];

  async function withCredentials<T>(use: (store: WritableCredentialStore) => Promise<T>): Promise<T> {
    const secret = new Secret(commands.env["PRESTO_STORE_KEY"] ?? "");
    const keys = { kind: "value", secret } as const;
    const store = createFileCredentials({ path: credentialsPath, keys, clock: systemClock });
    try {
      return await use(store);
    } finally {
      store.close();
    }
  }

  return {
    ...commands,
    sandbox,
    credentialsPath,
    env,
    async run(argv, stdin, more = {}): Promise<Ran> {
      const before = sandbox.token;
      const ran = await commands.run(argv, stdin, { ...env, ...more });
      const tokens = [before, sandbox.token].map((value) => ({ name: "a token", value }));
      expect([argv, marksIn(ran.out + ran.err, [...marks, ...tokens])]).toEqual([argv, []]);
      return ran;
    },
    credentials: () =>
      withCredentials(async (store) => {
        const stored = await store.read();
        return stored && plain(stored.credentials);
      }),
    putCredentials: (credentials) =>
      withCredentials(async (store) => {
        const { pending } = credentials;
        await store.write(
          {
            email: new Secret(credentials.email),
            password: new Secret(credentials.password),
            pending: pending === null ? null : new Secret(pending),
          },
          (await store.read())?.version,
        );
      }),
    hide: (name, value) => void marks.push({ name, value }),
    calls: (endpoint) =>
      sandbox.received().filter(({ target }) => target.endsWith(`/auth/${endpoint}`)).length,
    async close() {
      commands.close();
      await sandbox.close();
    },
  };
}
