import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { type Authority, createAuthority } from "../../src/sandbox/certificates.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { Secret } from "../../src/secret.ts";
import type { TokenRecord } from "../../src/store/contract.ts";
import { runHere } from "./command-io.ts";
import { createFileCredentials, createFileStore } from "./file-stores.ts";
import { marksIn } from "./marks.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "./raw-presto.ts";

/** A row of `doctor --json`. */
export interface DoctorRow {
  readonly check: string;
  readonly result: string;
  readonly detail: string;
  readonly mend: string | null;
  readonly notice?: string;
}

export interface Examined {
  readonly code: number;
  readonly rows: readonly DoctorRow[];
  /** The same as lines for people. */
  readonly text: string;
}

export const token = "1111|marked-token-for-the-doctor";
export const account = { email: "ops.team@marked-bank.example", password: "Marked-doctor-Passw0rd" };
export const gatewayLogin = { user: "gatewayusermarked", secret: "gatewaysecretmarked" };
const urlKey = "marked-key-of-a-check-url";
const storeKey = Buffer.alloc(32, 11).toString("base64");
const dayMs = 86_400_000;

/** A Presto, two check URLs, and the files of a sidecar: everything that the doctor looks at, and in order. */
export interface DoctorStage {
  readonly folder: string;
  readonly authority: Authority;
  readonly sandbox: Sandbox;
  readonly checkUrls: readonly [RawPresto, RawPresto];
  /** Variables of a sidecar of the role proxy with a sealed record. */
  readonly env: NodeJS.ProcessEnv;
  /** Variables that make it a role that issues, with sealed credentials. */
  readonly issuing: NodeJS.ProcessEnv;
  /** Writes the record, of a token with 60 of 90 days left unless told otherwise. */
  record(differences?: Partial<TokenRecord>): Promise<void>;
  credentials(pending?: string): Promise<void>;
  /** What the check URLs answer from now on. */
  says(first: string, second?: string): void;
  /** Runs the command both ways, and searches all that it prints for every secret there is. */
  doctor(env?: NodeJS.ProcessEnv, ...options: string[]): Promise<Examined>;
  close(): Promise<void>;
}

export async function createDoctorStage(): Promise<DoctorStage> {
  const folder = mkdtempSync(join(tmpdir(), "presto-doctor-"));
  const authority = await createAuthority();
  const sandbox = createSandbox({ ...account, token, authority });
  await sandbox.start();
  const checkUrls = [await startRawPresto({ authority }), await startRawPresto({ authority })] as const;
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.certPem);
  const [path, credentialPath] = [join(folder, "token"), join(folder, "credentials")];
  const keys = { kind: "value", secret: new Secret(storeKey) } as const;
  const env = {
    PRESTO_URL: sandbox.url,
    // Nobody listens there: whoever runs on this machine is not asked.
    PRESTO_ADMIN_LISTEN: "127.0.0.1:1",
    PRESTO_CA_FILE: caFile,
    PRESTO_STORE: `file:${path}`,
    PRESTO_STORE_KEY: storeKey,
    PRESTO_EGRESS_IPS: "203.0.113.7",
    PRESTO_EGRESS_CHECK_URL: checkUrls
      .map(({ port }) => `https://localhost:${port}/?key=${urlKey}`)
      .join(","),
  };
  const marks = Object.entries({ token, storeKey, urlKey, ...account, ...gatewayLogin }).map(
    ([name, value]) => ({ name, value }),
  );

  async function run(argv: readonly string[], more: NodeJS.ProcessEnv) {
    const ran = await runHere(["doctor", ...argv], { env: { ...env, ...more } });
    expect(marksIn(ran.out + ran.err, marks)).toEqual([]);
    return ran;
  }

  const stage: DoctorStage = {
    folder,
    authority,
    sandbox,
    checkUrls,
    env,
    issuing: { PRESTO_ROLE: "all", PRESTO_CREDENTIALS: `file:${credentialPath}` },
    async record(differences = {}) {
      rmSync(path, { force: true });
      const store = createFileStore({ path, keys, clock: systemClock });
      const now = Date.now();
      await store.write(
        {
          schema: 1,
          generation: 7,
          token: new Secret(token),
          name: null,
          issuedAt: new Date(now - 30 * dayMs),
          expiresAt: new Date(now + 60 * dayMs),
          intent: null,
          unexplainedDeaths: [],
          stopped: null,
          writtenBy: null,
          ...differences,
        },
        undefined,
      );
      store.close();
    },
    async credentials(pending) {
      rmSync(credentialPath, { force: true });
      const store = createFileCredentials({ path: credentialPath, keys, clock: systemClock });
      const { email, password } = account;
      await store.write(
        {
          email: new Secret(email),
          password: new Secret(password),
          pending: pending === undefined ? null : new Secret(pending),
        },
        undefined,
      );
      store.close();
    },
    says(...bodies) {
      checkUrls.forEach((server, index) => {
        const body = bodies[index] ?? bodies[0];
        const type = body.startsWith("<") ? "text/html" : "text/plain";
        server.answer(({ socket }) => socket.end(httpAnswer(200, body, [`Content-Type: ${type}`])));
      });
    },
    async doctor(more = {}, ...options) {
      const [text, json] = await Promise.all([run(options, more), run(["--json", ...options], more)]);
      const rows = JSON.parse(json.out) as DoctorRow[];
      expect(text.code).toBe(json.code);
      expect(text.err + json.err).toBe("");
      const lines = text.out.split("\n").slice(0, rows.length);
      expect(lines.map((line) => line.split(/ +/, 2))).toEqual(
        rows.map(({ check, result }) => [result, check]),
      );
      return { code: text.code, rows, text: text.out };
    },
    async close() {
      await Promise.all([sandbox.close(), ...checkUrls.map((server) => server.close())]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await stage.record();
  await stage.credentials();
  stage.says("203.0.113.7");
  return stage;
}
