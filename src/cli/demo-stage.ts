import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createApp } from "../app.ts";
import { loadConfig } from "../config/load.ts";
import { createLog } from "../observe/log.ts";
import { createSandbox, type Sandbox } from "../sandbox/server.ts";
import type { Io } from "./command.ts";
import { freePorts } from "./free-ports.ts";

/** A sandbox and a real sidecar in front of it, both running. */
export interface DemoStage {
  readonly sandbox: Sandbox;
  /** Where an app calls: `http://127.0.0.1:7380`. */
  readonly sidecarUrl: string;
  readonly adminUrl: string;
  /** Stops both, and removes the temporary folder. */
  close(): Promise<void>;
}

/** Starts both on loopback ports; the sidecar's own ones unless they are taken. Throws as `start` does. */
export async function openDemoStage(io: Io): Promise<DemoStage> {
  const [sandboxPort = 0, port, adminPort, controlPort] = await freePorts([7443, 7380, 7381, 7382]);
  const sandbox = createSandbox({ port: sandboxPort });
  const folder = mkdtempSync(join(tmpdir(), "presto-sidecar-demo-"));
  const undo: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    undo.push(() => sandbox.close());
    await sandbox.start();
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, sandbox.caPem, { mode: 0o600 });
    // The rest of the environment stays, so that a dangerous one is refused here too.
    const others = Object.entries(io.env).filter(([name]) => !name.startsWith("PRESTO_"));
    const config = loadConfig(
      {
        ...Object.fromEntries(others),
        PRESTO_URL: sandbox.url,
        PRESTO_CA_FILE: caFile,
        PRESTO_TOKEN: sandbox.token,
        PRESTO_LISTEN: `127.0.0.1:${port}`,
        PRESTO_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        PRESTO_CONTROL_LISTEN: `127.0.0.1:${controlPort}`,
        // What is odd about an environment is told by `start`; here it would only be in the way.
        PRESTO_LOG_LEVEL: "error",
      },
      io.execArgv,
    );
    const log = createLog({ level: config.logLevel, clock: io.clock });
    const app = await createApp(config, { clock: io.clock, log, onQuit: () => {} });
    undo.push(() => app.close());
    await app.start();
    return {
      sandbox,
      sidecarUrl: `http://127.0.0.1:${port}`,
      adminUrl: `http://127.0.0.1:${adminPort}`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
