import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createControlServer } from "../../src/admin/control.ts";
import type { BoundableServer } from "../../src/admin/server.ts";
import { ignore } from "../../src/lib/events.ts";
import { bindServer } from "../../src/listen/bind.ts";
import { rawExchange, statusOf } from "../support/raw-exchange.ts";

let bound: BoundableServer;
let port: number;
let acts: string[];

beforeEach(async () => {
  acts = [];
  bound = await createControlServer({
    actions: {
      drain: () => acts.push("drain"),
      quit: () => acts.push("quit"),
      reload: () => {
        acts.push("reload");
        return Promise.resolve([]);
      },
    },
    emit: ignore,
  });
  const { address } = await bindServer(bound.server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  port = address.kind === "tcp" ? address.port : 0;
});

afterEach(() => bound.close());

const verbs = ["/drain", "/quit", "/reload", "/renew"];

/** Sends a request to every verb, and answers the statuses. */
async function statusesOf(request: (path: string) => string): Promise<number[]> {
  const statuses: number[] = [];
  for (const verb of verbs) statuses.push(statusOf(await rawExchange(port, request(verb))));
  return statuses;
}

function ask(path: string, ...headers: string[]): string {
  return [`POST ${path} HTTP/1.1`, ...headers, "Content-Length: 0", "Connection: close", "", ""].join("\r\n");
}

describe("nothing but a program on this machine that means it can make the control listener act", () => {
  it("acts for such a program, so the refusals below are for their own reason", async () => {
    expect(await statusesOf((path) => ask(path, "Host: localhost:7382", "Presto-Control: 1"))).toEqual([
      200, 200, 200, 409,
    ]);
    await expect.poll(() => acts.toSorted()).toEqual(["drain", "quit", "reload"]);
  });

  it("not for the form of a web page", async () => {
    const body = "a=b";
    const statuses = await statusesOf((path) =>
      [
        `POST ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        "Origin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Content-Type: application/x-www-form-urlencoded",
        `Content-Length: ${body.length}`,
        "",
        body,
      ].join("\r\n"),
    );
    expect(statuses).toEqual([403, 403, 403, 403]);
    expect(acts).toEqual([]);
  });

  it("not for the form of a web page in an old browser, which sends no Origin and no Sec-Fetch-Site", async () => {
    const statuses = await statusesOf((path) =>
      ask(path, `Host: 127.0.0.1:${port}`, "Content-Type: text/plain"),
    );
    expect(statuses).toEqual([403, 403, 403, 403]);
    expect(acts).toEqual([]);
  });

  it("not for a script of a web page, whose preflight gets no leave either", async () => {
    const preflight = await rawExchange(
      port,
      [
        "OPTIONS /drain HTTP/1.1",
        `Host: 127.0.0.1:${port}`,
        "Origin: https://evil.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: presto-control",
        "Connection: close",
        "",
        "",
      ].join("\r\n"),
    );
    expect(statusOf(preflight)).toBe(405);
    expect(preflight).not.toMatch(/access-control-/i);
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:7382", ""]) {
      const statuses = await statusesOf((path) =>
        ask(path, `Host: 127.0.0.1:${port}`, "Presto-Control: 1", `Origin: ${origin}`),
      );
      expect(statuses).toEqual([403, 403, 403, 403]);
    }
    expect(acts).toEqual([]);
  });

  it.each(["cross-site", "same-site", "CROSS-SITE", "", "nonsense"])(
    "not with Sec-Fetch-Site: %s",
    async (site) => {
      const statuses = await statusesOf((path) =>
        ask(path, "Host: 127.0.0.1", "Presto-Control: 1", `Sec-Fetch-Site: ${site}`),
      );
      expect(statuses).toEqual([403, 403, 403, 403]);
      expect(acts).toEqual([]);
    },
  );

  it.each([
    "evil.example",
    "evil.example:7382",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost.",
    "127.1",
    "127.0.0.01",
    "0x7f.0.0.1",
    "2130706433",
    "0.0.0.0",
    "10.0.0.1",
    "[::]",
    "[::ffff:127.0.0.1]",
    "user@localhost",
    "localhost:port",
    "localhost:0",
    "",
  ])("not by the name that DNS rebinding leads a page here with: Host: %s", async (host) => {
    const statuses = await statusesOf((path) => ask(path, `Host: ${host}`, "Presto-Control: 1"));
    expect(statuses).toEqual([403, 403, 403, 403]);
    expect(acts).toEqual([]);
  });

  it.each(["localhost", "LOCALHOST:7382", "127.0.0.1", "127.8.9.10:1", "[::1]", "[::1]:7382"])(
    "but by a loopback name: Host: %s",
    async (host) => {
      expect(statusOf(await rawExchange(port, ask("/drain", `Host: ${host}`, "Presto-Control: 1")))).toBe(
        200,
      );
      expect(acts).toEqual(["drain"]);
    },
  );

  it("not with two Host lines, in either order, nor with none", async () => {
    for (const hosts of [
      ["Host: localhost", "Host: evil.example"],
      ["Host: evil.example", "Host: localhost"],
      ["Host: localhost", "Host: localhost"],
      [],
    ]) {
      const statuses = await statusesOf((path) => ask(path, ...hosts, "Presto-Control: 1"));
      for (const status of statuses) expect([400, 403]).toContain(status);
    }
    const old = await statusesOf((path) => ask(path, "Presto-Control: 1").replace("HTTP/1.1", "HTTP/1.0"));
    expect(old).toEqual([403, 403, 403, 403]);
    expect(acts).toEqual([]);
  });

  it("not by an absolute target, which would put another host in Host's place", async () => {
    const statuses = await statusesOf((path) =>
      ask(`http://evil.example${path}`, "Host: localhost", "Presto-Control: 1"),
    );
    expect(statuses).toEqual([404, 404, 404, 404]);
    expect(acts).toEqual([]);
  });

  it.each([
    ["missing", []],
    ["empty", ["Presto-Control:"]],
    ["another", ["Presto-Control: true"]],
    ["a list", ["Presto-Control: 1, 1"]],
    ["sent twice", ["Presto-Control: 1", "Presto-Control: 1"]],
    ["with an underscore", ["Presto_Control: 1"]],
  ])("not with the header %s", async (_what, headers) => {
    const statuses = await statusesOf((path) => ask(path, "Host: localhost", ...headers));
    expect(statuses).toEqual([403, 403, 403, 403]);
    expect(acts).toEqual([]);
  });

  it("not by a link or an image", async () => {
    const statuses = await statusesOf((path) =>
      ask(path, "Host: localhost", "Presto-Control: 1").replace("POST", "GET"),
    );
    expect(statuses).toEqual([405, 405, 405, 405]);
    expect(acts).toEqual([]);
  });

  it("not by a request hidden in the body of a refused one", async () => {
    const hidden = ask("/quit", "Host: localhost", "Presto-Control: 1");
    const reply = await rawExchange(
      port,
      `POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    );
    expect(statusOf(reply)).toBe(403);
    expect(reply.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(acts).toEqual([]);
  });
});
