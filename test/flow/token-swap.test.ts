import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createSandbox } from "../../src/sandbox/server.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { createFastClock } from "../support/fast-clock.ts";
import { exchange } from "../support/raw-caller.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { callLines, eventually, loadOf, noLoad, scrape } from "../support/sidecar-load.ts";
import { initCall, queryCall } from "../support/wallet-call.ts";

let folder: string;
let sandbox: Sandbox;
let sidecar: RunningSidecar | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "token-swap-"));
  sandbox = createSandbox();
  await sandbox.start();
});

afterEach(async () => {
  await sidecar?.close();
  await sandbox.close();
  rmSync(folder, { recursive: true, force: true });
});

/** How a token file is replaced by whoever looks after it; each begins by making the first one. */
interface Way {
  readonly name: string;
  /** The path that the sidecar is given. */
  readonly file: string;
  readonly put: (token: string) => void;
}

let version = 0;
const ways: readonly Way[] = [
  {
    name: "written anew in place",
    file: "token",
    put: (token) => writeFileSync(join(folder, "token"), `${token}\n`),
  },
  {
    name: "replaced by a rename",
    file: "token",
    put(token) {
      writeFileSync(join(folder, "token.new"), token);
      renameSync(join(folder, "token.new"), join(folder, "token"));
    },
  },
  {
    name: "swapped by a Kubernetes mount",
    file: "token",
    put(token) {
      // As the kubelet does it: a new folder, a link to it renamed over ..data, the old folder removed.
      version += 1;
      const fresh = `..v${version}`;
      mkdirSync(join(folder, fresh));
      writeFileSync(join(folder, fresh, "token"), token);
      symlinkSync(fresh, join(folder, "..data_tmp"));
      renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
      if (version === 1) symlinkSync("..data/token", join(folder, "token"));
      else rmSync(join(folder, `..v${version - 1}`), { recursive: true });
    },
  },
  {
    name: "removed and made again",
    file: "token",
    put(token) {
      if (version > 0) unlinkSync(join(folder, "token"));
      version += 1;
      writeFileSync(join(folder, "token"), token);
    },
  },
];

describe("64 callers see nothing of it when the token is revoked and its file is", () => {
  it.each(ways)("$name", async ({ file, put }) => {
    version = 0;
    put(sandbox.token);
    sidecar = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: { PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: join(folder, file) },
    });
    const running = sidecar;
    let stop = false;
    const statuses: number[] = [];
    const callers = Array.from({ length: 64 }, async () => {
      while (!stop) statuses.push((await exchange(running, initCall())).status);
    });

    for (let swap = 0; swap < 3; swap += 1) {
      const before = statuses.length;
      await eventually(() => statuses.length).toBeGreaterThan(before + 64);
      const rejected = await rejections();
      const { token } = sandbox.mintToken();
      // The old one is dead, the new one is nowhere yet: now some calls get a 401, and wait.
      await eventually(rejections).toBeGreaterThan(rejected);
      put(token);
    }
    const before = statuses.length;
    await eventually(() => statuses.length).toBeGreaterThan(before + 128);
    stop = true;
    await Promise.all(callers);

    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(callLines(running).filter((line) => line["status"] !== 200)).toEqual([]);
    await eventually(() => loadOf(running)).toEqual(noLoad);
    // Each call acted once: a 401 is proof that nothing was done.
    expect(sandbox.state().transactions).toHaveLength(statuses.length);
  });
});

async function rejections(): Promise<number> {
  if (sidecar === undefined) return 0;
  return (await scrape(sidecar)).value("presto_sidecar_token_rejections_total") ?? 0;
}

describe("a new token is noticed at once, and not by the next poll, when its file is", () => {
  it.each(ways)("$name", async ({ file, put }) => {
    version = 0;
    put(sandbox.token);
    sidecar = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: { PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: join(folder, file) },
      // Too slow for its poll to come within this test.
      clock: createFastClock(0.02),
    });
    const running = sidecar;
    for (const generation of [1, 2]) {
      put(`token-${generation}`);
      await eventually(() => running.log()).toContain(`"generation":${generation},`);
    }
  });
});

describe("a token file that goes wrong", () => {
  it("never takes the token in hand away", async () => {
    const path = join(folder, "token");
    writeFileSync(path, sandbox.token);
    sidecar = await startSidecar({
      url: sandbox.url,
      caPem: sandbox.caPem,
      env: { PRESTO_TOKEN: undefined, PRESTO_TOKEN_FILE: path },
    });
    const spoil: readonly (() => void)[] = [
      () => writeFileSync(path, ""),
      () => writeFileSync(path, "two words"),
      () => rmSync(path),
      () => mkdirSync(path),
    ];
    for (const act of spoil) {
      act();
      await sidecar.app.reload().catch(() => {});
      expect((await exchange(sidecar, queryCall("T1"))).status).toBe(404);
    }
    expect((await fetch(`http://127.0.0.1:${sidecar.adminPort}/readyz`)).status).toBe(200);
  });
});
