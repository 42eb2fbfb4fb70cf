import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createApp } from "../app.ts";
import { loadConfig, readLogFormat } from "../config/load.ts";
import { isVariableName } from "../config/variables.ts";
import { createLog } from "../observe/log.ts";
import { createSandbox, type Sandbox } from "../sandbox/server.ts";
import type { Io } from "./command.ts";
import { logLook } from "./terminal.ts";

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
    // The rest of the environment stays, so that a dangerous one is refused here too; what is for a store is for another.
    const others = Object.entries(io.env).filter(
      ([name]) => !name.startsWith("PRESTO_") && !isVariableName(name),
    );
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
    const log = createLog({
      ...logLook(io, readLogFormat(io.env)),
      level: config.logLevel,
      service: config.service,
      clock: io.clock,
    });
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

/**
 * For each preferred port of 127.0.0.1 that port if it is free, else one that the system
 * chooses; no two are the same. Whoever binds one next may still lose it to somebody
 * faster; that is reported then as any taken port.
 */
async function freePorts(preferred: readonly number[]): Promise<number[]> {
  const held: Held[] = [];
  try {
    // Held until all are chosen, or the system could choose one twice.
    for (const port of preferred)
      held.push((await hold(port)) ?? (await hold(0)) ?? { port, server: undefined });
    return held.map(({ port }) => port);
  } finally {
    for (const { server } of held) await closed(server);
  }
}

interface Held {
  readonly port: number;
  readonly server: Server | undefined;
}

function hold(port: number): Promise<Held | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const address = server.address();
      resolve({ server, port: address !== null && typeof address === "object" ? address.port : port });
    });
  });
}

function closed(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined) resolve();
    else server.close(() => resolve());
  });
}

/** A call as an app makes it: plain HTTP, no token. */
export interface PlainCall {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** JSON text, sent byte for byte. */
  readonly body?: string;
}

export interface PlainReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Makes the call on a connection of its own. Rejects with the system's error. */
export function callPlainly(call: PlainCall): Promise<PlainReply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(call.url, {
      method: call.method,
      agent: false,
      headers:
        call.body === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(call.body) },
    });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    outgoing.end(call.body);
  });
}
