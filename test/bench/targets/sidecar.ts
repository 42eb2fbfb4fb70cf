import { fileURLToPath } from "node:url";

import type { Target } from "../target.ts";

/** V8's flags of the image (Dockerfile). */
const shippedFlags = ["--max-semi-space-size=4"];
const main = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));

/** The production build, with every check on. */
function createSidecar(name: string, logLevel: string): Target {
  return {
    name,
    title: `presto-sidecar, PRESTO_LOG_LEVEL=${logLevel}`,
    prepare: ({ ports: [proxy, admin, control], upstream, certificates, token, nodeFlags }) => {
      const env = {
        NODE_ENV: "production",
        PRESTO_URL: upstream,
        PRESTO_CA_FILE: certificates.ca,
        PRESTO_TOKEN: token,
        PRESTO_LISTEN: `127.0.0.1:${proxy}`,
        PRESTO_ADMIN_LISTEN: `127.0.0.1:${admin}`,
        PRESTO_CONTROL_LISTEN: `127.0.0.1:${control}`,
        PRESTO_LOG_LEVEL: logLevel,
      };
      return {
        command: { argv: [process.execPath, ...shippedFlags, ...nodeFlags, main, "start"], env },
        readyUrl: `http://127.0.0.1:${admin}/readyz`,
        healthcheck: { argv: [process.execPath, main, "healthcheck"], env },
      };
    },
  };
}

export const sidecar = createSidecar("sidecar", "warn");
/** The same with its line per call: what the log costs. */
export const sidecarInfo = createSidecar("sidecar-info", "info");
