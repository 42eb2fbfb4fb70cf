import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";

import { runCli, startCli } from "../support/built-cli.ts";
import { startOtlpCollector } from "../support/otlp-collector.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { exchange } from "../support/raw-caller.ts";
import { type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { initCall } from "../support/wallet-call.ts";

const built = fileURLToPath(new URL("../../dist", import.meta.url));
const isSpans = (name: string): boolean => name.startsWith("traces-");

let presto: RawPresto;
let stage: ProgramStage;

beforeEach(async () => {
  presto = await startRawPresto();
  stage = await openProgramStage(
    { url: presto.url, caPem: presto.authority.certPem },
    { PRESTO_TOKEN: "token-of-the-tests" },
  );
});
afterEach(async () => {
  await stage.close();
  await presto.close();
});

it("the built program sends spans, the last of them at SIGTERM", async () => {
  const collector = await startOtlpCollector();
  onTestFinished(() => collector.close());
  const sidecar = stage.start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  await stage.ready();
  expect((await exchange({ path: stage.at("proxy") }, initCall())).status).toBe(200);
  sidecar.child.kill("SIGTERM");
  expect(await sidecar.ended).toBe(0);
  expect(collector.spans().map(({ name, kind }) => [name, kind])).toEqual(
    expect.arrayContaining([
      ["wallet.init", 2],
      ["send to Presto", 3],
    ]),
  );
});

it("what makes spans is a file of its own, which is read only where spans are asked for", async () => {
  expect(
    readdirSync(join(built, "parts")).filter((name) => isSpans(name) && name.endsWith(".js")),
  ).toHaveLength(1);
  const folder = mkdtempSync(join(tmpdir(), "without-spans-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(built, join(folder, "dist"), { recursive: true });
  cpSync(join(built, "../package.json"), join(folder, "package.json"));
  const parts = join(folder, "dist/parts");
  for (const name of readdirSync(parts).filter(isSpans)) rmSync(join(parts, name));
  const main = join(folder, "dist/main.js");
  const sidecar = startCli(["start"], { env: stage.environment(), main });
  onTestFinished(() => void sidecar.child.kill("SIGKILL"));
  expect((await runCli(["wait"], { env: stage.environment(), main })).code).toBe(0);
  const asked = await runCli(["start"], {
    env: stage.environment({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
    }),
    main,
  });
  expect(asked.code).not.toBe(0);
  expect(asked.out).toContain("fatal");
});
