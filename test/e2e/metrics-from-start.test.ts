import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { allAlerts } from "../../tools/alerts.ts";
import { dashboardQueries } from "../../tools/dashboard.ts";
import { ask } from "../support/ask.ts";
import { type Exposition, parseExposition } from "../support/parse-exposition.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";

// increase() of a counter that begins at its first event sees nothing of that event: what an alert counts is there, as
// zero, in the very first text that Prometheus gets.

const email = "ops@bank.example";
const password = "A-password-0f-tests";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

let folder: string;
let sandbox: Sandbox;
let stage: ProgramStage;
let text: string;
let first: Exposition;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "metrics-from-start-"));
  sandbox = createSandbox({ email, password, issuedAgoMs: 60 * 60_000 });
  await sandbox.start();
  stage = await openProgramStage(sandbox, {
    PRESTO_ROLE: "all",
    PRESTO_STORE: `file:${join(folder, "token")}`,
    PRESTO_STORE_KEY: Buffer.alloc(32, 7).toString("base64"),
    PRESTO_EMAIL: email,
    PRESTO_PASSWORD: password,
    PRESTO_AUDIT: `file:${join(folder, "record.jsonl")}`,
  });
  stage.start();
  text = await until(
    async () => {
      const scraped = await ask(stage.at("admin"), "/metrics");
      return scraped.status === 200 ? scraped.text : undefined;
    },
    { ...patience, what: () => `metrics: ${stage.output()}` },
  );
  first = parseExposition(text);
}, 120_000);

afterAll(async () => {
  await stage.close();
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Names and matchers of the metrics of this program in a query. */
function metricsIn(
  query: string,
): { readonly name: string; readonly matchers: readonly RegExpExecArray[] }[] {
  return [...query.matchAll(/\b((?:presto_sidecar|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = "", matchers = ""]) => ({
      name: name.replace(/_(bucket|sum|count)$/, ""),
      matchers: [...matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)],
    }),
  );
}

/** Does a matcher of PromQL take a label's value? */
function takes(operator: string, pattern: string, value: string): boolean {
  const matched = operator.endsWith("~") ? new RegExp(`^(?:${pattern})$`).test(value) : value === pattern;
  return matched !== operator.startsWith("!");
}

describe("the first scrape", () => {
  it("knows every metric that an alert or the dashboard asks for", () => {
    const asked = [...allAlerts().map(({ expr }) => expr), ...dashboardQueries()].flatMap(metricsIn);
    const unknown = new Set(asked.map(({ name }) => name).filter((name) => !first.families.has(name)));
    expect(unknown).toEqual(new Set());
  });

  it("has each counter of an alert at zero, under the labels that it is asked for", () => {
    for (const { alert, expr } of allAlerts()) {
      for (const { name, matchers } of metricsIn(expr)) {
        const family = first.families.get(name);
        if (family?.type !== "counter") continue;
        const own = matchers.filter(([, label]) => label !== "job");
        const samples = family.samples.filter(({ labels }) =>
          own.every(([, label = "", operator = "", pattern = ""]) =>
            takes(operator, pattern, labels[label] ?? ""),
          ),
        );
        expect([alert, name, samples.length > 0]).toEqual([alert, name, true]);
        // The store says once or twice that there is no token yet; everything else has not happened.
        const counted = samples.filter(({ value, labels }) => value !== 0 && labels["code"] !== "not-yet");
        expect([alert, counted]).toEqual([alert, []]);
      }
    }
  });

  it.skipIf(!hasPromtool)("leaves promtool check metrics nothing to say", () => {
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });

  it("has a start of the process, by which an alert knows what is new", () => {
    const startedAt = first.value("process_start_time_seconds") ?? 0;
    expect(Math.abs(Date.now() / 1000 - startedAt)).toBeLessThan(120);
  });
});
