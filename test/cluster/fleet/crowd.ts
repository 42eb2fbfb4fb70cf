import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";

import { type App, createApp } from "../../../src/app.ts";
import { systemClock } from "../../../src/clock.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { createLog } from "../../../src/observe/log.ts";
import type { Sandbox } from "../../../src/sandbox/server.ts";
import { askForNone } from "../../support/ask.ts";
import { until } from "../../support/until.ts";
import type { FleetPlace } from "./place.ts";

/** Many proxies in one process: whole sidecars with listeners, each with its own way to the store. */
export interface Crowd {
  readonly size: number;
  /** Waits until all have the token of that generation in hand for their next call. @returns when each had it: wall clock, milliseconds */
  haveTaken(generation: number, withinMs: number): Promise<readonly number[]>;
  /** Has each of them make a call, which is refused or not, after the other, until it is told to stop. */
  call(restMs: number): { stop(): Promise<void> };
  close(): Promise<void>;
}

interface Proxy {
  readonly app: App;
  readonly socket: string;
  /** When a token came into its hand, by its generation. */
  readonly takenAt: Map<number, number>;
}

/** So many start at a time: one process has one core for all their handshakes. */
const atATime = 4;

export async function startCrowd(size: number, place: FleetPlace, sandbox: Sandbox): Promise<Crowd> {
  const folder = await mkdtemp(join(tmpdir(), "crowd-"));
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, sandbox.caPem);
  const env = { ...place.env("proxy"), PRESTO_URL: sandbox.url, PRESTO_CA_FILE: caFile };

  async function startOne(number: number): Promise<Proxy> {
    const socket = join(folder, `${number}.proxy`);
    const takenAt = new Map<number, number>();
    const config = loadConfig(
      {
        ...env,
        PRESTO_LISTEN: `unix:${socket}`,
        PRESTO_ADMIN_LISTEN: `unix:${join(folder, `${number}.admin`)}`,
        PRESTO_CONTROL_LISTEN: "off",
      },
      [],
    );
    const log = createLog({ level: "info", destination: createReader(takenAt) });
    const app = await createApp(config, { clock: systemClock, log, onQuit() {} });
    await app.start();
    return { app, socket, takenAt };
  }

  const proxies: Proxy[] = [];
  for (let first = 0; first < size; first += atATime) {
    const numbers = Array.from({ length: Math.min(atATime, size - first) }, (_, index) => first + index);
    proxies.push(...(await Promise.all(numbers.map(startOne))));
  }
  return {
    size,
    haveTaken: (generation, withinMs) =>
      until(
        () => {
          const times = proxies.flatMap(({ takenAt }) => takenAt.get(generation) ?? []);
          return times.length === size ? times : undefined;
        },
        { withinMs, everyMs: 20, what: `generation ${generation} in the hands of all` },
      ),
    call(restMs) {
      let going = true;
      const running = proxies.map(async ({ socket }, index) => {
        await systemClock.sleep((restMs * index) / size);
        while (going) {
          await askForNone(socket);
          await systemClock.sleep(restMs);
        }
      });
      return {
        async stop() {
          going = false;
          await Promise.all(running);
        },
      };
    },
    async close() {
      await Promise.all(proxies.map(({ app }) => app.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Keeps of a log only which token came into hand, and when. */
function createReader(takenAt: Map<number, number>): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      for (const line of text.split("\n")) {
        if (!line.includes("A token is in hand that was not before.")) continue;
        const { generation, time } = Object(JSON.parse(line));
        takenAt.set(Number(generation), Date.parse(String(time)));
      }
      done();
    },
  });
}
