import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ignore } from "../../../../src/lib/events.ts";
import { Secret } from "../../../../src/secret.ts";
import { parseVaultAddress } from "../../../../src/store/vault/access.ts";
import { openVaultSession } from "../../../../src/store/vault/session.ts";
import { createVaultBackend } from "../../../../src/store/vault/vault.ts";
import { createHandClock } from "../../../support/hand-clock.ts";

/** What a stand-in answers next; by default that of a Vault with one version. */
interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const mount = JSON.stringify({ data: { path: "secret/", type: "kv", options: { version: "2" } } });

function entry(version: number, createdAt: string, text = `v${version}`): string {
  const metadata = { version, created_time: createdAt };
  return JSON.stringify({ data: { data: { record: text }, metadata } });
}

// Answers that a real server gives only when it is half dead: see test/cluster for all others.
describe("answers of a Vault", () => {
  let server: Server;
  let answers: Answer[];
  let seen: {
    readonly method: string | undefined;
    readonly url: string;
    readonly headers: IncomingHttpHeaders;
  }[];
  let port: number;
  const clock = createHandClock();
  beforeEach(async () => {
    answers = [];
    seen = [];
    server = createServer((request, response) => {
      const { method, url = "", headers } = request;
      seen.push({ method, url, headers });
      request.resume();
      const isSetUp = url.includes("/sys/internal/") || url.endsWith("/lookup-self");
      const {
        status = 200,
        headers: more = {},
        body = "",
      } = isSetUp ? { body: mount } : (answers.shift() ?? {});
      response.writeHead(status, more).end(body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    ({ port } = address satisfies AddressInfo);
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  async function open() {
    const address = parseVaultAddress(`http://127.0.0.1:${port}`);
    if (typeof address === "string") throw new Error(address);
    const token = { kind: "value", secret: new Secret("s.MARKED") } as const;
    const access = {
      address,
      namespace: "payments",
      caFile: undefined,
      login: { method: "token", token },
    } as const;
    const session = await openVaultSession(access, { clock, random: () => 0.5, emit: ignore });
    return createVaultBackend(
      { entry: { path: "secret/presto", field: "record" }, holds: "token", namespace: access.namespace },
      { session, random: () => 0.5 },
    );
  }

  async function failureOf(work: Promise<unknown>): Promise<unknown> {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("MARKED");
    return error;
  }

  it("tell which entry was read: by namespace, mount and path, not by the field", async () => {
    const backend = await open();
    answers = [
      { body: entry(1, "2026-11-24T08:00:00Z") },
      // Made anew: it is the same entry all the same.
      { body: entry(1, "2026-11-25T08:00:00Z") },
    ];
    const identity = { namespace: "payments", mount: "secret/", path: "presto" };
    for (const _ of [1, 2]) {
      const read = await backend.read();
      expect(read?.identity).toEqual(identity);
      // A Vault does not say who wrote.
      expect(read?.lastWriter).toBeUndefined();
    }
  });

  async function textOf(backend: Awaited<ReturnType<typeof open>>): Promise<string> {
    const read = await backend.read();
    return Buffer.from(read?.bytes ?? []).toString();
  }

  it.each<[string, Answer, string]>([
    [
      "a standby whose leader is dead",
      { status: 307, headers: { location: "http://127.0.0.1:1/MARKED" } },
      "standby",
    ],
    [
      "no leader",
      { status: 500, body: '{"errors":["local node not active: MARKED"]}' },
      "does not serve for now",
    ],
    ["sealed", { status: 503, body: '{"errors":["Vault is sealed"]}' }, "is sealed"],
    ["a state that is not there yet", { status: 412 }, "does not serve for now"],
    ["an engine that is being set up", { status: 400, body: '{"errors":["Upgrading from…"]}' }, "setting"],
    ["a page of a gateway", { body: "<html>MARKED</html>" }, "none of a KV engine"],
    [
      "a page of a gateway for nothing there",
      { status: 404, body: "<html>MARKED</html>" },
      "none of a KV engine",
    ],
    [
      "no engine any more",
      { status: 404, body: '{"errors":["no handler for route"]}' },
      "none of a KV engine",
    ],
    ["an answer of another program", { status: 418 }, "which no Vault does"],
  ])("that pass are told, tried again, and never taken for no record: %s", async (_what, answer, says) => {
    const backend = await open();
    answers = [answer];
    const error = await failureOf(backend.read());
    expect(error).toMatchObject({ code: "unreachable", message: expect.stringContaining(says) });
    // Nobody got the token but the one that was asked.
    expect(seen.filter(({ url }) => url.endsWith("secret/data/presto"))).toHaveLength(1);
    expect(backend.pollMs()).toBeLessThan(1_300);
    backend.close();
  });

  it("never lead back to an older version, but where it stays", async () => {
    const backend = await open();
    const newest = { body: entry(5, "2026-11-29T10:00:05Z"), headers: { "x-vault-index": "index-5" } };
    const older = { body: entry(4, "2026-11-29T10:00:04Z") };
    answers = [newest, older, newest, older, older, older, older, older, older];
    expect(await textOf(backend)).toBe("v5");
    // A standby that lags: the second question goes to the active node, by the index.
    expect(await textOf(backend)).toBe("v5");
    expect(seen.at(-1)?.headers).toMatchObject({
      "x-vault-index": "index-5",
      "x-vault-inconsistent": "forward-active-node",
      "x-vault-namespace": "payments",
    });
    for (const _read of [1, 2]) {
      expect(await failureOf(backend.read())).toMatchObject({
        message: expect.stringContaining("older version"),
      });
    }
    // A backup was put back.
    expect(await textOf(backend)).toBe("v4");
    backend.close();
  });

  it("lead back to an older version that a second read confirms, where Presto refuses the newer one's token", async () => {
    const backend = await open();
    const newest = { body: entry(5, "2026-11-29T10:00:05Z") };
    const older = { body: entry(4, "2026-11-29T10:00:04Z") };
    answers = [newest, older, newest, older, older];
    expect(await textOf(backend)).toBe("v5");
    backend.mayGoBack?.();
    // A standby that lags.
    expect(await textOf(backend)).toBe("v5");
    backend.mayGoBack?.();
    expect(await textOf(backend)).toBe("v4");
    backend.close();
  });

  it("are told apart by their times as times, not as texts", async () => {
    const backend = await open();
    answers = [
      { body: entry(5, "2026-11-29T10:00:05.12Z") },
      { body: entry(4, "2026-11-29T10:00:05.1Z") },
      { body: entry(4, "2026-11-29T10:00:05.1Z") },
    ];
    expect(await textOf(backend)).toBe("v5");
    expect(await failureOf(backend.read())).toMatchObject({
      message: expect.stringContaining("older version"),
    });
    backend.close();
  });

  it("that begin anew are taken at once: the metadata was deleted", async () => {
    const backend = await open();
    answers = [
      { body: entry(5, "2026-11-29T10:00:05Z") },
      { body: entry(1, "2026-11-29T11:00:00Z", "anew") },
    ];
    expect(await textOf(backend)).toBe("v5");
    expect(await textOf(backend)).toBe("anew");
    backend.close();
  });

  it("to a write that prove no version are no success", async () => {
    const backend = await open();
    answers = [{ status: 404, body: '{"errors":[]}' }, { status: 204 }];
    expect(await failureOf(backend.write(Buffer.from("x"), undefined))).toMatchObject({
      code: "refused",
      message: expect.stringContaining("version 2"),
    });
    backend.close();
  });

  it("to a write that refuse its version are believed, though a standby that lags still shows that version", async () => {
    const backend = await open();
    const read = { body: entry(5, "2026-11-29T10:00:05Z") };
    const stale = JSON.stringify({ errors: ["check-and-set parameter did not match the current version"] });
    answers = [read, read, { status: 400, body: stale }];
    const version = (await backend.read())?.version;
    expect(await backend.write(Buffer.from("x"), version)).toEqual({ outcome: "refused" });
    backend.close();
  });

  it("to a write that refuse it for another reason than its version are told as that", async () => {
    const backend = await open();
    const absent = { status: 404, body: '{"errors":[]}' };
    answers = [absent, { status: 400, body: '{"errors":["MARKED"]}' }, absent];
    expect(await failureOf(backend.write(Buffer.from("x"), undefined))).toMatchObject({
      code: "refused",
      message: expect.stringContaining("not for its version"),
    });
    answers = [absent, { status: 400, body: "{}" }, { body: entry(1, "2026-11-29T10:00:00Z") }];
    expect(await backend.write(Buffer.from("x"), undefined)).toEqual({ outcome: "refused" });
    backend.close();
  });
});
