import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "../support/free-ports.ts";
import { createCertificates } from "./certificates.ts";
import { allowedCores, type Child, pinSelf, startChild } from "./child.ts";
import { type Cores, findPrograms, type Programs } from "./programs.ts";
import type { Prepared, Target } from "./target.ts";
import { prepareUpstream } from "./upstream.ts";

/** A target with ports of its own: it can be started again and again. */
export interface Instance {
  readonly name: string;
  readonly variant: boolean;
  readonly prepared: Prepared;
  /** Where it takes calls. */
  readonly port: number;
}

/** What all that is measured stands on: the programs, the cores, and the server. */
export interface Stage {
  readonly programs: Programs;
  readonly cores: Cores;
  readonly upstreamPort: number;
  /** Undefined where its program is missing. @param upstreamPort of a relay before the server, say */
  instance(target: Target, upstreamPort?: number): Promise<Instance | undefined>;
  close(): Promise<void>;
}

const collectorFile = fileURLToPath(new URL("collector.ts", import.meta.url));
const token = "benchmark-token-0123456789abcdef0123456789abcdef";

/** @param folder an empty one, for the files of all */
export async function openStage(folder: string, install: boolean): Promise<Stage> {
  const [proxy, load] = allowedCores();
  if (proxy === undefined || load === undefined) {
    throw new Error("The benchmark needs two cores: one for the proxy, one for the load.");
  }
  const programs = findPrograms(install);
  const certificates = createCertificates(programs.openssl, folder);
  const upstreamPort = await freePort();
  const upstreamFolder = join(folder, "upstream");
  mkdirSync(upstreamFolder);
  pinSelf(programs.taskset, load);
  const server: Child = startChild(
    programs.taskset,
    load,
    prepareUpstream(programs.nginx, upstreamFolder, upstreamPort, certificates, token),
  );
  const collectorPort = await freePort();
  let collector: Child | undefined;
  let instances = 0;
  return {
    programs,
    cores: { proxy, load },
    upstreamPort,
    async instance(target, port = upstreamPort) {
      instances += 1;
      const own = join(folder, `${instances}-${target.name}`);
      mkdirSync(own);
      const ports = [await freePort(), await freePort(), await freePort()] as const;
      const prepared = target.prepare({
        programs,
        certificates,
        token,
        upstreamPort: port,
        ports,
        collector() {
          const argv = [process.execPath, collectorFile, String(collectorPort)] as const;
          collector ??= startChild(programs.taskset, load, { argv });
          return `http://127.0.0.1:${collectorPort}`;
        },
        upstream: `https://localhost:${port}`,
        folder: own,
      });
      const { name, variant = false } = target;
      return prepared && { name, variant, prepared, port: ports[0] };
    },
    async close() {
      await Promise.all([server.stop(), collector?.stop()]);
    },
  };
}
