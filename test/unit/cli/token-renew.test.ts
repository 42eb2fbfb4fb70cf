import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { runCommand } from "../../../src/cli/run.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { createTestIo } from "../../support/command-io.ts";
import {
  always,
  createConsoles,
  nowhere,
  runAgainst,
  type StandInAnswer,
} from "../../support/stand-in-console.ts";

const consoles = createConsoles();
afterEach(consoles.close);
const { open } = consoles;

const nobody = "127.0.0.1:1";
const done = JSON.stringify({ generation: 8, expires_at: "2099-02-22T00:00:00.000Z" });
const reply = (status: number, body: object): StandInAnswer => always(status, JSON.stringify(body));

describe("token renew, where a sidecar runs,", () => {
  it("asks it, and tells the new generation and expiry", async () => {
    const control = await open(always(200, done));
    const { code, out, err } = await runAgainst(["token", "renew"], nobody, control.address);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/generation 8\.\nIt expires at 2099-02-22T00:00:00\.000Z\.\n$/);
    expect(control.seen).toMatchObject([
      { method: "POST", url: "/renew?wait=30s", headers: { "presto-control": "1" } },
    ]);
  });

  it("prints JSON for machines", async () => {
    const control = await open(always(200, done));
    const { out } = await runAgainst(["token", "renew", "--json"], nobody, control.address);
    expect(JSON.parse(out)).toEqual({
      renewed: true,
      generation: 8,
      expires_at: "2099-02-22T00:00:00.000Z",
    });
  });

  it("passes on how long to wait, and that the alarm is to be cleared", async () => {
    const control = await open(always(200, done));
    await runAgainst(["token", "renew", "--force", "--wait", "2m"], nobody, control.address);
    expect(control.seen[0]?.url).toBe("/renew?wait=2m&force=1");
  });

  it("reaches it over a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "renew-"));
    consoles.closeLater({ close: () => rmSync(folder, { recursive: true }) });
    const control = await open(always(200, done), join(folder, "control"));
    expect((await runAgainst(["token", "renew"], nobody, control.address)).code).toBe(0);
  });

  const answers: readonly (readonly [number, RegExp, StandInAnswer])[] = [
    [75, /still under way .*\(state settling\), and stays due/, reply(202, { state: "settling" })],
    [77, /A proxy can't\.$/, reply(409, { code: "role-cannot-issue", detail: "A proxy can't." })],
    [77, /It is on\. .*token renew --force$/, reply(409, { code: "alarm-latched", detail: "It is on." })],
    [77, /It said no\.$/, reply(502, { code: "refused", detail: "It said no." })],
    [69, /It is away\.$/, reply(503, { code: "unreachable", detail: "It is away." })],
    [
      75,
      /It is b\. There it is: kubectl exec -n presto rotator-b -- presto-sidecar token renew$/,
      reply(503, { code: "lock-held", detail: "It is b.", pod: "presto/rotator-b" }),
    ],
    [75, /It is b\.$/, reply(503, { code: "lock-held", detail: "It is b.", pod: "b; rm -rf /" })],
    [69, /It \?\[2J is away\.$/, reply(503, { code: "unreachable", detail: "It \u001b[2J is away." })],
    [77, /another version\. What is it\?$/, reply(400, { code: "bad-request", detail: "What is it?" })],
    [77, /answered 403 to POST \/renew.*PRESTO_CONTROL_LISTEN/, always(403, "no")],
    [77, /answered 404 to POST \/renew.*PRESTO_CONTROL_LISTEN/, always(404, "<html>")],
    [77, /answered 409 to POST \/renew.*PRESTO_CONTROL_LISTEN/, always(409, "<html>")],
    [77, /answered 200 to POST \/renew.*PRESTO_CONTROL_LISTEN/, always(200, "<html>")],
  ];

  it.each(answers)("ends with %i and %s", async (code, says, answer) => {
    const control = await open(answer);
    const ran = await runAgainst(["token", "renew"], nobody, control.address);
    expect([ran.code, ran.out]).toEqual([code, ""]);
    expect(ran.err.trimEnd()).toMatch(says);
  });

  it("ends with 69 where it does not answer to the end, and renews nothing by itself", async () => {
    const control = await open((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => response.destroy());
    });
    const { code, err } = await runAgainst(["token", "renew"], nobody, control.address);
    expect(code).toBe(69);
    expect(err).not.toContain("renews by itself");
  });

  it("ends with the signal's code when it is stopped while it waits", async () => {
    const control = await open(() => test.stop(new StopSignal("SIGINT")));
    const test = createTestIo({ env: { PRESTO_CONTROL_LISTEN: control.address } });
    expect(await runCommand(["token", "renew"], test.io)).toBe(130);
    expect(test.err()).toBe("");
  });
});

describe("token renew, where none runs,", () => {
  const store = { PRESTO_URL: "https://localhost:1", PRESTO_TOKEN: "MARKED-token" };

  it.each(["off", nobody])(
    "is refused with 77 in a role that can't issue (control listener: %s)",
    async (control) => {
      const { io, out, err } = createTestIo({
        env: { ...store, PRESTO_CONTROL_LISTEN: control === "off" ? control : await nowhere() },
      });
      expect(await runCommand(["token", "renew"], io)).toBe(77);
      expect(err()).toMatch(/PRESTO_ROLE is proxy/);
      expect(out()).toBe("");
    },
  );

  it("is refused with 64 for a wait that is none, or too long, before anybody is asked", async () => {
    const control = await open(always(200, done));
    for (const wait of ["soon", "0s", "601s"])
      expect((await runAgainst(["token", "renew", "--wait", wait], nobody, control.address)).code).toBe(64);
    expect(control.seen).toEqual([]);
  });
});
