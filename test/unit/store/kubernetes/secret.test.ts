import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import type { Backend } from "../../../../src/store/contract.ts";
import type { ClusterOptions } from "../../../../src/store/kubernetes/cluster.ts";
import { openSecretBackend } from "../../../../src/store/kubernetes/secret.ts";
import {
  type Refusal,
  refuse,
  reply,
  type StandInApi,
  startStandInApi,
} from "../../../support/stand-in-api.ts";

const bytes = Buffer.from("MARKED record");

describe("Secret as a place", () => {
  let api: StandInApi;
  let folder: string;
  let name: string;
  let serial = 0;
  const opened: Backend[] = [];
  const warnings: string[] = [];
  beforeAll(async () => {
    api = await startStandInApi();
    folder = await mkdtemp(join(tmpdir(), "secret-"));
    await writeFile(join(folder, "config"), api.kubeconfig());
  });
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    serial += 1;
    name = `secret-${serial}`;
    api.seen.length = 0;
    warnings.length = 0;
  });
  afterEach(() => {
    api.override = undefined;
    for (const each of opened.splice(0)) each.close();
  });

  async function open(cluster: ClusterOptions = api.cluster({ kubeconfig: join(folder, "config") })) {
    const backend = await openSecretBackend(
      { namespace: "presto", name, key: "record", holds: "token", cluster },
      { clock: systemClock, emit: ({ message }) => warnings.push(message) },
    );
    opened.push(backend);
    return backend;
  }

  /** As in a Pod: by what is mounted there. */
  async function openInPod(token: string): Promise<Backend> {
    await writeFile(join(folder, "ca.crt"), api.authority.certPem);
    await writeFile(join(folder, "token"), token);
    return open({
      kubeconfig: [],
      host: "127.0.0.1",
      port: `${api.port}`,
      environment: {},
      mount: folder,
    });
  }

  async function versionOf(backend: Backend): Promise<string | undefined> {
    return (await backend.read())?.version;
  }

  async function refusalOf(attempt: Promise<unknown>): Promise<string> {
    const end: unknown = await attempt.catch((error: unknown) => error);
    expect(end).toMatchObject({ name: "StoreError" });
    expect(inspect(end, { depth: 9, showHidden: true })).not.toContain("MARKED");
    return end instanceof Error && "code" in end ? `${String(end.code)}: ${end.message}` : "";
  }

  it("takes a Secret without its key for no record", async () => {
    api.put(name, { other: "eA==" });
    expect(await (await open()).read()).toBeUndefined();
  });

  it("says what it found in the place of a record, where that is not simply an empty Secret", async () => {
    const backend = await open();
    await backend.read();
    expect(backend.absence?.()).toBe(
      `There is no Secret presto/${name}. Make it, empty: kubectl create secret generic ${name} -n presto`,
    );
    api.put(name, {});
    await backend.read();
    expect(backend.absence?.()).toBeUndefined();
    api.put(name, { token: "TUFSS0VE", more: "eA==" });
    await backend.read();
    expect(backend.absence?.()).toBe(`The Secret presto/${name} has no key record; it has token and more.`);
    api.put(name, { record: "eA==" });
    await backend.read();
    expect(backend.absence?.()).toBeUndefined();
  });

  it("leaves other keys, labels, annotations and type as they are", async () => {
    const more = {
      metadata: { labels: { team: "money" }, annotations: { note: "kept" } },
      type: "example.com/own",
    };
    api.put(name, { other: "eA==" }, more);
    const backend = await open();
    await backend.write(bytes, undefined);
    await backend.write(Buffer.from("again"), await versionOf(backend));
    expect(api.secret(name)).toMatchObject({
      ...more,
      data: { other: "eA==", record: Buffer.from("again").toString("base64") },
    });
  });

  it("never writes without the resourceVersion that it read", async () => {
    api.put(name, {});
    const backend = await open();
    const bodies: string[] = [];
    api.override = (request) => {
      if (request.method === "PUT") bodies.push(String(api.secret(name)?.metadata["resourceVersion"]));
      return false;
    };
    await backend.write(bytes, undefined);
    expect(bodies).toHaveLength(1);
    // Somebody writes between our read and our write.
    const expected = await versionOf(backend);
    api.override = (request) => {
      if (request.method === "PUT") api.put(name, { record: "b3RoZXI=" });
      return false;
    };
    expect(await backend.write(bytes, expected)).toEqual({ outcome: "refused" });
    expect(Buffer.from((await backend.read())?.bytes ?? []).toString()).toBe("other");
  });

  it("tells one that was deleted and made anew from the one before, whatever its resourceVersion", async () => {
    api.put(name, { record: bytes.toString("base64") });
    const backend = await open();
    const before = await versionOf(backend);
    api.remove(name);
    api.put(name, { record: bytes.toString("base64") });
    expect(await backend.write(bytes, before)).toEqual({ outcome: "refused" });
    expect(before?.split("/")[0]).not.toBe((await versionOf(backend))?.split("/")[0]);
  });

  it("marks one that it makes, so that neighbours leave it alone", async () => {
    const backend = await open();
    await backend.write(bytes, undefined);
    expect(api.secret(name)?.metadata).toMatchObject({
      labels: { "velero.io/exclude-from-backup": "true" },
      annotations: { "reloader.stakater.com/ignore": "true" },
    });
  });

  it("tells which object was read, and who wrote the key last", async () => {
    const writes = (manager: string, time: string, fields: object) => ({
      manager,
      operation: "Update",
      time,
      fieldsV1: fields,
    });
    const ours = { "f:data": { ".": {}, "f:record": {} } };
    const managedFields = [
      writes("kubectl-edit", "2026-11-24T03:00:00Z", { "f:data": { "f:other": {} } }),
      writes("velero-server", "2026-11-24T02:00:00Z", ours),
      writes("presto-sidecar", "2026-11-24T01:00:00Z", ours),
      { manager: "cut", fieldsV1: ours },
      null,
    ];
    api.put(name, { record: "eA==" }, { metadata: { managedFields } });
    const backend = await open();
    const found = await backend.read();
    expect(found?.identity).toEqual({ uid: api.secret(name)?.metadata["uid"], name });
    expect(found?.lastWriter?.()).toBe('"velero-server" at 2026-11-24T02:00:00Z');
    // Made anew it is another object, whoever says otherwise of its name.
    api.remove(name);
    api.put(name, { record: "eA==" });
    const anew = await backend.read();
    expect(anew?.identity?.["name"]).toBe(name);
    expect(anew?.identity?.["uid"]).not.toBe(found?.identity?.["uid"]);
    expect(anew?.lastWriter?.()).toBeUndefined();
  });

  it("shows a writer's name that may be anybody's text in quotes, and not for ever", async () => {
    const manager = `a"\n${"x".repeat(500)}`;
    const entry = { manager, time: "2026-11-24T02:00:00Z", fieldsV1: { "f:data": { "f:record": {} } } };
    api.put(name, { record: "eA==" }, { metadata: { managedFields: [entry] } });
    const told = (await (await open()).read())?.lastWriter?.() ?? "";
    expect(told).toMatch(/^"a\\"\\nx+" at 2026-11-24T02:00:00Z$/);
    expect(told.length).toBeLessThan(200);
  });

  it("warns once of what kubectl apply has left in clear", async () => {
    const applied = (object: object) => ({
      metadata: {
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(object) },
      },
    });
    api.put(name, {}, applied({ kind: "Secret", metadata: { name } }));
    await (await open()).read();
    expect(warnings).toEqual([]);
    api.remove(name);
    api.put(name, {}, applied({ kind: "Secret", stringData: { token: "MARKED" } }));
    const backend = await open();
    await backend.read();
    await backend.read();
    expect(warnings).toEqual([expect.stringContaining(`kubectl annotate secret ${name} -n presto`)]);
    expect(warnings[0]).not.toContain("MARKED");
  });

  it("says whether its watch lives", async () => {
    api.put(name, {});
    const backend = await open();
    await backend.read();
    expect(backend.isWatching?.()).toBe(false);
    const end = backend.watch?.(() => {});
    await expect.poll(() => backend.isWatching?.()).toBe(true);
    api.endWatches("cut");
    await expect.poll(() => backend.isWatching?.()).toBe(false);
    end?.();
  });

  it("reads while its watch is open", async () => {
    api.put(name, { record: bytes.toString("base64") });
    const backend = await open();
    backend.watch(() => {});
    await expect.poll(() => api.watches()).toBe(1);
    const startedAt = performance.now();
    await backend.read();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it.each(["end", "cut", "expired"] as const)(
    "sees the next change after its watch ended: %s",
    async (how) => {
      api.put(name, { record: bytes.toString("base64") });
      const backend = await open();
      await backend.read();
      const told = vi.fn<() => void>();
      backend.watch(told);
      await expect.poll(() => api.watches()).toBe(1);
      api.endWatches(how);
      await expect.poll(() => api.watches()).toBe(0);
      if (how === "expired") api.forget();
      api.put(name, { record: "b3RoZXI=" });
      await expect.poll(() => told).toHaveBeenCalled();
    },
  );

  const forbidden = (message: string, details = {}): Refusal => [403, "Forbidden", details, message];
  const user = 'User "system:serviceaccount:presto:app" cannot get resource "secrets" in API group ""';
  it.each<[Refusal, RegExp]>([
    [
      forbidden(`secrets "x" is forbidden: ${user} in the namespace "presto"`),
      /^refused: .* lacks the right to get it\. Grant it: kubectl create role \S+-get -n presto --verb=get --resource=secrets --resource-name=\S+ && kubectl create rolebinding \S+ -n presto --role=\S+ --serviceaccount=presto:app$/,
    ],
    [
      forbidden('secrets "x" is forbidden: User "jane@example.com" cannot get resource "secrets"'),
      /--user=jane@example\.com/,
    ],
    [forbidden('User "system:anonymous" cannot get resource "secrets"'), /took this process for nobody/],
    [forbidden("MARKED"), /^refused: .*forbids it \(403\)/],
    [[401, "Unauthorized", {}, "MARKED"], /^refused: .*does not accept the credentials/],
    [
      [404, "NotFound", { kind: "namespaces", name: "presto" }, ""],
      /^refused: .*no namespace presto.*kubectl create namespace presto$/,
    ],
    [[404, "NotFound", {}, "MARKED"], /^refused: .*knows no such path/],
    [[500, "InternalError", {}, "unable to transform key MARKED"], /^unreachable: .*can't decrypt it/],
    [
      [
        500,
        "InternalError",
        {},
        "StorageError: corrupt object, Code: 7, Key: /registry/secrets/MARKED, AdditionalErrorMsg: data from the storage is not transformable",
      ],
      /^unreachable: .*can't decrypt it/,
    ],
    [[500, "InternalError", {}, "MARKED"], /^unreachable: .*failed \(500\)/],
    [[429, "TooManyRequests", { retryAfterSeconds: 1 }, ""], /^unreachable: .*too much to do/],
  ])("tells why a read is refused, and by what it is mended: %j", async (refusal, expected) => {
    const backend = await open();
    api.override = (_, response) => {
      refuse(response, ...refusal);
      return true;
    };
    expect(await refusalOf(backend.read())).toMatch(expected);
  });

  it("gives an API server that has too much to do the rest that it asks for in plain text, as its filters do", async () => {
    const backend = await open();
    api.override = (_, response) => {
      response.writeHead(429, { "content-type": "text/plain; charset=utf-8", "retry-after": "30" });
      response.end("Too many requests, please try again later.\n");
      return true;
    };
    expect(await refusalOf(backend.read())).toMatch(/^unreachable: .*too much to do \(429\)/);
    expect(backend.pollMs()).toBeGreaterThan(29_000);
    const asked = api.seen.length;
    // Whoever waits for a token would have it read every second.
    expect(await refusalOf(backend.read())).toMatch(/^unreachable: .*left alone for another 3\d s/);
    expect(await refusalOf(backend.write(bytes, undefined))).toMatch(/left alone/);
    expect(api.seen).toHaveLength(asked);
  });

  it.each<[Refusal, RegExp]>([
    [
      forbidden('admission webhook "policy.example.com" denied the request: MARKED'),
      /webhook policy\.example\.com denies/,
    ],
    [
      [500, "InternalError", {}, 'failed calling webhook "w.example.com": MARKED'],
      /webhook w\.example\.com does not answer/,
    ],
    [forbidden("exceeded quota: small, requested: MARKED"), /quota small of the namespace presto is used up/],
    [
      forbidden("unable to create new content", { causes: [{ reason: "NamespaceTerminating" }] }),
      /namespace presto is being deleted/,
    ],
    [[422, "Invalid", {}, "data: Forbidden: field is immutable when `immutable` is set"], /marked immutable/],
    [
      [422, "Invalid", {}, "ValidatingAdmissionPolicy 'no-secrets' with binding 'b' denied request: MARKED"],
      /policy no-secrets denies/,
    ],
    [[422, "Invalid", {}, "MARKED"], /does not take what is written/],
  ])("tells why a write is refused: %j", async (refusal, expected) => {
    api.put(name, {});
    const backend = await open();
    api.override = (request, response) => {
      if (request.method === "GET") return false;
      refuse(response, ...refusal);
      return true;
    };
    expect(await refusalOf(backend.write(bytes, undefined))).toMatch(expected);
  });

  it("writes nothing to one that is immutable", async () => {
    api.put(name, {}, { immutable: true });
    expect(await refusalOf((await open()).write(bytes, undefined))).toMatch(/marked immutable/);
    expect(api.seen.map(({ method }) => method)).toEqual(["GET"]);
  });

  it("finds out that something alters what it writes", async () => {
    api.put(name, {});
    const backend = await open();
    api.override = (request, response) => {
      if (request.method !== "PUT") return false;
      reply(response, 200, { ...api.secret(name), data: { record: "YWx0ZXJlZA==" } });
      return true;
    };
    expect(await refusalOf(backend.write(bytes, undefined))).toMatch(/altered what was written/);
  });

  it.each([
    ["a page", "<html>MARKED</html>"],
    ["another object", '{"kind":"ConfigMap","metadata":{}}'],
  ])("takes no answer for a Secret that is none: %s", async (_, text) => {
    const backend = await open();
    api.override = (_request, response) => {
      response.end(text);
      return true;
    };
    expect(await refusalOf(backend.read())).toMatch(/^unreachable: .*no Kubernetes API server/);
  });

  it("sends nothing where there are no credentials", async () => {
    const backend = await openInPod("");
    expect(await refusalOf(backend.read())).toMatch(/^not-yet: .*token/);
    expect(api.seen).toEqual([]);
  });

  it("asks once more with the token before, where the one in the mount is refused", async () => {
    const backend = await openInPod("first");
    api.override = (request, response) => {
      if (request.authorization === "Bearer first") return false;
      refuse(response, 401, "Unauthorized");
      return true;
    };
    await backend.read();
    await writeFile(join(folder, "token"), "fir");
    await backend.read();
    await writeFile(join(folder, "token"), "");
    await backend.read();
    expect(api.seen.map(({ authorization }) => authorization)).toEqual([
      "Bearer first",
      "Bearer fir",
      "Bearer first",
      "Bearer first",
    ]);
  });
});
