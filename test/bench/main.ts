/**
 * `npm run bench`: the production build beside its peers, doing the same job on the same machine in turns.
 * The method and what came of it: docs/performance.md.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { createCertificates } from "./certificates.ts";
import { allowedCores, busyPart, pinSelf, startChild } from "./child.ts";
import { type Bench, measureOnce, type RunFigures, soak } from "./measure.ts";
import { type BenchOptions, help, readOptions } from "./options.ts";
import { findPrograms } from "./programs.ts";
import { describeMachine, formatReport, putReport } from "./report.ts";
import { judge, priceOfLog } from "./summary.ts";
import type { Prepared, Target } from "./target.ts";
import { envoy } from "./targets/envoy.ts";
import { nginx } from "./targets/nginx.ts";
import { floor, stock } from "./targets/node-peers.ts";
import { sidecar, sidecarBound, sidecarInfo } from "./targets/sidecar.ts";
import { prepareUpstream } from "./upstream.ts";

const everyTarget: readonly Target[] = [sidecar, sidecarInfo, sidecarBound, stock, floor, envoy, nginx];

interface Entry {
  readonly target: Target;
  readonly prepared: Prepared;
  readonly port: number;
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

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs every target once in each round; a target that fails once is left out from then on. */
async function runRounds(
  bench: Bench,
  entries: readonly Entry[],
  rounds: number,
): Promise<{ runs: Map<string, RunFigures[]>; failed: Map<string, string> }> {
  const runs = new Map<string, RunFigures[]>();
  const failed = new Map<string, string>();
  for (let round = 0; round < rounds; round += 1) {
    // Nobody is always first: each round begins with another.
    const order = entries.map((_, index) => entries[(index + round) % entries.length]);
    for (const entry of order) {
      if (entry === undefined || failed.has(entry.target.name)) continue;
      const { name } = entry.target;
      try {
        const run = await measureOnce(bench, entry.prepared, entry.port);
        runs.set(name, [...(runs.get(name) ?? []), run]);
        const atLoad = run.loads.find(({ connections }) => connections === 32);
        tell(
          `round ${round + 1}: ${name}, ${atLoad?.cpuMicroseconds.toFixed(1)} µs a request at 32 connections`,
        );
      } catch (error) {
        failed.set(name, error instanceof Error ? error.message : String(error));
        runs.delete(name);
        tell(`round ${round + 1}: ${name} failed: ${failed.get(name)}`);
      }
    }
  }
  return { runs, failed };
}

async function main(options: BenchOptions, folder: string): Promise<number> {
  const unknown = options.targets.filter((name) => !everyTarget.some((target) => target.name === name));
  if (unknown.length > 0) throw new Error(`There is no target ${unknown.join(", ")}.\n${help}`);
  const cores = allowedCores();
  const [proxyCore, loadCore] = cores;
  if (proxyCore === undefined || loadCore === undefined) {
    throw new Error("The benchmark needs two cores: one for the proxy, one for the load.");
  }
  const programs = findPrograms(options.install);
  const busy = await busyPart();
  if (busy > 0.1)
    tell(`Others keep ${Math.round(busy * 100)} % of this machine busy: take the figures as rough.`);
  const certificates = createCertificates(programs.openssl, folder);
  const token = "benchmark-token-0123456789abcdef0123456789abcdef";
  const upstreamPort = await freePort();
  const upstreamFolder = join(folder, "upstream");
  mkdirSync(upstreamFolder);
  pinSelf(programs.taskset, loadCore);
  const server = startChild(
    programs.taskset,
    loadCore,
    prepareUpstream(programs.nginx, upstreamFolder, upstreamPort, certificates, token),
  );

  const entries: Entry[] = [];
  const targets = everyTarget.filter(
    ({ name }) => options.targets.length === 0 || options.targets.includes(name),
  );
  for (const target of targets) {
    const own = join(folder, target.name);
    mkdirSync(own);
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const prepared = target.prepare({
      programs,
      certificates,
      token,
      upstreamPort,
      ports,
      upstream: `https://localhost:${upstreamPort}`,
      folder: own,
      nodeFlags: options.nodeFlags,
    });
    if (prepared !== undefined) entries.push({ target, prepared, port: ports[0] });
    else tell(`${target.name} is left out: its program is not here and could not be fetched.`);
  }

  const bench = {
    ...programs,
    proxyCore,
    loadCore,
    seconds: options.seconds,
    connections: options.connections,
  };
  const { runs, failed } = await runRounds(bench, entries, options.runs);
  const machine = describeMachine(cores.length);
  const report = formatReport(machine, targets, runs);
  process.stdout.write(`\n${report}`);
  if (options.docs) {
    const file = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
    writeFileSync(file, putReport(readFileSync(file, "utf8"), report));
  }
  for (const [name, why] of failed) process.stdout.write(`\n${name} failed: ${why}\n`);

  const soaked = entries.find(({ target }) => target === sidecar);
  const samples =
    options.soakMinutes > 0 && soaked !== undefined && !failed.has("sidecar")
      ? await soak(bench, soaked.prepared, soaked.port, options.soakMinutes)
      : [];
  if (samples.length > 0) {
    process.stdout.write(
      `\nResident MiB, each half minute of load: ${samples.map((mib) => mib.toFixed(0)).join(" ")}\n`,
    );
  }
  await server.stop();

  if (options.json !== undefined) {
    const figures = {
      machine,
      options,
      runs: Object.fromEntries(runs),
      failed: Object.fromEntries(failed),
      goals: judge(runs),
      logMicroseconds: priceOfLog(runs),
      soakMiB: samples,
    };
    writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  return failed.size === 0 ? 0 : 1;
}

async function start(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(help);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), "presto-sidecar-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return main(options, folder);
}

const code = await start().catch((error: unknown) => {
  tell(error instanceof Error ? error.message : String(error));
  return 1;
});
process.exit(code);
