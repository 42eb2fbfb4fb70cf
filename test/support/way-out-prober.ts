import { createInterface } from "node:readline";

import { systemClock } from "../../src/clock.ts";
import { ConnectError } from "../../src/connect/errors.ts";
import { openEgress } from "../../src/connect/open.ts";
import { parseProxyUrl } from "../../src/connect/proxy-url.ts";
import { ignore } from "../../src/lib/events.ts";
import { createConnections } from "../../src/upstream/connections.ts";

// A program: opens the way out as the sidecar does, and says what came of it. A line of JSON in, a line of JSON out.
/** What is asked of it. */
export interface ProbeRequest {
  readonly url: string;
  readonly caFile: string;
  /** The text of PRESTO_EGRESS_ADDRESS and PRESTO_EGRESS_PROXY. */
  readonly address?: string;
  readonly proxy?: string;
  readonly timeoutMs?: number;
}

/** What came of it: which address Presto saw, why no connection was had, or why nothing was tried. */
type Outcome =
  | { readonly seen: string }
  | { readonly failed: Pick<ConnectError, "kind" | "place" | "proxyStatus" | "message"> }
  | { readonly refused: string };

export type ProbeEnd = Outcome & { readonly ms: number };

async function probe(request: ProbeRequest): Promise<Outcome> {
  const { hostname, port } = new URL(request.url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const origin = { url: request.url, host, port: port === "" ? 443 : Number(port) };
  const { proxy } = request.proxy === undefined ? { proxy: undefined } : parseProxyUrl(request.proxy);
  const egress = await openEgress(
    {
      origin,
      trust: { caFile: request.caFile, caOnly: true, pins: [] },
      egress: {
        localAddress: request.address,
        proxy: proxy === undefined ? undefined : { kind: "value", proxy },
      },
      connectTimeoutMs: request.timeoutMs ?? 3_000,
    },
    { clock: systemClock, emit: ignore },
  );
  const { connector } = egress;
  const pool = createConnections({
    origin,
    connector,
    connections: 1,
    timeoutMs: 5_000,
    clock: systemClock,
  });
  try {
    return await new Promise((resolve, reject) => {
      let body = "";
      pool.dispatch(
        { method: "GET", path: "/" },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_controller, chunk) => void (body += chunk.toString("utf8")),
          onResponseEnd: () => resolve({ seen: JSON.parse(body).data.seen }),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const { kind, place, proxyStatus, message } = error;
    return { failed: { kind, place, proxyStatus, message } };
  } finally {
    egress.close();
    await pool.destroy();
  }
}

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const startedAt = performance.now();
  let end: Outcome;
  try {
    end = await probe(JSON.parse(line));
  } catch (error) {
    end = { refused: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify({ ...end, ms: performance.now() - startedAt })}\n`);
}
