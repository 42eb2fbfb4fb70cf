import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runHere } from "../support/command-io.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { createIssuingBench, issuePath } from "../support/issuing-bench.ts";
import type { IssuingBench } from "../support/issuing-bench.ts";
import { eventually, scrape } from "../support/sidecar-load.ts";

let bench: IssuingBench;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "renewal-refusals-"));
});
afterEach(async () => {
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Variables for a password in a file, and what writes it. */
function passwordFile(): { env: Record<string, string | undefined>; put: (password: string) => void } {
  const path = join(folder, "password");
  return {
    env: { PRESTO_PASSWORD: undefined, PRESTO_PASSWORD_FILE: path },
    put: (password) => writeFileSync(path, password, { mode: 0o600 }),
  };
}

describe("credentials that Presto refuses", () => {
  it("leave it up and not ready; it says why, calls no more, and tries again when the file changes", async () => {
    bench = await createIssuingBench({ stored: "none" });
    const { env, put } = passwordFile();
    put("Wrong-Passw0rd!");
    const sidecar = await bench.start({ env });
    await sidecar.renewalSays({
      last_end: { kind: "refused" },
      credentials_refused: expect.stringContaining("e-mail and password (401)"),
    });
    expect(await sidecar.readyz()).toMatchObject({
      status: 503,
      body: expect.stringMatching(
        /^token: There is no token yet\. Presto refused the account's e-mail and password/,
      ),
    });
    expect((await scrape(sidecar)).value("presto_sidecar_renewal_credentials_refused")).toBe(1);
    expect((await bench.record()).intent).toBeNull();
    expect(await sidecar.renew()).toMatchObject({ status: 502, body: { code: "refused" } });
    expect(bench.issues()).toBe(1);
    // Once more: it may have been put right at Presto's end.
    expect(await sidecar.renew("?force=1")).toMatchObject({ status: 502 });
    expect(bench.issues()).toBe(2);
    expect((await sidecar.readyz(true)).body).toContain("[!]credentials-refused: ");
    const examined = await runHere(["doctor"], {
      env: bench.env({
        ...env,
        PRESTO_ADMIN_LISTEN: `127.0.0.1:${sidecar.adminPort}`,
        PRESTO_CONTROL_LISTEN: "off",
      }),
    });
    expect(examined.code).toBe(77);
    expect(examined.out).toMatch(
      /^FAIL {2}sidecar .*credentials-refused: Presto refused.*credentials import\./m,
    );
    expect(examined.out).toMatch(/^FAIL {2}credentials .*and Presto refuses them\./m);

    put(bench.sandbox.account.password);
    await eventually(async () => (await sidecar.readyz()).status).toBe(200);
    expect((await sidecar.readyz(true)).body).toContain("[+]credentials-refused ok");
    expect((await sidecar.call()).status).toBe(200);
    expect(bench.issues()).toBe(3);
    await sidecar.renewalSays({ credentials_refused: null, last_end: { kind: "renewed" } });
  });

  it("take nothing from a token that lives", async () => {
    bench = await createIssuingBench();
    const sidecar = await bench.start({ env: { PRESTO_PASSWORD: "Wrong-Passw0rd!" } });
    expect(await sidecar.renew()).toMatchObject({ status: 502, body: { code: "refused" } });
    expect((await sidecar.call()).status).toBe(200);
    expect((await sidecar.readyz()).status).toBe(200);
    expect(await sidecar.readyz(true)).toMatchObject({
      status: 200,
      body: expect.stringMatching(/^\[!\]credentials-refused: Presto refused the account's e-mail/m),
    });
    expect(await bench.record()).toMatchObject({ generation: 1, intent: null });
    expect(bench.issues()).toBe(1);
  });

  it("that are not there yet leave it up, and no call is made until they are", async () => {
    bench = await createIssuingBench({ stored: "none" });
    const { env, put } = passwordFile();
    const sidecar = await bench.start({ env });
    await sidecar.renewalSays({
      last_end: { kind: "unreachable", detail: expect.stringContaining(join(folder, "password")) },
    });
    expect((await sidecar.readyz()).status).toBe(503);
    expect(bench.issues()).toBe(0);
    put(bench.sandbox.account.password);
    await eventually(async () => (await sidecar.readyz()).status).toBe(200);
    expect(bench.issues()).toBe(1);
  });
});

describe("a renewal that Presto puts off", () => {
  it("is tried again when Retry-After is over, and not before", async () => {
    bench = await createIssuingBench({ stored: "none" });
    bench.sandbox.setFault({ kind: "status", status: 429, retryAfter: 30, path: issuePath, times: 1 });
    const factor = 10;
    const sidecar = await bench.start({ clock: createFastClock(factor) });
    await sidecar.renewalSays({
      last_end: { kind: "refused", detail: "Presto has had too many calls (429)." },
      next_try_at: expect.any(String),
    });
    expect((await bench.record()).intent).toBeNull();
    await expect.poll(async () => (await sidecar.readyz()).status, { timeout: 15_000 }).toBe(200);
    const [first, second] = sidecar.issueCalls();
    expect(first?.end).toBe("refused");
    expect((second?.begunAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(30_000 / factor);
    expect(bench.issues()).toBe(2);
  });

  it("is not put off for a person who asks", async () => {
    bench = await createIssuingBench();
    bench.sandbox.setFault({ kind: "status", status: 429, retryAfter: 600, path: issuePath, times: 1 });
    const sidecar = await bench.start();
    expect(await sidecar.renew()).toMatchObject({ status: 502, body: { code: "refused" } });
    expect((await sidecar.call()).status).toBe(200);
    expect(await sidecar.renew()).toMatchObject({ status: 200, body: { generation: 2 } });
  });

  it("says what Presto did not like, by the fields' names only", async () => {
    bench = await createIssuingBench();
    const body = JSON.stringify({ message: "MARKED-1", errors: { token_name: ["MARKED-2"] } });
    bench.sandbox.setFault({
      kind: "answer",
      status: 422,
      headers: { "content-type": "application/json" },
      body,
      path: issuePath,
      times: 1,
    });
    const sidecar = await bench.start();
    const reply = await sidecar.renew();
    expect(reply).toMatchObject({
      status: 502,
      body: { code: "refused", detail: expect.stringContaining("it named: token_name") },
    });
    expect(JSON.stringify(reply) + sidecar.log()).not.toContain("MARKED");
    expect(await bench.record()).toMatchObject({ generation: 1, intent: null });
  });
});
