import { existsSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { startHeldPresto } from "../support/held-presto.ts";
import type { HeldPresto } from "../support/held-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";

let folder: string;
let presto: HeldPresto;
const sidecars: RunningSidecar[] = [];
const names = ["proxy", "admin", "control"] as const;
const pathOf = (name: (typeof names)[number]): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sockets-"));
  presto = await startHeldPresto();
});

afterEach(async () => {
  for (const sidecar of sidecars.splice(0)) await sidecar.close();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    url: presto.url,
    caPem: presto.authority.certPem,
    env: {
      PRESTO_LISTEN: `unix:${pathOf("proxy")}`,
      PRESTO_ADMIN_LISTEN: `unix:${pathOf("admin")}`,
      PRESTO_CONTROL_LISTEN: `unix:${pathOf("control")}`,
    },
  });
  sidecars.push(sidecar);
  return sidecar;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

it("a sidecar that ends removes its own sockets, and not those of one that has taken their places", async () => {
  const first = await start();
  for (const name of names) rmSync(pathOf(name));
  const second = await start();
  const made = names.map((name) => lstatSync(pathOf(name)).ino);

  await first.close();
  expect(names.map((name) => lstatSync(pathOf(name)).ino)).toEqual(made);
  for (const name of names) expect(await accepts(pathOf(name))).toBe(true);

  await second.close();
  for (const name of names) expect(existsSync(pathOf(name))).toBe(false);
});
