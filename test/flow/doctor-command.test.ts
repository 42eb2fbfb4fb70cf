import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { createSandbox } from "../../src/sandbox/server.ts";
import { runHere } from "../support/command-io.ts";
import {
  createDoctorStage,
  type DoctorRow,
  type DoctorStage,
  gatewayLogin,
  token,
} from "../support/doctor-stage.ts";
import { openRenewalLock } from "../support/file-stores.ts";
import { connectProxy, type GatewayScript, startGateway } from "../support/loopback-gateway.ts";

let stage: DoctorStage;
beforeAll(async () => {
  stage = await createDoctorStage();
});
afterAll(() => stage.close());
beforeEach(() => {
  stage.sandbox.reset();
  stage.says("203.0.113.7");
});

function rowOf(rows: readonly DoctorRow[], check: string): DoctorRow | undefined {
  return rows.find((row) => row.check === check);
}

describe("doctor", () => {
  it("asks Presto nothing but for the made-up transaction, and shows the token to its application alone", async () => {
    await stage.doctor({ PRESTO_PROBE_REFERENCE: "TRX000000042" });
    const asked = stage.sandbox.received();
    expect(new Set(asked.map(({ method, target }) => `${method} ${target}`))).toEqual(
      new Set(["GET /api/institutions/v1/wallet/transaction/TRX000000042"]),
    );
    expect(asked.some(({ rawHeaders }) => rawHeaders.includes(`Bearer ${token}`))).toBe(true);
    stage.sandbox.reset();
    stage.sandbox.setFault({ kind: "html", status: 403 });
    await stage.doctor();
    const turnedAway = stage.sandbox.received();
    expect(turnedAway.length).toBeGreaterThan(0);
    expect(turnedAway.flatMap(({ rawHeaders }) => rawHeaders).join(" ")).not.toMatch(/bearer/i);
    const toCheckUrls = stage.checkUrls.flatMap((server) => server.wire()).join("");
    expect(toCheckUrls).toContain("GET /?key=");
    expect(toCheckUrls).not.toMatch(/authorization|bearer/i);
  });

  it("runs beside a sidecar that holds ports and lock, and writes nothing", async () => {
    const ports = await Promise.all([takePort(), takePort(), takePort()]);
    const [proxy, admin, control] = ports;
    const lock = openRenewalLock({ kind: "file", path: join(stage.folder, "token") }, { clock: systemClock });
    const held = await lock.acquire({ waitMs: 1_000 });
    onTestFinished(() => held.release());
    const before = picture();
    const { code } = await stage.doctor({
      ...stage.issuing,
      PRESTO_LISTEN: `127.0.0.1:${proxy}`,
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
      PRESTO_CONTROL_LISTEN: `127.0.0.1:${control}`,
    });
    expect(code).toBe(0);
    expect(picture()).toEqual(before);
  });

  function picture(): (readonly [string, string])[] {
    return readdirSync(stage.folder)
      .toSorted()
      .map((name) => [name, readFileSync(join(stage.folder, name), "latin1")]);
  }

  async function takePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  it("leaves from PRESTO_EGRESS_ADDRESS, and says so", async () => {
    const { rows } = await stage.doctor({ PRESTO_EGRESS_ADDRESS: "127.0.0.9" });
    expect(rowOf(rows, "source-address")).toMatchObject({
      result: "OK",
      detail: expect.stringContaining("127.0.0.9, as PRESTO_EGRESS_ADDRESS says"),
    });
    expect(new Set(stage.sandbox.received().map(({ address }) => address.replace("::ffff:", "")))).toEqual(
      new Set(["127.0.0.9"]),
    );
  });

  it("finds the pin that matches", async () => {
    const pin = `sha256/${stage.sandbox.spkiPin}`;
    const { code, rows } = await stage.doctor({ PRESTO_TLS_PINS: pin });
    expect(rowOf(rows, "pins")).toMatchObject({ result: "OK", detail: expect.stringContaining(pin) });
    expect(code).toBe(0);
  });

  it.each([
    { days: 30, result: "OK", code: 0 },
    { days: 20, result: "WARN", code: 0 },
    { days: 2, result: "FAIL", code: 69 },
  ])("says $result of a certificate that ends in $days days", async ({ days, result, code }) => {
    const notAfter = new Date(Date.now() + days * 86_400_000 + 60_000);
    const certificate = await stage.authority.issue({ notAfter });
    await using sandbox = createSandbox({ authority: stage.authority, certificate, token });
    await sandbox.start();
    const found = await stage.doctor({ PRESTO_URL: sandbox.url });
    expect(rowOf(found.rows, "certificate-life")).toMatchObject({
      result,
      detail: expect.stringContaining(`ends in ${days} days`),
    });
    expect(found.code).toBe(code);
  });

  it("ends when the time of --timeout is over, and says what was not done", async () => {
    stage.sandbox.setFault({ kind: "stall-at-connect" });
    const begun = performance.now();
    const { code, rows } = await stage.doctor({}, "--timeout", "300ms");
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(rowOf(rows, "route")).toMatchObject({
      result: "FAIL",
      detail: expect.stringContaining("--timeout"),
    });
    expect(rowOf(rows, "token")).toMatchObject({ result: "OK" });
    expect(code).toBe(69);
  });

  it.each([
    {
      what: "a contact of two lines",
      argv: ["--contact", "a\nb"],
      says: /--contact holds a control character/,
    },
    { what: "a time that is none", argv: ["--timeout", "soon"], says: /--timeout/ },
    { what: "no time at all", argv: ["--timeout", "0s"], says: /--timeout/ },
  ])("refuses $what with 64", async ({ argv, says }) => {
    const ran = await runHere(["doctor", ...argv], { env: stage.env });
    expect(ran).toMatchObject({ code: 64, out: "", err: expect.stringMatching(says) });
  });

  it("prints the notice to send where the address is not registered, and the JSON has it too", async () => {
    stage.says("198.51.100.9");
    const { rows, text } = await stage.doctor({}, "--contact", "network@bank.example");
    const notice = rowOf(rows, "egress-registered")?.notice ?? "";
    for (const part of ["198.51.100.9", "203.0.113.7", "network@bank.example", stage.sandbox.url])
      expect(notice).toContain(part);
    const withoutTime = (letter: string) => letter.replaceAll(/at \d{4}-\S+Z/g, "then");
    expect(withoutTime(text)).toContain(`\n\nThe notice to send to Presto:\n\n${withoutTime(notice)}`);
    expect((await stage.doctor()).rows.some((row) => row.notice?.includes("--contact"))).toBe(true);
  });

  it("prints no notice where it is registered", async () => {
    const { rows, text } = await stage.doctor({}, "--contact", "network@bank.example");
    expect(rows.some((row) => "notice" in row)).toBe(false);
    expect(text).not.toContain("network@bank.example");
  });
});

describe("doctor, of an egress proxy", () => {
  async function through(script: GatewayScript) {
    const gateway = await startGateway(script);
    onTestFinished(() => gateway.close());
    const { user, secret } = gatewayLogin;
    const { rows, code } = await stage.doctor({
      PRESTO_EGRESS_PROXY: `http://${user}:${secret}@127.0.0.1:${gateway.port}`,
      PRESTO_EGRESS_CHECK_URL: undefined,
      PRESTO_CONNECT_TIMEOUT: "2s",
    });
    return { rows, code, port: gateway.port };
  }

  it("says that it leads to Presto, and shows neither user nor password", async () => {
    const opened = "HTTP/1.1 200 Connection established\r\n\r\n";
    const { rows, code, port } = await through(connectProxy(opened, stage.sandbox.port));
    expect(rowOf(rows, "egress-proxy")).toMatchObject({
      result: "OK",
      detail: `http://127.0.0.1:${port} (with user and password) leads to Presto.`,
    });
    expect(rowOf(rows, "dns")?.detail).toContain("egress proxy resolves localhost");
    expect(rowOf(rows, "token-accepted")?.result).toBe("OK");
    expect(code).toBe(0);
  });

  it.each([
    ["refuses the password", connectProxy("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), /407/],
    ["lets nobody through", connectProxy("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), /403/],
    ["is silent", (() => {}) satisfies GatewayScript, /2000 ms/],
  ] as const)("says that it %s", async (_what, script, says) => {
    const { rows, code } = await through(script);
    expect(rowOf(rows, "egress-proxy")).toMatchObject({
      result: "FAIL",
      detail: expect.stringMatching(says),
      mend: expect.stringContaining("PRESTO_EGRESS_PROXY"),
    });
    expect(rowOf(rows, "route")?.result).toBe("SKIP");
    expect(code).toBe(69);
  });

  it("tells an outage behind it from its own", async () => {
    const opened = "HTTP/1.1 200 Connection established\r\n\r\n";
    stage.sandbox.setFault({ kind: "wrong-certificate", certificate: "other-authority" });
    const { rows } = await through(connectProxy(opened, stage.sandbox.port));
    expect(rowOf(rows, "egress-proxy")?.result).toBe("OK");
    expect(rowOf(rows, "tls")?.result).toBe("FAIL");
  });
});
