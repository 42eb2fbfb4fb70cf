import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../src/clock.ts";
import type { OpenLock } from "../../../../src/store/contract.ts";
import { openLeaseLock } from "../../../../src/store/kubernetes/lease.ts";
import { leaseMs } from "../../../../src/store/term.ts";
import { type Refusal, refuse, type StandInApi, startStandInApi } from "../../../support/stand-in-api.ts";

const holder = "presto/rotator-a_0f8fad5b-d9cb-469f-a165-70867728950e";

describe("a Lease over connections", () => {
  let api: StandInApi;
  let folder: string;
  let name: string;
  let serial = 0;
  const opened: OpenLock[] = [];
  beforeAll(async () => {
    api = await startStandInApi();
    folder = await mkdtemp(join(tmpdir(), "lease-"));
    await writeFile(join(folder, "config"), api.kubeconfig());
  });
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    serial += 1;
    name = `lease-${serial}`;
    api.seen.length = 0;
  });
  afterEach(() => {
    api.override = undefined;
    for (const each of opened.splice(0)) each.close();
  });

  async function open(): Promise<OpenLock> {
    const cluster = api.cluster({ kubeconfig: join(folder, "config") });
    const lock = await openLeaseLock(
      { namespace: "presto", name, holder, cluster },
      { clock: systemClock, random: () => 0 },
    );
    opened.push(lock);
    return lock;
  }

  it("is renewed over a new connection within LEASE/3 when all that it has are frozen", async () => {
    const held = await (await open()).acquire({ waitMs: 0 });
    const frozen = new Set<Socket>(api.seen.map(({ socket }) => socket));
    // The server is well, and nothing comes back over what was there before.
    api.override = ({ socket }) => frozen.has(socket);
    const begun = systemClock.monotonic();
    expect(await held.renew()).toBe(true);
    expect(systemClock.monotonic() - begun).toBeLessThan(leaseMs / 3);
    // Counted from the write that was done, not from the one that was lost.
    expect(held.heldUntil() - leaseMs - begun).toBeGreaterThan(4_500);
    expect(api.seen.filter(({ socket }) => frozen.has(socket)).length).toBeLessThanOrEqual(3);
    const releasing = systemClock.monotonic();
    await held.release();
    expect(systemClock.monotonic() - releasing).toBeLessThan(10_000);
    expect(api.leases.spec(name)).toMatchObject({ holderIdentity: "" });
  });

  it("asks for exactly that one object, with credentials", async () => {
    const held = await (await open()).acquire({ waitMs: 0 });
    await held.release();
    const path = `/apis/coordination.k8s.io/v1/namespaces/presto/leases/${name}`;
    expect(new Set(api.seen.map(({ method, url }) => `${method} ${url.pathname}`))).toEqual(
      new Set([`GET ${path}`, `PUT ${path}`]),
    );
    expect(api.seen.every(({ authorization }) => authorization === "Bearer MARKED-token")).toBe(true);
  });

  const refusals: readonly (readonly ["GET" | "PUT", Refusal, string, RegExp])[] = [
    [
      "GET",
      [403, "Forbidden", {}, 'User "jane" cannot get resource "leases"'],
      "refused",
      /jane lacks the right to get it\. Grant it: kubectl create role lease-\d+-lease-get -n presto --verb=get --resource=leases\.coordination\.k8s\.io --resource-name=lease-\d+ &&/,
    ],
    [
      "PUT",
      [403, "Forbidden", {}, 'User "jane" cannot create resource "leases"'],
      "refused",
      /jane lacks the right to create it\. .*--verb=create --resource=leases\.coordination\.k8s\.io --resource-name=lease-\d+ &&/,
    ],
    [
      "PUT",
      [403, "Forbidden", {}, 'User "jane" cannot update resource "leases"'],
      "refused",
      /jane lacks the right to update it\./,
    ],
    ["GET", [401, "Unauthorized"], "refused", /does not accept the credentials/],
    [
      "GET",
      [500, "InternalError"],
      "unreachable",
      /The Lease presto\/lease-\d+ could not be read \(within a minute of [^)]+\): the API server failed/,
    ],
    ["PUT", [422, "Invalid", {}, "field is immutable"], "refused", /does not take what is written \(422\)/],
    [
      "PUT",
      [400, "BadRequest", {}, 'admission webhook "w.example" denied the request: MARKED'],
      "refused",
      /answered 400/,
    ],
    [
      "GET",
      [404, "NotFound", { kind: "namespaces", name: "presto" }],
      "refused",
      /kubectl create namespace presto/,
    ],
  ];

  it.each(refusals)(
    "tells of a %s that is answered %j as what it is",
    async (method, refusal, code, says) => {
      api.override = (seen, response) => {
        if (seen.method !== method) return false;
        refuse(response, ...refusal);
        return true;
      };
      const taking = (await open()).acquire({ waitMs: 0 });
      await expect(taking).rejects.toMatchObject({ name: "StoreError", code });
      await expect(taking).rejects.toThrow(says);
      await expect(taking).rejects.not.toThrow("MARKED");
    },
  );

  it("is had as soon as a refusal has passed", async () => {
    const lock = await open();
    api.override = (_, response) => {
      refuse(response, 403, "Forbidden", {}, 'User "jane" cannot get resource "leases"');
      return true;
    };
    await expect(lock.acquire({ waitMs: 0 })).rejects.toMatchObject({ code: "refused" });
    api.override = undefined;
    await (await lock.acquire({ waitMs: 0 })).release();
  });

  it("is not taken from what answers in the place of an API server, or alters what is written", async () => {
    api.override = (_, response) => {
      response.end("<html>log in</html>");
      return true;
    };
    await expect((await open()).acquire({ waitMs: 0 })).rejects.toThrow("no Kubernetes API server");
    api.override = (seen, response) => {
      if (seen.method !== "PUT") return false;
      response.end(
        JSON.stringify({
          kind: "Lease",
          metadata: { uid: "u", resourceVersion: "1" },
          spec: { holderIdentity: "another" },
        }),
      );
      return true;
    };
    await expect((await open()).acquire({ waitMs: 0 })).rejects.toThrow("altered what was written");
  });
});
