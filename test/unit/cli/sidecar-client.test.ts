import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

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

const idle = JSON.stringify({ in_flight: 0, queued: 0, under_way: 0 });

describe("healthcheck", () => {
  it("is 0 if the sidecar is ready, without a word", async () => {
    const admin = await open(
      (request, response) => void response.writeHead(request.url === "/readyz" ? 200 : 503).end(),
    );
    expect(await runAgainst(["healthcheck"], admin.address)).toEqual({ code: 0, out: "", err: "" });
  });

  it("is 1 if it is not, and says why", async () => {
    const admin = await open(always(503, "token: there is none\negress: wrong\u001b[2J\n"));
    const { code, err } = await runAgainst(["healthcheck"], admin.address);
    expect(code).toBe(1);
    expect(err).toBe("presto-sidecar: not ready: token: there is none; egress: wrong [2J\n");
  });

  it("--live asks only whether it is alive", async () => {
    const admin = await open(
      (request, response) => void response.writeHead(request.url === "/livez" ? 200 : 503).end(),
    );
    expect((await runAgainst(["healthcheck", "--live"], admin.address)).code).toBe(0);
    expect((await runAgainst(["healthcheck"], admin.address)).code).toBe(1);
  });

  it("is 1 if nobody answers, or the address is wrong", async () => {
    const { code, err } = await runAgainst(["healthcheck"], await nowhere());
    expect(code).toBe(1);
    expect(err).toContain("ECONNREFUSED");
    expect((await runAgainst(["healthcheck"], "not an address")).code).toBe(1);
  });
});

describe("asking", () => {
  it("works over a Unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ask-"));
    consoles.closeLater({ close: () => rmSync(folder, { recursive: true }) });
    const admin = await open(always(200, "ok"), join(folder, "admin"));
    expect((await runAgainst(["healthcheck"], admin.address)).code).toBe(0);
    const { code, err } = await runAgainst(["healthcheck"], `unix:${join(folder, "none")}`);
    expect(code).toBe(1);
    expect(err).toContain("ENOENT");
  });

  it("asks a listener on every address over loopback", async () => {
    const admin = await open(always(200, "ok"));
    const port = admin.address.split(":")[1] ?? "";
    expect((await runAgainst(["healthcheck"], `0.0.0.0:${port}`)).code).toBe(0);
    expect(admin.seen[0]?.headers.host).toBe(`127.0.0.1:${port}`);
  });

  it("gives up on one that never answers", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    consoles.closeLater({
      close() {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    const { code, err } = await runAgainst(["wait", "--timeout", "100ms"], `127.0.0.1:${port}`);
    expect(code).toBe(75);
    expect(err).toContain("no answer in time");
  });

  it("gives up on an answer that does not end, and on one that is cut", async () => {
    const flood: StandInAnswer = (_request, response) => {
      response.on("error", () => {});
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, "a")));
      };
      response.on("drain", more);
      more();
    };
    const flooded = await runAgainst(["status"], (await open(flood)).address);
    expect(flooded.code).toBe(69);
    expect(flooded.err).toContain("too long to be a sidecar's");
    const cut: StandInAnswer = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => response.destroy());
    };
    expect((await runAgainst(["status"], (await open(cut)).address)).code).toBe(69);
  });
});

describe("status", () => {
  it("shows what the sidecar says in plain words, with no control character", async () => {
    const admin = await open(
      always(
        200,
        JSON.stringify({
          role: "proxy",
          latches: { token: { closed: false } },
          expires_at: null,
          upstream: "\u001b[2J",
        }),
      ),
    );
    const { code, out } = await runAgainst(["status"], admin.address);
    expect(code).toBe(0);
    expect(out).toMatch(/^Not ready\. presto-sidecar, role proxy\.$/m);
    expect(out).toMatch(/^Serves +calls to \?\[2J; none are being sent, none wait\.$/m);
    expect(out).not.toContain("\u001b");
  });

  it("prints JSON for machines", async () => {
    const admin = await open(always(200, idle));
    expect(JSON.parse((await runAgainst(["status", "--json"], admin.address)).out)).toEqual({
      in_flight: 0,
      queued: 0,
      under_way: 0,
    });
  });

  it("ends with 69 where nobody answers, and says what to look at", async () => {
    const address = await nowhere();
    const { code, err } = await runAgainst(["status"], address);
    expect(code).toBe(69);
    expect(err).toContain(address);
    expect(err).toContain("PRESTO_ADMIN_LISTEN");
  });

  it("ends with 69 where something else answers", async () => {
    for (const answer of [always(404, idle), always(200, "<html>"), always(200, "[]")]) {
      expect((await runAgainst(["status"], (await open(answer)).address)).code).toBe(69);
    }
  });

  it("ends with 78 where the address is wrong", async () => {
    expect((await runAgainst(["status"], "nonsense")).code).toBe(78);
  });
});

describe("wait", () => {
  it("asks until the sidecar is ready", async () => {
    let left = 3;
    const admin = await open((_request, response) => void response.writeHead(left-- > 0 ? 503 : 200).end());
    expect(await runAgainst(["wait"], admin.address)).toEqual({ code: 0, out: "", err: "" });
    expect(admin.seen).toHaveLength(4);
  });

  it("waits for one that was not started yet", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wait-"));
    consoles.closeLater({ close: () => rmSync(folder, { recursive: true }) });
    const running = runAgainst(["wait", "--timeout", "10s"], `unix:${join(folder, "admin")}`);
    await open(always(200, "ok"), join(folder, "admin"));
    expect((await running).code).toBe(0);
  });

  it("with --pid gives up as soon as that process has ended", async () => {
    const admin = await open(always(503, "token: there is none"));
    const child = spawn(process.execPath, ["--eval", "setTimeout(() => {}, 300)"]);
    const { code, err } = await runAgainst(["wait", "--pid", `${child.pid}`], admin.address);
    expect([code, err]).toEqual([69, expect.stringContaining(`Process ${child.pid} has ended.`)]);
    expect((await runAgainst(["wait", "--pid", "-1"], admin.address)).code).toBe(64);
  });

  it("ends with 75 when the time ran out, and says why it is not ready", async () => {
    const admin = await open(always(503, "token: there is none"));
    const { code, err } = await runAgainst(["wait", "--timeout", "2s"], admin.address);
    expect(code).toBe(75);
    expect(err).toContain("Not ready within 2s. It says: token: there is none");
    const absent = await runAgainst(["wait", "--timeout", "1ms"], await nowhere());
    expect(absent.code).toBe(75);
    expect(absent.err).toContain("No sidecar answers");
  });
});
