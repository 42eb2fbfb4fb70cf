import { once } from "node:events";
import { Agent } from "node:https";
import { connect as connectTcp } from "node:net";
import { connect } from "node:tls";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../../src/sandbox/server.ts";
import { call, failure, prefix } from "./client.ts";

const path = `${prefix}/wallet/transaction/TRX000000000`;

describe("faults of connections", () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = createSandbox();
    await sandbox.start();
  });
  afterEach(() => sandbox.close());

  it.each([
    ["other-name", "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["expired", "CERT_HAS_EXPIRED"],
    ["other-authority", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["self-signed", "DEPTH_ZERO_SELF_SIGNED_CERT"],
  ] as const)(
    "wrong-certificate %s: a client that looks refuses it, and no request is seen",
    async (certificate, code) => {
      sandbox.setFault({ kind: "wrong-certificate", certificate, times: 1 });
      await expect(call(sandbox, path)).rejects.toMatchObject({ code });
      expect(sandbox.state().requests).toEqual({});
      expect((await call(sandbox, path)).status).toBe(404);
    },
  );

  it("wrong-certificate strikes clients that name no host too", async () => {
    sandbox.setFault({ kind: "wrong-certificate", certificate: "self-signed", times: 1 });
    const socket = connect({ host: "127.0.0.1", port: sandbox.port, ca: sandbox.caPem });
    const [error] = await once(socket, "error");
    expect(error.code).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
  });

  it("old-tls: no version that a careful client would speak", async () => {
    sandbox.setFault({ kind: "old-tls", times: 2 });
    await expect(call(sandbox, path)).rejects.toThrow(/protocol version/);
    const socket = connect({
      host: "127.0.0.1",
      port: sandbox.port,
      rejectUnauthorized: false,
      minVersion: "TLSv1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    await once(socket, "secureConnect");
    expect(socket.getProtocol()).toBe("TLSv1.1");
    socket.destroy();
  });

  it("without a fault, TLS below 1.2 is refused", async () => {
    const socket = connect({
      host: "127.0.0.1",
      port: sandbox.port,
      rejectUnauthorized: false,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    await expect(once(socket, "secureConnect")).rejects.toThrow(/protocol version|alert|wrong version/);
  });

  it("reset-at-connect: the connection is reset before the handshake", async () => {
    sandbox.setFault({ kind: "reset-at-connect", times: 1 });
    await expect(call(sandbox, path)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(sandbox.state()).toMatchObject({ connections: 1, requests: {} });
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it("stall-at-connect: accepted, never answered, and reset when the fault is removed", async () => {
    const fault = sandbox.setFault({ kind: "stall-at-connect", times: 1 });
    const stalled = failure(call(sandbox, path));
    await expect.poll(() => sandbox.state().faults[0]?.struck).toBe(1);
    expect((await call(sandbox, path)).status).toBe(404);
    fault.remove();
    expect(await stalled).toBe("ECONNRESET");
  });

  it("setting one closes idle connections, so that a client that keeps them sees it", async () => {
    const agent = new Agent({ keepAlive: true });
    await call(sandbox, path, { agent });
    const [kept] = Object.values(agent.freeSockets).flat();
    sandbox.setFault({ kind: "wrong-certificate", certificate: "expired" });
    await expect.poll(() => kept?.destroyed).toBe(true);
    await expect(call(sandbox, path, { agent })).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
    agent.destroy();
  });

  it("setting one leaves an answer that is under way whole, and then closes its connection", async () => {
    const hold = sandbox.setFault({ kind: "hold" });
    const agent = new Agent({ keepAlive: true });
    const held = call(sandbox, path, { agent });
    await expect.poll(() => sandbox.received()).toHaveLength(1);
    sandbox.setFault({ kind: "wrong-certificate", certificate: "expired" });
    hold.remove();
    const answer = await held;
    expect([answer.status, answer.headers.connection]).toEqual([404, "close"]);
    agent.destroy();
  });

  it("a fault of connections takes no method or path", () => {
    const fault = { kind: "reset-at-connect", path: "/" } as const;
    expect(() => sandbox.setFault(fault)).toThrow("reset-at-connect has no field path; it has times.");
  });

  it("what is not HTTP is answered with 400 and counted", async () => {
    const socket = connect({
      host: "127.0.0.1",
      port: sandbox.port,
      ca: sandbox.caPem,
      servername: "localhost",
    });
    socket.end("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    const [first] = await once(socket, "data");
    expect(String(first)).toMatch(/^HTTP\/1\.1 400 /);
    expect(sandbox.state().malformed).toBe(1);
    socket.destroy();
  });

  it("plain HTTP is not spoken", async () => {
    const socket = connectTcp(sandbox.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const heard: Buffer[] = [];
    socket.on("data", (chunk) => heard.push(Buffer.from(chunk)));
    await once(socket, "close");
    expect(Buffer.concat(heard).toString()).not.toContain("HTTP/1.1 2");
    expect(sandbox.state().requests).toEqual({});
  });
});
