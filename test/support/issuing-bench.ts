import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Clock, systemClock } from "../../src/clock.ts";
import { createSandbox, type Sandbox, type SandboxOptions } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import type { StoredRecord, TokenRecord } from "../../src/store/contract.ts";
import { emptyRecord } from "../../src/store/record.ts";
import { createFileStore } from "./file-stores.ts";
import { type IssuingProgram, openIssuingProgram, type StartedProgram } from "./issuing-program.ts";
import { type IssuingSidecar, openIssuingSidecar } from "./issuing-sidecar.ts";
import { memoryFolder } from "./memory-folder.ts";
import { startSidecar } from "./running-sidecar.ts";
import { startProgram } from "./source-program.ts";

export const issuePath = "/api/institutions/v1/auth/token/issue";

export interface BenchOptions {
  /** `live` (the default): the store holds the sandbox's live token; `none`: it holds nothing. */
  readonly stored?: "live" | "none";
  readonly sandbox?: SandboxOptions;
  /** Folder of the record; one of its own unless given. */
  readonly place?: string;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
}

/** A Presto on loopback, a sealed file for its token, and the sidecars that look after it. */
export interface IssuingBench {
  readonly sandbox: Sandbox;
  /** Of the record. */
  readonly path: string;
  readonly key: string;
  readonly caFile: string;
  /** The variables of a sidecar of role `all`. */
  env(more?: Readonly<Record<string, string | undefined>>): Record<string, string | undefined>;
  /** Starts one in this process; it is closed with the bench. */
  start(options?: StartOptions): Promise<IssuingSidecar>;
  /** Starts one in a process of its own, which is killed with the bench. By the sources, unless another way is given. */
  serve(
    more?: Readonly<Record<string, string | undefined>>,
    startWith?: (env: Readonly<Record<string, string | undefined>>) => StartedProgram,
  ): Promise<IssuingProgram>;
  stored(): Promise<StoredRecord | undefined>;
  record(): Promise<TokenRecord>;
  /** Writes the record by compare-and-set, as another process would. */
  change(differences: Partial<TokenRecord>): Promise<void>;
  /** How many issue calls Presto has seen. */
  issues(): number;
  close(): Promise<void>;
}

const dayMs = 24 * 60 * 60 * 1000;
const hourMs = dayMs / 24;

export async function createIssuingBench(options: BenchOptions = {}): Promise<IssuingBench> {
  const sandbox = createSandbox(options.sandbox);
  await sandbox.start();
  const folder = mkdtempSync(join(memoryFolder(), "issuing-bench-"));
  const path = join(options.place ?? folder, "token");
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, sandbox.caPem);
  const key = randomBytes(32).toString("base64");
  const keys = { kind: "value", secret: new Secret(key) } as const;
  const store = createFileStore({ path, keys, clock: systemClock });
  const running: { close(): Promise<void> }[] = [];

  async function change(differences: Partial<TokenRecord>): Promise<void> {
    const found = await store.read();
    const { outcome } = await store.write(
      { ...emptyRecord, ...found?.record, ...differences },
      found?.version,
    );
    if (outcome !== "written") throw new Error("somebody else wrote the record");
  }

  const bench: IssuingBench = {
    sandbox,
    path,
    key,
    caFile,
    env: (more = {}) => ({
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: caFile,
      PRESTO_TOKEN: undefined,
      PRESTO_ROLE: "all",
      PRESTO_STORE: `file:${path}`,
      PRESTO_STORE_KEY: key,
      PRESTO_EMAIL: sandbox.account.email,
      PRESTO_PASSWORD: sandbox.account.password,
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
      PRESTO_SETTLE: "2s",
      ...more,
    }),
    async start({ env, clock } = {}) {
      const sidecar = await startSidecar({
        url: sandbox.url,
        caPem: sandbox.caPem,
        env: bench.env(env),
        ...(clock === undefined ? {} : { clock }),
      });
      const issuing = openIssuingSidecar(sidecar);
      running.push(issuing);
      return issuing;
    },
    async serve(more = {}, startWith = startSource) {
      const program = startWith(bench.env({ PRESTO_LOG_LEVEL: "debug", ...more }));
      running.push({
        async close() {
          program.child.kill("SIGKILL");
          await program.ended;
        },
      });
      return openIssuingProgram(program);
    },
    stored: () => store.read(),
    async record() {
      const found = await store.read();
      if (found === undefined) throw new Error("nothing is stored");
      return found.record;
    },
    change,
    issues: () => sandbox.state().requests[`POST ${issuePath}`] ?? 0,
    async close() {
      await Promise.all(running.map((sidecar) => sidecar.close()));
      await sandbox.close();
      store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  if (options.stored !== "none") await change(liveRecord(sandbox));
  return bench;
}

function startSource(env: Readonly<Record<string, string | undefined>>): StartedProgram {
  const program = startProgram(["start"], { env });
  return { ...program, log: program.output, listening: () => program.says("The sidecar listens.") };
}

/** What a first issue would have stored of the token that the sandbox made last. */
export function liveRecord({ token, state }: Sandbox): Partial<TokenRecord> {
  const made = state().tokens.at(-1);
  // An hour ago: what happens to a token in its first 30 s is a matter of its own.
  const issuedAt = new Date((made === undefined ? Date.now() : Date.parse(made.created_at)) - hourMs);
  return {
    token: new Secret(token),
    generation: 1,
    name: "tests",
    issuedAt,
    expiresAt: made === undefined ? new Date(Date.now() + 90 * dayMs) : new Date(made.expiration_date),
  };
}
