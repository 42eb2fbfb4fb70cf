import { fileURLToPath } from "node:url";

import type { Target } from "../target.ts";

function createNodePeer(name: string, title: string): Target {
  return {
    name,
    title,
    prepare: ({ ports, upstream, certificates, token }) => ({
      command: {
        argv: [process.execPath, fileURLToPath(new URL(`${name}-server.ts`, import.meta.url))],
        env: {
          NODE_ENV: "production",
          PORT: String(ports[0]),
          UPSTREAM: upstream,
          CA_FILE: certificates.ca,
          TOKEN: token,
        },
      },
    }),
  };
}

export const floor = createNodePeer("floor", "node:http + undici dispatch, no checks");
export const stock = createNodePeer("stock", "@fastify/http-proxy as it comes, certificates checked");
