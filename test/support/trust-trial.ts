import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, onTestFinished } from "vitest";

import { createAuthority } from "../../src/sandbox/certificates.ts";
import { exchange } from "./raw-caller.ts";
import { startRawPresto } from "./raw-presto.ts";
import type { RawPresto, RawPrestoOptions } from "./raw-presto.ts";
import { startSidecar } from "./running-sidecar.ts";
import type { RunningSidecar } from "./running-sidecar.ts";

// What the tests of whom to trust have in common: a Presto with any certificate, and what a call through a sidecar comes to.

export const authority = await createAuthority();
export const closing = "HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
export const query = "GET /api/institutions/v1/wallet/transaction/T-1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

export async function startPresto(options: RawPrestoOptions = {}): Promise<RawPresto> {
  const presto = await startRawPresto({ authority, ...options });
  presto.answer((request) => request.socket.end(closing));
  onTestFinished(() => presto.close());
  return presto;
}

export async function startWith(
  presto: RawPresto,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningSidecar> {
  const sidecar = await startSidecar({ url: presto.url, caPem: authority.certPem, env });
  onTestFinished(() => sidecar.close());
  return sidecar;
}

/** What a call comes to: `200`, or the code of the problem; and whether Presto saw any of it. */
export async function callThrough(sidecar: { readonly port: number }, presto: RawPresto): Promise<string> {
  const before = Buffer.concat(presto.wire()).length;
  const { status, body } = await exchange(sidecar, query);
  await expect.poll(() => presto.open()).toBe(0);
  const sent = Buffer.concat(presto.wire()).length > before ? "sent" : "not sent";
  return `${status === 200 ? 200 : JSON.parse(body).code}, ${sent}`;
}
export const accepted = "200, sent";
export const refused = "upstream-untrusted, not sent";

export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "presto-trust-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
