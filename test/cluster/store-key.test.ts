import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { runCli, type RunningCli, startCli } from "../support/built-cli.ts";
import { until } from "../support/until.ts";
import { ask, askForNone, statusOf } from "./ask.ts";
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
  let folder: string;
  let serial = 0;
  let running: RunningCli[] = [];
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
    folder = await mkdtemp(join(tmpdir(), "store-key-"));
    await writeFile(join(folder, "ca.pem"), sandbox.caPem);
    await setKeys(old);
  });
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true });
  });

  const at = (name: string): string => join(folder, name);

  /** As kubelet brings another one into the mount. */
  async function setKeys(...keys: readonly (string | undefined)[]): Promise<void> {
    await writeFile(at("keys"), `${keys.join(",")}\n`, { mode: 0o600 });
  }

  function environment(id: string): Record<string, string> {
    return {
      ...place.env,
      PRESTO_URL: sandbox.url,
      PRESTO_CA_FILE: at("ca.pem"),
      PRESTO_STORE_KEY_FILE: at("keys"),
      PRESTO_LISTEN: `unix:${at(`${id}-proxy`)}`,
      PRESTO_ADMIN_LISTEN: `unix:${at(`${id}-admin`)}`,
      PRESTO_CONTROL_LISTEN: "off",
    };
  }

  async function importToken(keys?: string, another = sandbox.mintToken().token): Promise<void> {
    const { PRESTO_STORE_KEY_FILE: file, ...rest } = environment("command");
    const env =
      keys === undefined ? { ...rest, PRESTO_STORE_KEY_FILE: file } : { ...rest, PRESTO_STORE_KEY: keys };
    // Another each time, unless one is given, which kills the one before.
    token = another;
    expect(await runCli(["token", "import"], { env, stdin: token })).toMatchObject({
      code: 0,
      err: "",
    });
  }

  async function serve(): Promise<void> {
    running = ["one", "two"].map((id) => startCli(["start"], { env: environment(id) }));
    for (const id of ["one", "two"]) {
      await until(async () => ((await ask(at(`${id}-admin`), "/readyz")).status === 200 ? true : undefined), {
        withinMs: 30_000,
        everyMs: 50,
        what: () => `${id} is ready: ${running.map(({ out, err }) => out() + err()).join("")}`,
      });
    }
  }

  async function untilFollowed(generation: number): Promise<void> {
    for (const id of ["one", "two"]) {
      await until(
        async () => ((await statusOf(at(`${id}-admin`)))["generation"] === generation ? true : undefined),
        {
          withinMs: 15_000,
          everyMs: 50,
          what: `${id} has generation ${generation}`,
        },
      );
      expect(await askForNone(at(`${id}-proxy`))).toBe(404);
    }
  }

  async function sealedBy(key: string | undefined): Promise<boolean> {
    const { code, out } = await runCli(["token", "show", "--json"], {
      env: { ...environment("command"), PRESTO_STORE_KEY_FILE: undefined, PRESTO_STORE_KEY: key },
    });
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
    const { out } = await runCli(["doctor", "--json"], { env: environment("one") });
    expect(JSON.parse(out).find(({ check }: { check: string }) => check === "store")).toMatchObject({
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
    for (const id of ["one", "two"]) {
      await until(
        async () => {
          const { generation, store_state: state } = await statusOf(at(`${id}-admin`));
          return generation === 1 && /store key/.test(String(Object(state).failure)) ? true : undefined;
        },
        { withinMs: 15_000, everyMs: 50, what: `${id} says that it can't open it` },
      );
      expect(await askForNone(at(`${id}-proxy`))).toBe(404);
    }
    await setKeys(old, next);
    await importToken();
    await untilFollowed(3);
  });
});
