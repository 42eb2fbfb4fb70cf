import { fileURLToPath } from "node:url";

import type { Target } from "../target.ts";

/** V8's flags of the image (Dockerfile). */
const shippedFlags = ["--max-semi-space-size=4"];
/** The peers log nothing. */
const quiet = { PRESTO_LOG_LEVEL: "warn" };
const main = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));

/** The production build, with every check on. @param further variables that make the difference */
function createSidecar(name: string, further: Readonly<Record<string, string>>): Target {
  const told = Object.entries({ ...quiet, ...further }).map(([variable, value]) => `${variable}=${value}`);
  return {
    name,
    title: `presto-sidecar, ${told.join(", ")}`,
    prepare: ({ ports: [proxy, admin, control], upstream, certificates, token, nodeFlags }) => {
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
      };
      return {
        command: { argv: [process.execPath, ...shippedFlags, ...nodeFlags, main, "start"], env },
        readyUrl: `http://127.0.0.1:${admin}/readyz`,
        healthcheck: { argv: [process.execPath, main, "healthcheck"], env },
      };
    },
  };
}

export const sidecar = createSidecar("sidecar", {});
/** The same with its line per call: what the log costs. */
export const sidecarInfo = createSidecar("sidecar-info", { PRESTO_LOG_LEVEL: "info" });
/** The same, leaving from another address than the system would choose: what binding costs. */
export const sidecarBound = createSidecar("sidecar-bound", { PRESTO_EGRESS_ADDRESS: "127.0.0.2" });
