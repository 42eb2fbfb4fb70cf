import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, it, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { connectProxy, startGateway } from "../support/loopback-gateway.ts";
import type { LoopbackGateway } from "../support/loopback-gateway.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import { connectBy, openWay } from "../support/way-out.ts";

const authority = await createAuthority();

async function startProxy(port: number): Promise<LoopbackGateway> {
  const gateway = await startGateway(connectProxy("HTTP/1.1 200 X\r\n\r\n", port));
  onTestFinished(() => gateway.close());
  return gateway;
}

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "presto-proxy-file-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it("an egress proxy that a file names is another one once the file has changed, and the one before while it can't be used", async () => {
  const presto = await startRawPresto({ authority });
  onTestFinished(() => presto.close());
  const base = { port: presto.port, caPem: authority.certPem };
  const [first, second] = [await startProxy(presto.port), await startProxy(presto.port)];
  const proxyFile = join(createFolder(), "proxy");
  writeFileSync(proxyFile, `http://127.0.0.1:${first.port}\n`);
  const warnings: string[] = [];
  const egress = await openWay({
    ...base,
    proxyFile,
    emit(event) {
      if (event.type === "warning") warnings.push(event.message);
    },
  });
  await connectBy(egress.connector);
  expect([first.connections(), second.connections()]).toEqual([1, 0]);

  writeFileSync(proxyFile, "http://u:MARKED@127.0.0.1");
  await expect.poll(() => warnings).toHaveLength(1);
  expect(warnings[0]).not.toContain("MARKED");
  await expect(egress.reload()).rejects.toMatchObject({
    message: expect.stringMatching(/^PRESTO_EGRESS_PROXY_FILE: what .* holds has no port/),
  });
  await connectBy(egress.connector);
  expect([first.connections(), second.connections()]).toEqual([2, 0]);

  writeFileSync(proxyFile, `http://127.0.0.1:${second.port}\n`);
  await egress.reload();
  await connectBy(egress.connector);
  expect([first.connections(), second.connections()]).toEqual([2, 1]);
  expect(egress.describeRoute()).toBe(`http://127.0.0.1:${second.port}`);
});

it.each([
  ["is not there", undefined, /: \S+ is not there; put/],
  ["is a folder", "folder", /is not a regular file/],
  ["others may write", { mode: 0o646, text: "http://127.0.0.1:1" }, /run: chmod go-w/],
  ["is empty", { mode: 0o600, text: "" }, /what \S+ holds is none of http/],
  ["is far too large", { mode: 0o600, text: "x".repeat(10_000) }, /is larger than 8192 bytes/],
  ["holds none", { mode: 0o600, text: "ftp://MARKED:MARKED@host:1" }, /what \S+ holds is none of http/],
])("an egress proxy's file that %s stops the start", async (_what, content, message) => {
  const proxyFile = join(createFolder(), "proxy");
  if (content === "folder") mkdirSync(proxyFile);
  else if (typeof content === "object") {
    writeFileSync(proxyFile, content.text);
    chmodSync(proxyFile, content.mode);
  }
  const failure: unknown = await openWay({ port: 443, caPem: authority.certPem, proxyFile }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    name: "CommandError",
    exitCode: 78,
    message: expect.stringMatching(message),
  });
  expect(failure).toMatchObject({ message: expect.stringMatching(/^PRESTO_EGRESS_PROXY_FILE: /) });
  expect(failure).toMatchObject({ message: expect.not.stringContaining("MARKED") });
});
