import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const limitMs = 60_000;

/** Runs what was built, as the image and as a person starts it, and puts V8's code of its functions beside its files. */
export async function recordCode(): Promise<void> {
  for (const flags of [["--max-semi-space-size=4"], []]) {
    const ports = [await freePort(), await freePort()];
    const env = {
      PATH: process.env["PATH"],
      // Nobody listens there, and nobody is called.
      PRESTO_URL: "https://127.0.0.1:1",
      PRESTO_TOKEN: "not-a-token",
      PRESTO_LISTEN: `127.0.0.1:${ports[0]}`,
      PRESTO_ADMIN_LISTEN: `127.0.0.1:${ports[1]}`,
      // Its usual port may be another sidecar's, or another build's.
      PRESTO_CONTROL_LISTEN: "off",
      PRESTO_LOG_LEVEL: "fatal",
    };
    const run = (command: string): ChildProcess =>
      spawn(
        process.execPath,
        [...flags, "--import", join(import.meta.dirname, "write-code.ts"), "dist/main.js", command],
        { env, stdio: ["ignore", "ignore", "inherit"], timeout: limitMs },
      );
    const sidecar = run("start");
    try {
      await untilReady(sidecar, Number(ports[1]));
      for (const command of ["healthcheck", "status"]) await ended(run(command), command);
      sidecar.kill("SIGUSR2");
      await ended(sidecar, "start");
    } finally {
      sidecar.kill("SIGKILL");
    }
  }
}

async function untilReady(sidecar: ChildProcess, port: number): Promise<void> {
  while ((await statusOf(port)) !== 200) {
    if (sidecar.exitCode !== null) throw new Error(`start ended with ${sidecar.exitCode}.`);
    await pause(20);
  }
}

function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    get({ port, host: "127.0.0.1", path: "/readyz", agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    }).on("error", () => resolve(0));
  });
}

async function ended(child: ChildProcess, command: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}.`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
