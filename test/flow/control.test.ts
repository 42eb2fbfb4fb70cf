import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createControlServer } from "../../src/admin/control.ts";
import type { BoundableServer } from "../../src/admin/server.ts";
import { bindServer } from "../../src/listen/bind.ts";
import { StoreError } from "../../src/store/contract.ts";
import { type Place, rawExchange, rawRequest, statusOf } from "../support/raw-exchange.ts";

let bound: BoundableServer;
let place: Place;
let acts: string[];
let warnings: unknown[];
let reload: () => Promise<readonly string[]>;

beforeEach(async () => {
  acts = [];
  warnings = [];
  reload = () => Promise.resolve(["PRESTO_TOKEN_FILE", "PRESTO_CA_FILE"]);
  bound = await createControlServer({
    actions: { drain: () => acts.push("drain"), quit: () => acts.push("quit"), reload: () => reload() },
    emit: ({ message, cause }) => warnings.push([message, cause]),
  });
  const { address } = await bindServer(bound.server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  place = address.kind === "tcp" ? address.port : address.path;
});

afterEach(() => bound.close());

async function post(path: string, ...headers: string[]) {
  const reply = await rawRequest(
    place,
    `POST ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Presto-Control: 1",
    ...headers,
  );
  return { status: statusOf(reply), json: JSON.parse(reply.split("\r\n\r\n")[1] ?? "") as unknown };
}

describe("a control verb", () => {
  it("drains", async () => {
    expect(await post("/drain")).toEqual({ status: 200, json: { state: "draining" } });
    expect(acts).toEqual(["drain"]);
  });

  it("quits, once its reply is out", async () => {
    expect(await post("/quit")).toEqual({ status: 200, json: { state: "quitting" } });
    await expect.poll(() => acts).toEqual(["quit"]);
  });

  it("quits also for a caller that keeps its connection open", async () => {
    const asking = rawExchange(place, "POST /quit HTTP/1.1\r\nHost: localhost\r\nPresto-Control: 1\r\n\r\n");
    await expect.poll(() => acts).toEqual(["quit"]);
    await bound.close();
    await asking;
  });

  it("reloads, and says what was read again", async () => {
    expect(await post("/reload")).toEqual({
      status: 200,
      json: { reloaded: ["PRESTO_TOKEN_FILE", "PRESTO_CA_FILE"] },
    });
  });

  it("says why it could not reload, if the reason is in this program's own words", async () => {
    reload = () =>
      Promise.reject(new StoreError("unreadable", "The file /run/token can't be read: check its mode."));
    expect(await post("/reload")).toEqual({
      status: 500,
      json: { code: "reload-failed", detail: "The file /run/token can't be read: check its mode." },
    });
    expect(warnings).toHaveLength(1);
  });

  it("keeps a foreign reason for the log", async () => {
    reload = () => Promise.reject(new Error("MARKED-88"));
    const reply = await post("/reload");
    expect(reply).toMatchObject({ status: 500, json: { code: "reload-failed" } });
    expect(JSON.stringify(reply)).not.toContain("MARKED");
    expect(warnings).toEqual([[expect.any(String), expect.objectContaining({ message: "MARKED-88" })]]);
  });

  it("does not renew in a role that can't issue, and says which can", async () => {
    const { status, json } = await post("/renew?wait=30s");
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: "role-cannot-issue", detail: expect.stringMatching(/rotator/) });
  });

  it.each(["/nothing", "/drain/", "//drain", "/%64rain", "/DRAIN", "/"])("is none at %s", async (path) => {
    expect(await post(path)).toMatchObject({ status: 404, json: { code: "not-found" } });
    expect(acts).toEqual([]);
  });

  it.each([
    "Content-Length: 0",
    "Content-Length: 0\r\nContent-Type: application/json",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: ;;",
  ])("needs no body, whatever type a client says the missing one has: %j", async (header) => {
    expect((await post("/drain", header)).status).toBe(200);
  });

  it("is refused with a body", async () => {
    const head = "POST /drain HTTP/1.1\r\nHost: localhost\r\nPresto-Control: 1\r\n";
    expect(statusOf(await rawExchange(place, `${head}Content-Length: 2\r\n\r\n{}`))).toBe(400);
    expect(statusOf(await rawExchange(place, `${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`))).toBe(
      400,
    );
    expect(acts).toEqual([]);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "QUERY"])(
    "is not done by %s",
    async (method) => {
      for (const path of method === "CONNECT" ? ["localhost:80"] : ["/drain", "/nothing"]) {
        const reply = await rawRequest(
          place,
          `${method} ${path} HTTP/1.1`,
          "Host: 127.0.0.1",
          "Presto-Control: 1",
        );
        expect(statusOf(reply)).toBe(405);
        expect(reply).toMatch(/^allow: POST\r$/im);
      }
      expect(acts).toEqual([]);
    },
  );
});

describe("on a Unix socket", () => {
  const folder = mkdtempSync(join(tmpdir(), "control-"));

  beforeEach(async () => {
    await bound.close();
    bound = await createControlServer({
      actions: { drain: () => acts.push("drain"), quit: () => acts.push("quit"), reload: () => reload() },
      emit: ({ message, cause }) => warnings.push([message, cause]),
    });
    place = join(folder, "control.sock");
    await bindServer(bound.server, { kind: "unix", path: place, mode: 0o600 });
  });

  afterEach(async () => {
    await bound.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("any one Host will do, but the other conditions hold", async () => {
    const ask = async (...head: string[]) =>
      statusOf(await rawRequest(place, "POST /drain HTTP/1.1", ...head));
    expect(await ask("Host: control.sock", "Presto-Control: 1")).toBe(200);
    expect(acts).toEqual(["drain"]);
    expect(await ask("Host: control.sock")).toBe(403);
    expect(await ask("Host: control.sock", "Presto-Control: 1", "Origin: null")).toBe(403);
    expect(await ask("Host: a", "Host: b", "Presto-Control: 1")).toBeGreaterThanOrEqual(400);
    expect(acts).toEqual(["drain"]);
  });
});
