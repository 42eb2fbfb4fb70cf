import { describe, expect, it } from "vitest";

import { Secret } from "../../../../src/secret.ts";
import { StoreError } from "../../../../src/store/contract.ts";
import type { Use } from "../../../../src/store/inspection.ts";
import type { RemoteResponse } from "../../../../src/store/remote.ts";
import { parseVaultAddress, type VaultLogin } from "../../../../src/store/vault/access.ts";
import { inspectEntry } from "../../../../src/store/vault/inspect.ts";
import type { VaultRequest } from "../../../../src/store/vault/login.ts";

const now = Date.parse("2026-11-24T12:00:00Z");
const date = "Tue, 24 Nov 2026 12:00:07 GMT";
const data = "secret/data/presto";
const metadata = "secret/metadata/presto";

const approle: VaultLogin = {
  method: "approle",
  mount: "approle",
  roleId: "role",
  secretId: { kind: "value", secret: new Secret("MARKED-secret-id") },
};
const given: VaultLogin = { method: "token", token: { kind: "value", secret: new Secret("MARKED-token") } };

/** What a Vault answers, by method and path; nothing there: its policies refuse it. */
type Answers = Readonly<Record<string, object | undefined>>;

const mount = { data: { path: "secret/", type: "kv", options: { version: "2" } } };

function granting(onData: readonly string[], onMetadata: readonly string[] = ["deny"]): Answers {
  return { "POST sys/capabilities-self": { data: { [data]: onData, [metadata]: onMetadata } } };
}

async function inspect(
  answers: Answers,
  { use = "follow", login = approle }: { use?: Use; login?: VaultLogin } = {},
) {
  const all: Answers = {
    "GET sys/internal/ui/mounts/secret/presto": mount,
    "GET auth/token/lookup-self": {
      data: { ttl: 3_600, renewable: true, num_uses: 0, policies: ["presto"] },
    },
    [`GET ${data}`]: {
      data: { data: { record: "MARKED-record" }, metadata: { version: 7, deletion_time: "" } },
    },
    ...granting(["read"]),
    ...answers,
  };
  const asked: string[] = [];
  const request = async (_subject: string, { method, path }: VaultRequest): Promise<RemoteResponse> => {
    asked.push(`${method} ${path}`);
    const answer = all[`${method} ${path}`];
    if (answer === undefined) throw new StoreError("refused", "Vault refuses it (403).");
    return { status: 200, headers: { date }, body: Buffer.from(JSON.stringify(answer)) };
  };
  const address = parseVaultAddress("https://vault.example:8200");
  if (typeof address === "string") throw new Error(address);
  const found = await inspectEntry(
    {
      entry: { path: "secret/presto", field: "record" },
      access: { address, namespace: undefined, caFile: undefined, login },
      use,
    },
    { session: { request }, clock: { now: () => now } },
  );
  expect(JSON.stringify(found)).not.toContain("MARKED");
  // What it may do is asked for, and not tried.
  expect(asked.filter((each) => !each.startsWith("GET ") && each !== "POST sys/capabilities-self")).toEqual(
    [],
  );
  return { ...found, asked };
}

describe("what a Vault says of an entry and of this process", () => {
  it("how it logged in, for how long, that it may read, and at which version the entry is", async () => {
    const { login, rights, object, dated } = await inspect({});
    expect(login).toEqual({
      result: "OK",
      detail:
        "The Vault at https://vault.example:8200 knows this process by the login approle, whose token lives for 60 minutes and is renewed by then.",
    });
    expect(rights).toEqual({ result: "OK", detail: `This process has read on ${data}.` });
    expect(object).toMatchObject({
      result: "OK",
      detail: expect.stringMatching(/KV engine of version 2.*at version 7\.$/),
    });
    expect(dated).toEqual({ date, sentAt: now, receivedAt: now });
  });

  it("each capability that is missing, with the policy that gives it", async () => {
    expect((await inspect({}, { use: "renew" })).rights).toEqual({
      result: "FAIL",
      detail: `This process lacks the create and update capability on ${data}.`,
      mend: `Have a policy of its role say so: echo 'path "${data}" { capabilities = ["read", "create", "update"] }' | bao policy write NAME -`,
    });
    const { rights, object, asked } = await inspect(granting(["deny"]));
    expect(rights).toMatchObject({
      result: "FAIL",
      detail: `This process lacks the read capability on ${data}.`,
    });
    expect(object.result).toBe("SKIP");
    expect(asked).not.toContain(`GET ${data}`);
    expect((await inspect(granting(["root"]), { use: "renew" })).rights.result).toBe("OK");
  });

  it.each([
    [
      "one that ends and can't be renewed",
      { ttl: 3_600, renewable: false },
      given,
      /ends at 2026-11-24T13:00:00\.000Z and can't be renewed.*-period=24h/,
    ],
    ["one of few uses", { ttl: 0, num_uses: 20 }, given, /used 20 more times.*-use-limit=0/],
    ["a root token", { ttl: 0, policies: ["root"] }, given, /root token/],
    [
      "logins of few uses",
      { ttl: 60, renewable: true, num_uses: 20 },
      approle,
      /logs in again and again.*token_num_uses=0/,
    ],
  ])("a token that will be trouble: %s", async (_what, looked, login, says) => {
    const { login: found } = await inspect({ "GET auth/token/lookup-self": { data: looked } }, { login });
    expect(found.result).toBe("WARN");
    expect(`${found.detail} ${"mend" in found ? found.mend : ""}`).toMatch(says);
  });

  it("a token without an end, and one that may not look at itself", async () => {
    expect((await inspect({ "GET auth/token/lookup-self": { data: { ttl: 0 } } })).login).toMatchObject({
      result: "OK",
      detail: expect.stringContaining("no end"),
    });
    expect((await inspect({ "GET auth/token/lookup-self": undefined })).login.result).toBe("SKIP");
    expect((await inspect({ "POST sys/capabilities-self": undefined })).rights.result).toBe("SKIP");
  });

  it("an engine that will delete the token by itself", async () => {
    const deleting = { version: 7, deletion_time: "2026-12-01T00:00:00Z" };
    const { object } = await inspect({ [`GET ${data}`]: { data: { data: {}, metadata: deleting } } });
    expect(object).toMatchObject({
      result: "WARN",
      detail: expect.stringContaining("at 2026-12-01T00:00:00.000Z"),
      mend: "Have it keep its versions: bao kv metadata put -delete-version-after=0s secret/presto",
    });
  });

  it.each([
    [true, /demands the same/],
    [false, /does not \(cas_required\)/],
  ])("whether it demands cas of others, where it may see that: %s", async (demands, says) => {
    const { object } = await inspect({
      ...granting(["read"], ["read"]),
      [`GET ${metadata}`]: { data: { cas_required: demands } },
    });
    expect(object.detail).toMatch(says);
  });

  it("no right below the mount, which is then not shown: the capability that is missing all the same", async () => {
    const { rights, object } = await inspect({
      "GET sys/internal/ui/mounts/secret/presto": undefined,
      ...granting(["deny"]),
    });
    expect(rights).toMatchObject({
      result: "FAIL",
      detail: `This process lacks the read capability on ${data}.`,
    });
    expect(object.result).toBe("SKIP");
  });

  it("an engine of version 1", async () => {
    const old = { data: { path: "secret/", type: "kv", options: {} } };
    await expect(inspect({ "GET sys/internal/ui/mounts/secret/presto": old })).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining("bao kv enable-versioning secret"),
    });
  });
});
