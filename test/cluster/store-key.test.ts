import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { askForNone } from "../support/ask.ts";
import { openProgramStage, type ProgramStage } from "../support/program-stage.ts";
import { until } from "../support/until.ts";
import { makeNamespace, makeSecret } from "./kube/namespace.ts";
import { startKubeServer } from "./kube/server.ts";
import { startBaoServer } from "./vault/server.ts";
import { allow } from "./vault/stores.ts";

// The key that seals is changed while proxies run: no call fails, and nobody is started anew but who writes.

const [old, next] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString("base64"));

/** Where the record is kept, for one run. */
interface SealedPlace {
  /** What leads there. */
  readonly env: Readonly<Record<string, string>>;
  /** What stands there, as its server has it. */
  text(): Promise<string>;
}

interface Server {
  place(name: string): Promise<SealedPlace>;
  close(): Promise<void>;
}

async function kubernetes(): Promise<Server> {
  const kube = await startKubeServer();
  await makeNamespace(kube, "presto");
  return {
    async place(name) {
      await makeSecret(kube, "presto", name);
      return {
        env: { PRESTO_STORE: `kubernetes:presto/${name}`, KUBECONFIG: kube.kubeconfig },
        async text() {
          const { json } = await kube.admin("GET", `/api/v1/namespaces/presto/secrets/${name}`);
          return Buffer.from(String(Object(json).data.record), "base64").toString();
        },
      };
    },
    close: kube.close,
  };
}

async function vault(): Promise<Server> {
  const bao = await startBaoServer();
  return {
    async place(name) {
      await allow(bao, name, name, ["read", "create", "update"]);
      return {
        env: {
          PRESTO_STORE: `vault:secret/${name}`,
          VAULT_ADDR: bao.url,
          VAULT_CACERT: bao.caFile,
          VAULT_TOKEN: await bao.tokenFor(name),
        },
        async text() {
          const { json } = await bao.api("GET", `secret/data/${name}`);
          return String(Object(json).data.data.record);
        },
      };
    },
    close: bao.close,
  };
}

describe.each([
  ["kubernetes", kubernetes],
  ["vault", vault],
] as const)("the key of a record in %s", (_kind, open) => {
  let server: Server;
  let sandbox: Sandbox;
  let place: SealedPlace;
  let token: string;
  let keys: string;
  let serial = 0;
  let proxies: ProgramStage[] = [];
  beforeAll(async () => {
    [server, sandbox] = [await open(), createSandbox({ issuedAgoMs: 60 * 60_000 })];
    await sandbox.start();
  });
  afterAll(async () => {
    await sandbox.close();
    await server.close();
  });
  beforeEach(async () => {
    serial += 1;
    place = await server.place(`sealed-${serial}`);
    keys = await mkdtemp(join(tmpdir(), "store-key-"));
    await setKeys(old);
    const env = { ...place.env, PRESTO_STORE_KEY_FILE: join(keys, "keys"), PRESTO_CONTROL_LISTEN: "off" };
    proxies = [await openProgramStage(sandbox, env), await openProgramStage(sandbox, env)];
  });
  afterEach(async () => {
    for (const stage of proxies) await stage.close();
    await rm(keys, { recursive: true });
  });

  /** As kubelet brings another one into the mount. */
  async function setKeys(...all: readonly (string | undefined)[]): Promise<void> {
    await writeFile(join(keys, "keys"), `${all.join(",")}\n`, { mode: 0o600 });
  }

  function first(): ProgramStage {
    const [stage] = proxies;
    if (stage === undefined) throw new Error("there is no stage");
    return stage;
  }

  const byValue = (key: string | undefined) => ({ PRESTO_STORE_KEY_FILE: undefined, PRESTO_STORE_KEY: key });

  async function importToken(key?: string, another = sandbox.mintToken().token): Promise<void> {
    // Another each time, unless one is given, which kills the one before.
    token = another;
    const more = key === undefined ? {} : byValue(key);
    expect(await first().run(["token", "import"], more, token)).toMatchObject({ code: 0, err: "" });
  }

  async function serve(): Promise<void> {
    for (const stage of proxies) stage.start();
    for (const stage of proxies) await stage.ready();
  }

  async function untilFollowed(generation: number): Promise<void> {
    for (const stage of proxies) {
      await until(async () => ((await stage.status())["generation"] === generation ? true : undefined), {
        withinMs: 60_000,
        everyMs: 50,
        what: () => `generation ${generation}: ${stage.output()}`,
      });
      expect(await askForNone(stage.at("proxy"))).toBe(404);
    }
  }

  async function sealedBy(key: string | undefined): Promise<boolean> {
    const { code, out } = await first().run(["token", "show", "--json"], byValue(key));
    expect(await place.text()).not.toContain(token);
    return code === 0 && out.includes("generation");
  }

  it("is changed in three steps: all may open, the new one seals, the old one goes", async () => {
    await importToken();
    await serve();
    await setKeys(old, next);
    await importToken();
    await untilFollowed(2);
    expect([await sealedBy(old), await sealedBy(next)]).toEqual([true, false]);

    await setKeys(next, old);
    expect((await first().doctor()).of("store")).toMatchObject({
      result: "WARN",
      detail: expect.stringContaining("with another than the first of the store keys"),
    });
    await importToken();
    await untilFollowed(3);
    expect([await sealedBy(old), await sealedBy(next)]).toEqual([false, true]);

    await setKeys(next);
    await importToken();
    await untilFollowed(4);
  });

  it("that reaches proxies too late costs no call: the token in hand serves until the key is there", async () => {
    await importToken();
    await serve();
    // Of somebody else, so that the one in hand lives on.
    await importToken(`${next},${old}`, "another-token");
    for (const stage of proxies) {
      await until(
        async () => {
          const { generation, store_state: state } = await stage.status();
          return generation === 1 && /store key/.test(String(Object(state).failure)) ? true : undefined;
        },
        { withinMs: 60_000, everyMs: 50, what: "it says that it can't open it" },
      );
      expect(await askForNone(stage.at("proxy"))).toBe(404);
    }
    await setKeys(old, next);
    await importToken();
    await untilFollowed(3);
  });
});
