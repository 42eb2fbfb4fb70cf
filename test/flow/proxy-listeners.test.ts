import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { expectProblem } from "../support/problem-reply.ts";
import { exchange } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually } from "../support/sidecar-load.ts";
import { getCall, nextConfirmCall, queryCall } from "../support/wallet-call.ts";

const folder = mkdtempSync(join(tmpdir(), "listeners-"));
const own = join(folder, "own.sock");
const shared = join(folder, "shared.sock");
let presto: RawPresto;
let sidecar: RunningSidecar;

beforeAll(async () => {
  presto = await startRawPresto();
  sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: { PRESTO_LISTEN: `127.0.0.1:0,unix:${own},unix:${shared}?mode=0660,127.0.0.2:0` },
  });
});

afterAll(async () => {
  await sidecar.close();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const withHost = (host: string): string => queryCall("T1").replace("Host: localhost", `Host: ${host}`);

describe("several listeners at once", () => {
  it("are told with the ports that they got, in their order", () => {
    expect(sidecar.addresses.proxy).toMatchObject([
      { kind: "tcp", host: "127.0.0.1" },
      { kind: "unix", path: own, mode: 0o600 },
      { kind: "unix", path: shared, mode: 0o660 },
      { kind: "tcp", host: "127.0.0.2" },
    ]);
  });

  it("serve the same, each with its peer in the log", async () => {
    for (const place of [{ port: sidecar.port }, { path: own }, { path: shared }]) {
      expect((await exchange(place, nextConfirmCall())).status).toBe(200);
    }
    await eventually(() => callLines(sidecar).map((line) => line["peer"])).toEqual([
      expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      "unix",
      "unix",
    ]);
  });
});

describe("a Unix socket", () => {
  it("has the mode that was asked for", () => {
    expect(statSync(own).mode & 0o777).toBe(0o600);
    expect(statSync(shared).mode & 0o777).toBe(0o660);
  });

  it.each(["localhost", "elsewhere.example", "localhost.", "a b", "own.sock:80"])(
    "takes any one Host, as no browser reaches it: %s",
    async (host) => {
      expect((await exchange({ path: own }, withHost(host))).status).toBe(200);
      expect(presto.requests.at(-1)?.header("host")).toBe(`localhost:${presto.port}`);
    },
  );

  it("takes not none, nor two, and the other rules hold", async () => {
    const problem = { outcome: "not-sent", retryable: false } as const;
    const bad = { ...problem, status: 400, code: "bad-request", proxyStatus: "http_request_error" };
    const denied = { ...problem, status: 403, proxyStatus: "http_request_denied" };
    const ask = (bytes: string) => exchange({ path: own }, bytes);
    expectProblem(await ask(queryCall("T1").replace("Host: localhost\r\n", "")), bad);
    expectProblem(await ask(queryCall("T1", "Host: localhost")), bad);
    expectProblem(await ask(queryCall("T1", "Origin: null")), { ...denied, code: "browser-refused" });
    expectProblem(await ask(getCall("/nothing")), { ...denied, code: "operation-not-allowed" });
  });
});

describe("when the sidecar has closed", () => {
  it("its sockets are gone", async () => {
    const path = join(folder, "brief.sock");
    const brief = await startSidecar({
      url: presto.url,
      caPem: presto.authority.certPem,
      env: { PRESTO_LISTEN: `unix:${path}` },
    });
    expect((await exchange({ path }, queryCall("T1"))).status).toBe(200);
    await brief.close();
    expect(existsSync(path)).toBe(false);
  });
});
