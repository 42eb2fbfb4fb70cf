import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../src/clock.ts";
import { StoreError } from "../../src/store/contract.ts";
import { createTokenStore } from "../../src/store/over-backend.ts";
import { createRecordWatch } from "../../src/token/watch.ts";
import { type BaoServer, startBaoServer } from "./vault/server.ts";
import { accessTo, allow, countLogins, given, makeRole, openEntry } from "./vault/stores.ts";

// Against a real OpenBao.

let server: BaoServer;
let name: string;
let path: string;
beforeAll(async () => {
  server = await startBaoServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  name = randomUUID();
  path = `secret/${name}`;
  await allow(server, name, name, ["read", "create", "update"]);
});

function refusal(work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> {
  return work.then(
    () => ({ code: "none", message: "it went through" }),
    (error: unknown) => {
      if (error instanceof StoreError) return error;
      throw error;
    },
  );
}

describe("an entry", () => {
  it("keeps what else stands in it, as text that people can read", async () => {
    await server.api("PUT", `secret/data/${name}`, { data: { owner: "payments" } });
    const entry = await openEntry(accessTo(server, given(await server.tokenFor(name))), path);
    // Without our field there is no object of ours.
    expect(await entry.text()).toBeUndefined();
    expect(await entry.put('{"a":"é"}')).toMatchObject({ outcome: "written" });
    const { json } = await server.api("GET", `secret/data/${name}`);
    expect(json).toMatchObject({ data: { data: { owner: "payments", record: '{"a":"é"}' } } });
    entry.close();
  });

  it("is none once it was deleted, and can be made anew; an earlier version does not come back", async () => {
    const entry = await openEntry(accessTo(server, given(server.rootToken)), path);
    await entry.put("one");
    const first = await entry.read();
    await server.api("DELETE", `secret/data/${name}`);
    expect(await entry.read()).toBeUndefined();
    expect(await entry.put("two")).toMatchObject({ outcome: "written" });
    // With its metadata the numbers begin anew, and the old version's number is given out again.
    await server.api("DELETE", `secret/metadata/${name}`);
    expect(await entry.read()).toBeUndefined();
    expect(await entry.put("three")).toMatchObject({ outcome: "written" });
    expect(await entry.text()).toBe("three");
    expect((await entry.read())?.version).not.toBe(first?.version);
    expect(await entry.write(Buffer.from("late"), first?.version)).toEqual({ outcome: "refused" });
    entry.close();
  });

  it("that somebody turned into nonsense is told of and left", async () => {
    await server.api("PUT", `secret/data/${name}`, { data: { record: { token: "MARKED" } } });
    const entry = await openEntry(accessTo(server, given(server.rootToken)), path);
    const { code, message } = await refusal(entry.read());
    expect([code, message]).toEqual(["damaged", expect.stringContaining("its field record is no text")]);
    expect(message).not.toContain("MARKED");
    entry.close();
  });

  it("lies where the engine is mounted, however deep that is", async () => {
    await server.api("POST", `sys/mounts/deep/${name}`, { type: "kv", options: { version: "2" } });
    const entry = await openEntry(accessTo(server, given(server.rootToken)), `deep/${name}/app/token`);
    await expect.poll(() => entry.put("one").catch(() => undefined)).toMatchObject({ outcome: "written" });
    expect((await server.api("GET", `deep/${name}/data/app/token`)).status).toBe(200);
    entry.close();
  });
});

describe("a place that can't be one is refused before anything is written", () => {
  it.each([
    ["old/it", /no KV engine of version 2.*bao kv enable-versioning old/],
    ["nowhere/it", /403.*whether there is such a mount: bao secrets list|no secrets engine there/],
    ["cubbyhole/it", /no KV engine of version 2/],
  ])("%s", async (where, says) => {
    const entry = await openEntry(accessTo(server, given(server.rootToken)), where);
    for (const work of [entry.read(), entry.write(Buffer.from("x"), undefined)]) {
      expect(await refusal(work)).toMatchObject({ code: "refused", message: expect.stringMatching(says) });
    }
    expect((await server.api("GET", "old/data/it")).status).toBe(404);
    entry.close();
  });

  it("with a right to read alone", async () => {
    await allow(server, name, name, ["read"]);
    const entry = await openEntry(accessTo(server, given(await server.tokenFor(name))), path);
    expect(await entry.read()).toBeUndefined();
    expect(await refusal(entry.put("x"))).toMatchObject({
      code: "refused",
      message: expect.stringMatching(
        /403.*the create and update capability on secret\/data\/\S+: see bao token capabilities/,
      ),
    });
    entry.close();
  });
});

describe("logging in", () => {
  it("is done once for all that a process keeps there, and given back at the end", async () => {
    const access = accessTo(server, await makeRole(server, name, name));
    const [one, two] = [await openEntry(access, path), await openEntry(access, path)];
    await one.put("x");
    await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).text()));
    expect(await countLogins(server, name)).toBe(1);
    await one.logOut();
    one.close();
    expect(await two.text()).toBe("x");
    await two.logOut();
    two.close();
    expect(await countLogins(server, name)).toBe(0);
  });

  it("outlives the token's longest life without a failed read, with few logins", async () => {
    const login = await makeRole(server, name, name, { token_ttl: "3s", token_max_ttl: "8s" });
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    const endsAt = performance.now() + 12_000;
    let most = 0;
    while (performance.now() < endsAt) {
      expect(await entry.text()).toBe("x");
      most = Math.max(most, await countLogins(server, name));
      await systemClock.sleep(400);
    }
    // The next login's, and for a moment the one before it.
    expect(most).toBeLessThanOrEqual(2);
    await entry.logOut();
    entry.close();
  });

  it("is done anew after an outage that outlived the token", async () => {
    const login = await makeRole(server, name, name, { token_ttl: "2s", token_max_ttl: "2s" });
    const entry = await openEntry(accessTo(server, login), path);
    await entry.put("x");
    await server.seal();
    expect(await refusal(entry.read())).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("is sealed; have it unsealed with: bao operator unseal"),
    });
    await systemClock.sleep(2_500);
    await server.unseal();
    const backAt = performance.now();
    await expect.poll(() => entry.text().catch(() => undefined), { timeout: 40_000 }).toBe("x");
    expect(performance.now() - backAt).toBeLessThan(15_000);
    entry.close();
  });

  it("is done anew once where the token was revoked, and not for each refusal of a policy", async () => {
    const entry = await openEntry(accessTo(server, await makeRole(server, name, name)), path);
    await entry.put("x");
    await server.api("POST", "sys/leases/revoke-prefix/auth/approle", {});
    expect(await entry.text()).toBe("x");
    await allow(server, name, `${name}-else`, ["read"]);
    for (let tries = 0; tries < 10; tries += 1) await refusal(entry.read());
    expect(await countLogins(server, name)).toBeLessThanOrEqual(2);
    await allow(server, name, name, ["read"]);
    expect(await entry.text()).toBe("x");
    entry.close();
  });

  it("that is refused says what to look at, and is tried again", async () => {
    const login = await makeRole(server, name, name, { secret_id_num_uses: 1 });
    const first = await openEntry(accessTo(server, login), path);
    expect(await first.text()).toBeUndefined();
    const second = await openEntry(accessTo(server, { ...login }), path);
    expect(await refusal(second.read())).toMatchObject({
      code: "refused",
      message: expect.stringMatching(/refuses the login at auth\/approle \(400\).*secret_id_num_uses/),
    });
    first.close();
    second.close();
  });

  it("by a token: told where it will end, or can be used a few times only", async () => {
    const short = await server.tokenFor(name, { ttl: "60s", renewable: false });
    const counted = await server.tokenFor(name, { num_uses: 20 });
    const [one, two] = await Promise.all(
      [short, counted].map((token) => openEntry(accessTo(server, given(token)), path)),
    );
    await one?.read();
    await two?.read();
    expect(one?.warnings).toEqual([expect.stringMatching(/ends at .* and can't be renewed/)]);
    expect(two?.warnings).toEqual([
      expect.stringMatching(/may be used 19 times only|may be used 20 times only/),
    ]);
    one?.close();
    two?.close();
  });

  it("by a token that has expired: says so, and takes the one that is put into its file", async () => {
    const file = join(server.folder, `${name}.token`);
    await writeFile(file, "s.expired\n", { mode: 0o600 });
    const login = { method: "token", token: { kind: "file", path: file } } as const;
    const entry = await openEntry(accessTo(server, login), path);
    expect(await refusal(entry.read())).toMatchObject({
      code: "refused",
      message: expect.stringMatching(/The token in VAULT_TOKEN has expired, was revoked, or lacks/),
    });
    await writeFile(file, await server.tokenFor(name));
    expect(await entry.text()).toBeUndefined();
    entry.close();
  });
});

describe("a Vault that does not serve", () => {
  it("is waited for where it asked for that", async () => {
    const entry = await openEntry(accessTo(server, given(server.rootToken)), path);
    await entry.put("x");
    const quota = "sys/quotas/rate-limit/tight";
    await server.api("PUT", "sys/quotas/config", { enable_rate_limit_response_headers: true });
    await server.api("PUT", quota, { path: `secret/`, rate: 1, interval: "3s" });
    let refused = await refusal(entry.read());
    for (let tries = 0; tries < 5 && refused.code === "none"; tries += 1)
      refused = await refusal(entry.read());
    expect(refused).toMatchObject({ code: "unreachable", message: expect.stringContaining("429") });
    expect(entry.pollMs()).toBeGreaterThan(900);
    // Nothing is sent before that.
    expect(await refusal(entry.read())).toMatchObject({
      message: expect.stringContaining("asked to be left alone"),
    });
    await server.api("DELETE", quota);
    await expect.poll(() => entry.text().catch(() => undefined), { timeout: 40_000 }).toBe("x");
    entry.close();
  });

  it("is given up after 5 s where it is frozen, and served again over a new connection", async () => {
    const entry = await openEntry(accessTo(server, given(server.rootToken)), path);
    await entry.put("x");
    server.signal("SIGSTOP");
    try {
      const beganAt = performance.now();
      expect(await refusal(entry.read())).toMatchObject({
        code: "unreachable",
        message: expect.stringMatching(/no answer within 5 s/),
      });
      expect(performance.now() - beganAt).toBeLessThan(15_000);
    } finally {
      server.signal("SIGCONT");
    }
    expect(await entry.text()).toBe("x");
    entry.close();
  });

  it("is not believed without its CA, and Presto's is none of its business", async () => {
    const access = { ...accessTo(server, given(server.rootToken)), caFile: undefined };
    const entry = await openEntry(access, path);
    expect(await refusal(entry.read())).toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/certificate refused.*VAULT_CACERT/),
    });
    entry.close();
  });
});

it("has namespaces, each with entries of its own", async () => {
  await server.api("POST", `sys/namespaces/${name}`, {});
  await server.api("POST", `${name}/sys/mounts/secret`, { type: "kv", options: { version: "2" } });
  const entry = await openEntry(accessTo(server, given(server.rootToken), { namespace: name }), path);
  await expect.poll(() => entry.put("x").catch(() => undefined)).toMatchObject({ outcome: "written" });
  expect((await server.api("GET", `${name}/secret/data/${name}`)).status).toBe(200);
  expect((await server.api("GET", `secret/data/${name}`)).status).toBe(404);
  entry.close();
});

it("200 proxies cost it 200 logins, and 40 requests a second at rest", async () => {
  const login = await makeRole(server, name, name, { token_ttl: "1h" });
  const entries = await Promise.all(
    Array.from({ length: 200 }, () => openEntry(accessTo(server, { ...login }), path)),
  );
  let reads = 0;
  let failed = 0;
  const watches = entries.map((entry) =>
    createRecordWatch({
      store: createTokenStore(
        {
          ...entry,
          async read() {
            reads += 1;
            return entry.read();
          },
        },
        { keys: undefined, clock: systemClock },
      ),
      clock: systemClock,
      emit: () => void (failed += 1),
      pollMs: 5_000,
      urgentPollMs: 1_000,
      random: () => 0.5,
      onRecord() {},
    }),
  );
  await entries[0]?.put(JSON.stringify(plainRecord()));
  // All of them are one process here, whose handshakes would wait for each other.
  for (let first = 0; first < watches.length; first += 10) {
    await Promise.all(watches.slice(first, first + 10).map((watch) => watch.refresh()));
  }
  for (const watch of watches) watch.start();
  [reads, failed] = [0, 0];
  await systemClock.sleep(15_000);
  expect(failed).toBe(0);
  // A busy machine reads less often.
  expect(reads / 15).toBeGreaterThan(10);
  expect(reads / 15).toBeLessThan(45);
  expect(await countLogins(server, name)).toBe(200);
  for (const watch of watches) watch.close();
  for (const entry of entries) entry.close();
});

/** One that a store reads. */
function plainRecord(): object {
  return {
    schema: 1,
    generation: 1,
    token: "1111|token",
    name: null,
    issuedAt: null,
    expiresAt: null,
    intent: null,
    unexplainedDeaths: [],
    stopped: null,
    writtenBy: null,
  };
}
