import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, expect, it } from "vitest";

import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { eventually } from "../support/sidecar-load.ts";
import { queryCall } from "../support/wallet-call.ts";

// What comparable programs were reported to fall over: https://github.com/nodejs/node/issues/1184 is the first.

const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
let folder: string;
let presto: RawPresto;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "odd-surroundings-"));
  presto = await startRawPresto();
  presto.answer(({ socket }) => void socket.write(httpAnswer(200)));
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  mkdirSync(join(folder, "gone"));
});
afterEach(async () => {
  await presto.close();
  rmSync(folder, { recursive: true });
});

it.each([
  ["its working directory was deleted", 'cd "$1" && rmdir "$1" && exec "$2" "$3" start'],
  ["its three first descriptors are closed", 'exec "$2" "$3" start <&- >&- 2>&-'],
  ["nobody reads its standard output any more", '"$2" "$3" start & echo $!; exec >&-; wait'],
  [
    "its clock is the farthest east, in no language",
    'export TZ=Pacific/Kiritimati LC_ALL=C; exec "$2" "$3" start',
  ],
  ["it has one thread for files", 'export UV_THREADPOOL_SIZE=1; exec "$2" "$3" start'],
  [
    "heads are limited for all that Node does",
    'export NODE_OPTIONS=--max-http-header-size=300; exec "$2" "$3" start',
  ],
])("starts, serves and ends where %s", async (_what, script) => {
  const socket = join(folder, "proxy");
  const child = spawn("/bin/sh", ["-c", script, "sh", join(folder, "gone"), process.execPath, main], {
    env: {
      PATH: process.env["PATH"],
      PRESTO_URL: presto.url,
      PRESTO_CA_FILE: join(folder, "ca.pem"),
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: `unix:${socket}`,
      PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
      PRESTO_CONTROL_LISTEN: "off",
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  const [first] = script.includes("echo $!") ? await once(child.stdout, "data") : [];
  const pid = first === undefined ? (child.pid ?? 0) : Number(String(first).split("\n", 1)[0]);
  child.stdout.destroy();
  try {
    await eventually(async () => {
      try {
        return (await exchange({ path: socket }, queryCall("T1"))).status;
      } catch {
        return "nobody";
      }
    }).toBe(200);
    process.kill(pid, "SIGTERM");
    expect((await ended)[0]).toBe(0);
  } finally {
    child.kill("SIGKILL");
  }
});
