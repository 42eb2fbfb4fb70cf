import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { formatListenAddress } from "../../src/listen/address.ts";
import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runHere } from "../support/command-io.ts";
import { exchange } from "../support/raw-caller.ts";
import { type RunningSidecar, startSidecar } from "../support/running-sidecar.ts";
import { confirmCall, initCall, queryCall, walletPaths } from "../support/wallet-call.ts";
import { makeCall } from "../support/whole-call.ts";

let sandbox: Sandbox;
let side: RunningSidecar;
let env: Record<string, string>;

beforeAll(async () => {
  sandbox = createSandbox();
  await sandbox.start();
});
afterAll(() => sandbox.close());

async function start(more: Record<string, string> = {}): Promise<void> {
  side = await startSidecar({
    url: sandbox.url,
    caPem: sandbox.caPem,
    env: {
      PRESTO_TOKEN: sandbox.token,
      PRESTO_CONTROL_LISTEN: "127.0.0.1:0",
      ...more,
    },
  });
  const { control, admin } = side.addresses;
  env = {
    PRESTO_CONTROL_LISTEN: control === undefined ? "off" : formatListenAddress(control),
    PRESTO_ADMIN_LISTEN: formatListenAddress(admin),
  };
}
afterEach(async () => {
  sandbox.clearFaults();
  await side.close();
});

async function begun(): Promise<string> {
  const { body } = await exchange(side, initCall());
  return String(JSON.parse(body).data.transaction_reference);
}

/** A confirm that was lost before Presto acted: it stays pending. */
async function open(): Promise<string> {
  const reference = await begun();
  sandbox.setFault({ kind: "reset-before-acting", path: walletPaths.confirm, times: 1 });
  expect((await exchange(side, confirmCall(reference))).status).toBe(502);
  return reference;
}

const command = (...argv: string[]) => runHere(argv, { env });

describe("outcomes", () => {
  it("lists what is open, with age and what was last heard; status and metrics tell no reference", async () => {
    await start();
    const reference = await open();
    const { code, out } = await command("outcomes", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      open: [
        {
          reference,
          operation: "wallet.confirm",
          request_id: expect.any(String),
          since: expect.stringMatching(/^\d{4}-/),
          age_seconds: expect.any(Number),
          status: "pending",
          asked_at: expect.stringMatching(/^\d{4}-/),
          next_question_seconds: expect.any(Number),
          unaskable: null,
          given_up: false,
        },
      ],
      recent: [],
    });
    expect((await command("outcomes")).out).toMatch(`${reference}  wallet.confirm  open for `);
    for (const path of ["/status", "/metrics", "/readyz?verbose", "/"]) {
      const { body } = await makeCall({ port: side.adminPort, method: "GET", path });
      expect(body.toString()).not.toContain(reference);
    }
    const status = await makeCall({ port: side.adminPort, method: "GET", path: "/status" });
    expect(JSON.parse(status.body.toString())).toMatchObject({
      ready: true,
      open_outcomes: 1,
      oldest_open_outcome_seconds: expect.any(Number),
      latches: { "open-outcomes": { closed: true, advisory: true } },
    });
    const metrics = await makeCall({ port: side.adminPort, method: "GET", path: "/metrics" });
    expect(metrics.body.toString()).toMatch(/^presto_sidecar_open_outcomes 1$/m);
    // The line of the call itself is where a person finds which transaction to look at.
    const naming = side.lines().filter((line) => JSON.stringify(line).includes(reference));
    expect(naming).toMatchObject([{ msg: "call", reference, transaction: "pending", outcome: "unknown" }]);
  });

  it("--wait ends 75 while one is open, and 0 when Presto has said what became of it", async () => {
    await start();
    const reference = await open();
    expect(await command("outcomes", "--wait", "--timeout", "300ms")).toMatchObject({ code: 75 });
    // Another way than this sidecar: the money moves after all.
    const { status } = await makeCall({
      port: side.port,
      method: "GET",
      path: `${walletPaths.transaction}/${reference}`,
    });
    expect(status).toBe(200);
    sandbox.setFault({
      kind: "answer",
      status: 200,
      body: JSON.stringify({ data: { transaction_reference: reference, status: "completed" } }),
      path: `${walletPaths.transaction}/*`,
    });
    const waited = await command("outcomes", "--wait", "--timeout", "60s", "--json");
    expect(waited.code).toBe(0);
    expect(JSON.parse(waited.out)).toMatchObject({
      open: [],
      recent: [{ reference, status: "completed", by: "presto", contradicts: false }],
    });
  });

  it("resolve opens or closes the guard by a person's word", async () => {
    await start();
    const reference = await open();
    expect((await exchange(side, confirmCall(reference))).status).toBe(409);
    expect(await command("outcomes", "resolve", reference, "--as", "failed")).toMatchObject({ code: 64 });
    expect(await command("outcomes", "resolve", reference, "--as", "voided", "--yes")).toMatchObject({
      code: 64,
    });
    expect(await command("outcomes", "resolve", "--as", "failed", "--yes")).toMatchObject({ code: 64 });
    expect(await command("outcomes", "resolve", "NOT-THERE", "--as", "failed", "--yes")).toMatchObject({
      code: 77,
    });
    expect(await command("outcomes", "resolve", reference, "--as", "failed", "--yes")).toMatchObject({
      code: 0,
    });
    expect((await exchange(side, confirmCall(reference))).status).toBe(200);
    expect(sandbox.state().confirms[reference]).toBe(1);
    const other = await open();
    expect(
      (await command("outcomes", "resolve", other, "--as", "completed", "--yes", "--json")).out,
    ).toContain('"status": "completed"');
    expect((await exchange(side, confirmCall(other))).status).toBe(409);
    expect(side.lines()).toContainEqual(
      expect.objectContaining({
        msg: expect.stringMatching(/^A person has said/),
        end: "failed",
        audit: true,
      }),
    );
  });

  it("ends 69 where nobody answers, and where there is no control listener", async () => {
    await start();
    expect((await runHere(["outcomes"], { env: { PRESTO_CONTROL_LISTEN: "127.0.0.1:1" } })).code).toBe(69);
    expect((await runHere(["outcomes"], { env: { PRESTO_CONTROL_LISTEN: "off" } })).code).toBe(69);
  });

  it("is asked for by GET, and needs the header of the control listener", async () => {
    await start();
    const { control } = side.addresses;
    const port = control?.kind === "tcp" ? control.port : 0;
    const status = async (method: string, path: string, ...headers: string[]): Promise<number | undefined> =>
      (
        await makeCall({
          port,
          method,
          path,
          headers,
          ...(method === "POST" ? { body: Buffer.alloc(0) } : {}),
        })
      ).status;
    const marked = ["Presto-Control", "1"];
    expect(await status("GET", "/outcomes")).toBe(403);
    expect(await status("GET", "/outcomes", ...marked)).toBe(200);
    expect(await status("POST", "/outcomes", ...marked)).toBe(405);
    expect(await status("GET", "/outcomes/resolve", ...marked)).toBe(405);
    expect(await status("GET", "/drain", ...marked)).toBe(405);
    expect(await status("POST", "/outcomes/resolve?reference=A&as=paid", ...marked)).toBe(400);
    expect(await status("POST", "/outcomes/resolve?reference=A&as=failed", ...marked)).toBe(404);
  });
});

it("a process that ends says that it forgets what is open, where no record keeps it", async () => {
  await start();
  await open();
  await side.close();
  expect(side.lines()).toContainEqual(
    expect.objectContaining({
      level: "warn",
      msg: expect.stringMatching(/^The process ends, and with it the memory of 1 call that moves money/),
    }),
  );
  await start();
});

describe("a pause that Presto asks for", () => {
  it("keeps queries and inits from it, never a confirm, and ends with a good answer", async () => {
    await start();
    const reference = await begun();
    sandbox.setFault({
      kind: "status",
      status: 429,
      retryAfter: 2,
      path: `${walletPaths.transaction}/*`,
      times: 1,
    });
    expect((await exchange(side, queryCall("T1"))).status).toBe(429);
    const kept = await exchange(side, queryCall("T1"));
    expect([kept.status, JSON.parse(kept.body).code, kept.headers["presto-outcome"]]).toEqual([
      503,
      "overloaded",
      "not-sent",
    ]);
    expect(kept.headers["retry-after"]).toMatch(/^[12]$/);
    expect((await exchange(side, initCall())).status).toBe(503);
    expect((await exchange(side, confirmCall(reference))).status).toBe(200);
    await expect.poll(async () => (await exchange(side, initCall())).status, { timeout: 20_000 }).toBe(200);
    expect((await exchange(side, initCall())).status).toBe(200);
  });
});
