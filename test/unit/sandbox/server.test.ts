import { execFile } from "node:child_process";
import { once } from "node:events";
import { Agent } from "node:https";
import { connect, createServer, type AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";

import { describe, expect, it } from "vitest";

import { createAuthority } from "../../../src/sandbox/certificates.ts";
import { createSandbox } from "../../../src/sandbox/server.ts";
import { call, control, failure, init, order, prefix } from "./client.ts";

const path = `${prefix}/wallet/transaction/TRX000000000`;

describe("the sandbox", () => {
  it("is called by https on localhost, with its own CA and by no other", async () => {
    await using sandbox = createSandbox();
    await sandbox.start();
    expect(sandbox.url).toBe(`https://localhost:${sandbox.port}`);
    expect((await call(sandbox, path, { host: "localhost" })).status).toBe(404);
    const stranger = await createAuthority();
    await expect(call(sandbox, path, { ca: stranger.certPem })).rejects.toThrow(/certificate/);
  });

  it("takes an authority and a certificate of the caller's", async () => {
    const authority = await createAuthority();
    const certificate = await authority.issue();
    await using sandbox = createSandbox({ authority, certificate });
    await sandbox.start();
    expect([sandbox.caPem, sandbox.spkiPin]).toEqual([authority.certPem, certificate.spkiPin]);
    expect((await call(sandbox, path)).status).toBe(404);
  });

  it("shows what it received, byte for byte", async () => {
    await using sandbox = createSandbox();
    await sandbox.start();
    const body = JSON.stringify(order).replace("10.5", "10.50").replace(",", " ,\n");
    await call(sandbox, `${prefix}/wallet/init?a=%41`, { body, headers: { "X-Odd-Case": "1" } });
    const [received] = sandbox.received();
    expect(received).toMatchObject({
      method: "POST",
      target: `${prefix}/wallet/init?a=%41`,
      address: "127.0.0.1",
      connection: 1,
    });
    expect(received?.body.toString()).toBe(body);
    expect(received?.rawHeaders).toContain("X-Odd-Case");
  });

  it("two Authorization lines are refused, though the first one is good", async () => {
    await using sandbox = createSandbox();
    await sandbox.start();
    const socket = connectTls({
      host: "127.0.0.1",
      port: sandbox.port,
      ca: sandbox.caPem,
      servername: "localhost",
    });
    const line = `Authorization: Bearer ${sandbox.token}\r\n`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${line}${line}\r\n`);
    const [first] = await once(socket, "data");
    expect(String(first)).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it("a request that is cut off before its end is not executed", async () => {
    await using sandbox = createSandbox();
    await sandbox.start();
    const socket = connectTls({
      host: "127.0.0.1",
      port: sandbox.port,
      ca: sandbox.caPem,
      servername: "localhost",
    });
    const head = `POST ${prefix}/wallet/init HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${sandbox.token}\r\n`;
    const body = JSON.stringify(order);
    socket.write(
      `${head}Content-Type: application/json\r\nContent-Length: ${body.length + 1}\r\n\r\n${body}`,
    );
    await expect.poll(() => sandbox.state().requests).toEqual({ [`POST ${prefix}/wallet/init`]: 1 });
    socket.destroy();
    await init(sandbox);
    expect(sandbox.state().transactions).toHaveLength(1);
    expect(sandbox.received()).toHaveLength(1);
  });

  it("keeps idle connections as long as it is told to", async () => {
    await using sandbox = createSandbox({ keepAliveMs: 3_000 });
    await sandbox.start();
    const agent = new Agent({ keepAlive: true });
    const answer = await call(sandbox, path, { agent });
    expect(answer.headers["keep-alive"]).toBe("timeout=3");
    await call(sandbox, path, { agent });
    expect(sandbox.state().connections).toBe(1);
    agent.destroy();
  });

  it("uses the ports that it is given, and says so when one is taken", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as AddressInfo;
    const message = `Port ${port} of 127.0.0.1 is in use. Give another port, or none: then a free one is chosen.`;
    for (const options of [{ port }, { controlPort: port }]) {
      await using sandbox = createSandbox(options);
      await expect(sandbox.start()).rejects.toMatchObject({ code: "EADDRINUSE", message });
    }
    const spare = createServer().listen(0, "127.0.0.1");
    await once(spare, "listening");
    const { port: free } = spare.address() as AddressInfo;
    spare.close();
    await once(spare, "close");
    await expect(createSandbox({ port: free, controlPort: port }).start()).rejects.toMatchObject({ message });
    blocker.close();
    await once(blocker, "close");
    // The one that had to give up over its second port has let go of its first.
    await using sandbox = createSandbox({ port: free, controlPort: port });
    await sandbox.start();
    expect([sandbox.port, sandbox.controlUrl]).toEqual([free, `http://127.0.0.1:${port}`]);
  });

  it("listens on nothing but loopback", () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "presto.example", "127.0.0.256", "127.1"]) {
      expect(() => createSandbox({ host })).toThrow(/is not a loopback host/);
    }
  });

  it("close cuts what waits and what idles, and frees both ports", async () => {
    const sandbox = createSandbox();
    await sandbox.start();
    const { port, controlUrl } = sandbox;
    sandbox.setFault({ kind: "slow-head", ms: 600_000, times: 1 });
    const cut = [failure(call(sandbox, path))];
    await expect.poll(() => sandbox.received()).toHaveLength(1);
    sandbox.setFault({ kind: "hold", times: 1 });
    cut.push(failure(call(sandbox, path)));
    await expect.poll(() => sandbox.received()).toHaveLength(2);
    sandbox.setFault({ kind: "stall-at-connect" });
    cut.push(failure(call(sandbox, path)));
    const silent = connect(port, "127.0.0.1");
    silent.on("error", () => {});
    await expect.poll(() => sandbox.state().connections).toBe(4);
    const gone = once(silent, "close");
    await sandbox.close();
    await gone;
    expect(await Promise.all(cut)).toEqual(["ECONNRESET", "ECONNRESET", "ECONNRESET"]);
    for (const taken of [port, Number(new URL(controlUrl).port)]) {
      const [error] = await once(connect(taken, "127.0.0.1"), "error");
      expect(error.code).toBe("ECONNREFUSED");
    }
  });

  it("may be closed twice, before it is started, and while it starts", async () => {
    await createSandbox().close();
    const sandbox = createSandbox();
    const starting = sandbox.start();
    await sandbox.close();
    await starting;
    await expect(control(sandbox, "GET", "/state")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await sandbox.close();
  });

  it("leaves nothing that keeps its process alive", async () => {
    const source = new URL("../../../src/sandbox/server.ts", import.meta.url).href;
    const script = `
      const { createSandbox } = await import(${JSON.stringify(source)});
      const sandbox = createSandbox();
      await sandbox.start();
      await fetch(sandbox.controlUrl + "/state").then((answer) => answer.text());
      sandbox.setFault({ kind: "slow-head", ms: 600_000 });
      const { request } = await import("node:https");
      request(sandbox.url, { ca: sandbox.caPem }).on("error", () => {}).end();
      while (sandbox.received().length === 0) await new Promise(setImmediate);
      await sandbox.close();
      console.log("closed");
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 10_000,
    });
    expect(stdout).toBe("closed\n");
  });
});
