import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import type { Sandbox } from "../../../src/sandbox/server.ts";
import { ask, askForNone } from "../../support/ask.ts";
import { until } from "../../support/until.ts";
import { watchCli } from "../../support/watched-cli.ts";
import type { FleetPlace } from "./place.ts";

/** What a process has of its own, and what it uses while it rests. */
export interface Rest {
  /** Of its own alone: MiB. */
  readonly memory: number;
  /** Processor time, milliseconds a second. */
  readonly cpu: number;
}

/** A proxy that follows the token in a store, beside one that was given it. */
export interface AtRest {
  readonly given: Rest;
  readonly following: Rest;
}

/** Milliseconds from a process's only call to the first look, and from that to the second. */
const settlesMs = 9_000;
const restsMs = 30_000;
/** Linux counts processor time in hundredths of a second. */
const msPerTick = 10;

/** What following the store costs a proxy at rest: the built program, started so many times each way, side by side; medians. */
export async function measureAtRest(place: FleetPlace, sandbox: Sandbox, starts: number): Promise<AtRest> {
  const folder = await mkdtemp(join(tmpdir(), "at-rest-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, sandbox.caPem);
  const rest = async (name: string, env: Readonly<Record<string, string>>): Promise<Rest> => {
    const at = (socket: string): string => join(folder, `${name}.${socket}`);
    const running = watchCli(["start"], {
      env: {
        ...env,
        PRESTO_URL: sandbox.url,
        PRESTO_CA_FILE: caFile,
        PRESTO_LISTEN: `unix:${at("proxy")}`,
        PRESTO_ADMIN_LISTEN: `unix:${at("admin")}`,
        PRESTO_CONTROL_LISTEN: "off",
      },
    });
    try {
      const ready = { withinMs: 30_000, everyMs: 50, what: () => `ready: ${running.out()}${running.err()}` };
      await until(async () => ((await ask(at("admin"), "/readyz")).status === 200 ? true : undefined), ready);
      // The first answer has undici's parser compiled, the store's or Presto's.
      if ((await askForNone(at("proxy"))) !== 404) throw new Error("the call was not answered by Presto");
      const { pid } = running.child;
      await pause(settlesMs);
      const before = await ticksOf(pid);
      const beganAt = performance.now();
      await pause(restsMs);
      const ticks = (await ticksOf(pid)) - before;
      return {
        memory: await ownMemory(pid),
        cpu: (ticks * msPerTick) / ((performance.now() - beganAt) / 1_000),
      };
    } finally {
      running.child.kill("SIGKILL");
      await running.ended;
    }
  };
  const all: AtRest[] = [];
  try {
    for (let start = 0; start < starts; start += 1) {
      const [given, following] = await Promise.all([
        rest(`given-${start}`, { PRESTO_TOKEN: sandbox.token }),
        rest(`following-${start}`, place.env("proxy")),
      ]);
      all.push({ given, following });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return {
    given: medianOf(all.map(({ given }) => given)),
    following: medianOf(all.map(({ following }) => following)),
  };
}

async function ownMemory(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB$/gm)].map(([, size]) => Number(size));
  return kib.reduce((sum, size) => sum + size, 0) / 1024;
}

/** User's and system's, of a process whose name has no blank. */
async function ticksOf(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).replace(/^.*\) /s, "").split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function medianOf(rests: readonly Rest[]): Rest {
  const median = (values: readonly number[]): number =>
    values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
  return { memory: median(rests.map(({ memory }) => memory)), cpu: median(rests.map(({ cpu }) => cpu)) };
}
