import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it } from "vitest";

import { runCli } from "../support/built-cli.ts";
import { startBuilt } from "../support/built-sidecar.ts";
import type { DoctorRow } from "../support/doctor-stage.ts";
import { createIssuingBench, type IssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { IssuingProgram } from "../support/issuing-program.ts";
import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { until } from "../support/until.ts";

// Two rotators whose wall clocks are minutes apart. Who holds the Lease is a matter of monotonic clocks, each its owner's.

const patience = { withinMs: 60_000, everyMs: 20 };
const skewMs = 10 * 60_000;

/** A cluster and a Presto of its own. */
interface Stage {
  readonly api: StandInApi;
  readonly bench: IssuingBench;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** What has Node tell a wall clock that is off by so much. */
  shifted(byMs: number): readonly string[];
  rotator(name: string, byMs: number): Promise<IssuingProgram>;
  /** Who holds the Lease. */
  holder(): string;
}

async function openStage(onTestFinished: (end: () => Promise<void>) => void): Promise<Stage> {
  const api = await startStandInApi();
  const bench = await createIssuingBench({ stored: "none", sandbox: { issuedAgoMs: 3_600_000 } });
  const folder = mkdtempSync(join(tmpdir(), "clock-skew-"));
  onTestFinished(async () => {
    await bench.close();
    await api.close();
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, "kubeconfig"), api.kubeconfig());
  api.put("token", {});
  const variables = {
    PRESTO_STORE: "kubernetes:presto/token",
    PRESTO_STORE_KEY: undefined,
    KUBECONFIG: join(folder, "kubeconfig"),
    PRESTO_ROLE: "rotator",
    PRESTO_LISTEN: undefined,
  };
  const shifted = (byMs: number): readonly string[] => {
    const path = join(folder, `shift-${byMs}.mjs`);
    writeFileSync(path, `const now = Date.now; Date.now = () => now() + ${byMs};\n`);
    return ["--import", path];
  };
  return {
    api,
    bench,
    variables,
    shifted,
    rotator(name, byMs) {
      const env = { ...variables, POD_NAMESPACE: "presto", POD_NAME: name, PRESTO_PROBE_EVERY: "1s" };
      return bench.serve(env, startBuilt({ nodeArgs: shifted(byMs) }));
    },
    holder: () => String(api.leases.spec("token")?.["holderIdentity"]),
  };
}

async function says(sidecar: IssuingProgram, what: string, expected: object): Promise<void> {
  let seen: unknown;
  await until(
    async () => {
      seen = await sidecar.status();
      try {
        expect(seen).toMatchObject(expected);
        return true;
      } catch {
        return undefined;
      }
    },
    { ...patience, what: () => `${what}: ${JSON.stringify(seen)}` },
  );
}

// They mostly wait for the Lease to run out: side by side.
it.concurrent.for([
  ["ahead", skewMs],
  ["behind", -skewMs],
] as const)(
  "whoever waits with a clock that is 20 minutes %s takes no Lease that is held, and one that was left behind 45 s later",
  { timeout: 240_000 },
  async ([_which, byMs], { onTestFinished }) => {
    const { api, bench, rotator, holder } = await openStage(onTestFinished);
    const [holding, waiting] = [await rotator("a", -byMs), await rotator("b", byMs)];
    for (const each of [holding, waiting]) await says(each, "generation 1", { generation: 1, ready: true });
    expect(bench.issues()).toBe(1);

    const hold = bench.sandbox.setFault({ kind: "hold", path: issuePath });
    const renewing = holding.renew();
    await until(() => (bench.issues() === 2 ? true : undefined), { ...patience, what: "it issues" });
    expect(await waiting.renew()).toMatchObject({
      status: 503,
      body: { code: "lock-held", pod: "presto/a" },
    });
    const written = Date.parse(String(api.leases.spec("token")?.["renewTime"]));
    expect(Math.abs(Date.now() - byMs - written)).toBeLessThan(60_000);
    hold.remove();
    expect(await renewing).toMatchObject({ status: 200, body: { generation: 2 } });
    for (const each of [holding, waiting])
      await says(each, "generation 2", { generation: 2, renewal: { state: "idle" } });
    expect(bench.issues()).toBe(2);

    // Killed while it holds the Lease, with its intent in the record.
    const fault = bench.sandbox.setFault({ kind: "reset-before-reading", path: issuePath });
    holding.renew().catch(() => {});
    await says(holding, "it settles", { renewal: { state: "settling", lock: { ours: true } } });
    await says(waiting, "it waits", { renewal: { lock: { holder: "The Pod presto/a" } } });
    holding.kill("SIGKILL");
    const killedAt = performance.now();
    fault.remove();
    await until(() => (holder().startsWith("presto/a_") ? undefined : true), {
      withinMs: 120_000,
      everyMs: 20,
      what: () => `it is taken over: ${waiting.log()}`,
    });
    // It was written 15 s before at most: it is renewed so often.
    expect(performance.now() - killedAt).toBeGreaterThan(29_000);
    await says(waiting, "it settles what was left", { generation: 2, renewal: { state: "idle" } });
    expect((await waiting.readyz(true)).body).not.toContain("[!]");
  },
);

it("doctor says of each how far it is off, from the store's server and from Presto", async ({
  onTestFinished,
}) => {
  const { bench, variables, shifted, rotator } = await openStage(onTestFinished);
  const sidecar = await rotator("a", skewMs);
  await says(sidecar, "generation 1", { generation: 1 });
  for (const [byMs, which] of [
    [skewMs, "ahead of"],
    [-skewMs, "behind"],
  ] as const) {
    const { out } = await runCli(["doctor", "--json"], {
      env: { ...bench.env(variables), PRESTO_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}` },
      nodeArgs: shifted(byMs),
    });
    const rows: readonly DoctorRow[] = JSON.parse(out);
    for (const [check, whose] of [
      ["store-clock", "the store server's"],
      ["clock", "Presto's"],
    ] as const) {
      const row = rows.find((each) => each.check === check);
      expect(row?.result).toMatch(/^(WARN|FAIL)$/);
      expect(row?.detail).toMatch(new RegExp(`^This machine's clock is (59\\d|60\\d) s ${which} ${whose}`));
      expect(row?.mend).toContain("NTP");
    }
  }
});
