import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { Secret } from "../../../src/secret.ts";
import { askForNone, statusOf } from "../../support/ask.ts";
import { until } from "../../support/until.ts";
import { followIssues, type IssueLedger } from "./ledger.ts";
import { createMember, type Member } from "./member.ts";
import type { FleetPlace } from "./place.ts";

/** Three proxies and two rotators of the built program over one real store, and their Presto. */
export interface Fleet {
  readonly place: FleetPlace;
  readonly sandbox: Sandbox;
  readonly proxies: readonly Member[];
  readonly rotators: readonly Member[];
  readonly ledger: IssueLedger;
  /** Does the live token stand in the store, without an intent, and do all proxies use it? A word on what is missing, else undefined. */
  unsettled(): Promise<string | undefined>;
  /** What every process last said, for a report of what went wrong. */
  lastWords(): string;
  close(): Promise<void>;
}

export interface FleetOptions {
  readonly settleMs: number;
}

/** Renewals follow each other faster here than a token grows old enough to be believed dead (30 s): those of this Presto are old. */
const issuedAgoMs = 60 * 60_000;
/** A busy machine starts seven programs in half a minute. */
const startsWithinMs = 60_000;

/** Starts it. The rotators issue its first token. */
export async function startFleet(place: FleetPlace, { settleMs }: FleetOptions): Promise<Fleet> {
  const sandbox = createSandbox({ issuedAgoMs });
  await sandbox.start();
  const folder = await mkdtemp(join(tmpdir(), "fleet-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, sandbox.caPem);
  const common = { PRESTO_URL: sandbox.url, PRESTO_CA_FILE: caFile };
  const account = {
    PRESTO_EMAIL: sandbox.account.email,
    PRESTO_PASSWORD: sandbox.account.password,
    PRESTO_SETTLE: `${settleMs}ms`,
  };
  const member = (role: "proxy" | "rotator", number: number): Member =>
    createMember({
      role,
      number,
      folder,
      env: { ...common, ...place.env(role), ...(role === "rotator" ? account : {}) },
    });
  const rotators = [1, 2].map((number) => member("rotator", number));
  const proxies = [1, 2, 3].map((number) => member("proxy", number));
  const all = [...rotators, ...proxies];
  const ledger = followIssues(sandbox);

  const fleet: Fleet = {
    place,
    sandbox,
    proxies,
    rotators,
    ledger,
    async unsettled() {
      const record = await place.record().catch(() => undefined);
      if (record === undefined) return "no record can be read";
      if (record.stopped !== null) return `the alarm is latched: ${record.stopped.reason}`;
      if (record.intent !== null) return `an intent stands in the record: ${record.intent.reason}`;
      if (record.token?.fingerprint() !== new Secret(sandbox.token).fingerprint())
        return "the stored token is not the live one";
      for (const { name, proxy, admin } of proxies) {
        const { generation } = await statusOf(admin);
        if (generation !== record.generation)
          return `${name} has generation ${String(generation)}, and ${record.generation} is stored`;
        const status = await askForNone(proxy);
        if (status !== 404) return `a call by ${name} ended with ${status}`;
      }
      return undefined;
    },
    lastWords: () =>
      all
        .map(({ name, cli }) => {
          const lines = cli().lines().slice(-15);
          return [name, ...lines.map((line) => `  ${JSON.stringify(line)}`), cli().err()].join("\n");
        })
        .join("\n"),
    async close() {
      await Promise.all(all.map(({ kill }) => kill()));
      ledger.close();
      await sandbox.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    for (const { start } of all) start();
    await settle(fleet, startsWithinMs);
  } catch (error) {
    await fleet.close();
    throw error;
  }
  return fleet;
}

/** Waits until it is settled. @returns the milliseconds that it took */
export async function settle(fleet: Fleet, withinMs: number): Promise<number> {
  const beganAt = performance.now();
  let missing: string | undefined = "";
  await until(
    async () => {
      missing = await fleet.unsettled();
      return missing === undefined ? true : undefined;
    },
    {
      withinMs,
      everyMs: 50,
      what: () =>
        `one live token in the store, used by all (${missing}); the logs end:\n${fleet.lastWords()}`,
    },
  );
  return performance.now() - beganAt;
}
