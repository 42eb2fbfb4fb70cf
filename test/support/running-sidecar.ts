import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";

import { createApp } from "../../src/app.ts";
import type { App, AppAddresses } from "../../src/app.ts";
import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createLog } from "../../src/observe/log.ts";

export interface RunningSidecar {
  readonly app: App;
  readonly addresses: AppAddresses;
  /** Port of the first proxy listener that is TCP. */
  readonly port: number;
  readonly adminPort: number;
  /** What was logged so far. */
  log(): string;
  /** The log's lines, parsed. */
  lines(): readonly Record<string, unknown>[];
  close(): Promise<void>;
}

export interface SidecarOptions {
  /** Origin of the server that plays Presto, and the certificate that it is trusted by. */
  readonly url: string;
  readonly caPem: string;
  /** Further variables, or others than the defaults here. Undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The system's unless given. */
  readonly clock?: Clock;
  /** What POST /quit on the control listener does. */
  readonly onQuit?: () => void;
}

/** Starts a whole sidecar in this process, on ports that the system chooses, with a configuration read from variables as usual. */
export async function startSidecar(options: SidecarOptions): Promise<RunningSidecar> {
  const folder = mkdtempSync(join(tmpdir(), "presto-sidecar-test-"));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, options.caPem);
  const config = loadConfig(
    {
      PRESTO_URL: options.url,
      PRESTO_CA_FILE: caFile,
      PRESTO_TOKEN: "token-of-the-tests",
      PRESTO_LISTEN: "127.0.0.1:0",
      PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
      PRESTO_CONTROL_LISTEN: "off",
      PRESTO_LOG_LEVEL: "trace",
      ...options.env,
    },
    [],
  );
  const chunks: Buffer[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  const log = createLog({ level: config.logLevel, destination });
  const app = await createApp(config, {
    clock: options.clock ?? systemClock,
    log,
    onQuit: options.onQuit ?? (() => {}),
  });
  let addresses: AppAddresses;
  try {
    addresses = await app.start();
  } catch (error) {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const text = (): string => Buffer.concat(chunks).toString("utf8");
  return {
    app,
    addresses,
    port: portOf(addresses.proxy.find((address) => address.kind === "tcp")),
    adminPort: portOf(addresses.admin),
    log: text,
    lines: () => text().split("\n").filter(Boolean).map(parseLine),
    async close() {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function portOf(address: AppAddresses["admin"] | undefined): number {
  return address?.kind === "tcp" ? address.port : 0;
}

function parseLine(line: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(line);
  return typeof parsed === "object" && parsed !== null ? Object.fromEntries(Object.entries(parsed)) : {};
}
