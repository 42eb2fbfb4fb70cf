import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import type { Target } from "../target.ts";

/** V8's flags of the image (Dockerfile). */
const shippedFlags = ["--max-semi-space-size=4"];
/** The peers log nothing. */
const quiet = { PRESTO_LOG_LEVEL: "warn" };
const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
/** What a build starts with, the newest layout first. */
const entries = ["main.js"];

/** Which build, and with what. */
export interface SidecarOptions {
  readonly name: string;
  /** A folder that `npm run build` made, or the file in it to start; the checkout's own where none is given. */
  readonly build?: string | undefined;
  readonly nodeFlags?: readonly string[];
}

function entryOf(build: string): string {
  const path = resolve(build);
  if (!existsSync(path)) throw new Error(`${path} is not there: build it first (npm run build).`);
  if (!statSync(path).isDirectory()) return path;
  const found = entries.map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Error(`${path} is no build: there is no ${entries.join(" and no ")} in it.`);
}

function createVariant(
  { name, build = dist, nodeFlags = [] }: SidecarOptions,
  suffix: string,
  further: Readonly<Record<string, string>>,
  isTraced = false,
): Target {
  const main = entryOf(build);
  const told = Object.entries({ ...quiet, ...further }).map(([variable, value]) => `${variable}=${value}`);
  return {
    name: `${name}${suffix}`,
    title: [
      `presto-sidecar${build === dist ? "" : ` of ${build}`}`,
      ...nodeFlags,
      ...told,
      ...(isTraced ? ["OTEL_EXPORTER_OTLP_ENDPOINT=…"] : []),
    ].join(", "),
    ...(suffix === "" ? {} : { variant: true }),
    prepare: ({ ports: [proxy, admin, control], upstream, certificates, token, collector }) => {
      const env = {
        NODE_ENV: "production",
        PRESTO_URL: upstream,
        PRESTO_CA_FILE: certificates.ca,
        PRESTO_TOKEN: token,
        PRESTO_LISTEN: `127.0.0.1:${proxy}`,
        PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
        PRESTO_CONTROL_LISTEN: `127.0.0.1:${control}`,
        ...quiet,
        ...further,
        ...(isTraced ? { OTEL_EXPORTER_OTLP_ENDPOINT: collector() } : {}),
      };
      return {
        command: { argv: [process.execPath, ...shippedFlags, ...nodeFlags, main, "start"], env },
        readyUrl: `http://127.0.0.1:${admin}/readyz`,
        healthcheck: { argv: [process.execPath, main, "healthcheck"], env },
      };
    },
  };
}

/** A production build with every check on, and the same with one setting more. */
export function createSidecar(options: SidecarOptions): readonly Target[] {
  return [
    createVariant(options, "", {}),
    // With its line per call: what the log costs.
    createVariant(options, "-info", { PRESTO_LOG_LEVEL: "info" }),
    // With a span for each call and each try, sent to a collector: what tracing costs.
    createVariant(options, "-traced", {}, true),
    // Leaving from another address than the system would choose: what binding costs.
    createVariant(options, "-bound", { PRESTO_EGRESS_ADDRESS: "127.0.0.2" }),
  ];
}
