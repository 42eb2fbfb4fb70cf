import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";

import { onTestFinished } from "vitest";

import { type Clock, systemClock } from "../../src/clock.ts";
import type { ConnectEvent, Connector } from "../../src/connect/connector.ts";
import { ConnectError } from "../../src/connect/errors.ts";
import { type Egress, openEgress } from "../../src/connect/open.ts";
import { parseProxyUrl } from "../../src/connect/proxy-url.ts";
import { type Emit, ignore, type Warning } from "../../src/lib/events.ts";

export interface WayOutOptions {
  /** Whom to reach. */
  readonly host?: string;
  readonly port: number;
  readonly caPem: string;
  readonly pins?: readonly string[];
  readonly localAddress?: string;
  /** The text of PRESTO_EGRESS_PROXY. */
  readonly proxy?: string;
  /** A file that holds it. */
  readonly proxyFile?: string;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly emit?: Emit<ConnectEvent | Warning>;
}

/** Opens the way out as the program does; it is closed at the test's end. */
export async function openWay(options: WayOutOptions): Promise<Egress> {
  const { host = "localhost", port, pins = [], localAddress, proxy, proxyFile } = options;
  const folder = mkdtempSync(join(tmpdir(), "presto-way-out-"));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, options.caPem);
  const egress = await openEgress(
    {
      origin: { url: `https://${host}:${port}`, host, port },
      trust: { caFile, caOnly: true, pins },
      egress: {
        localAddress,
        proxy:
          proxyFile !== undefined
            ? { kind: "file", path: proxyFile }
            : proxy === undefined
              ? undefined
              : { kind: "value", proxy: gatewayOf(proxy) },
      },
      connectTimeoutMs: options.timeoutMs ?? 5_000,
    },
    { clock: options.clock ?? systemClock, emit: options.emit ?? ignore },
  );
  onTestFinished(() => {
    egress.close();
    rmSync(folder, { recursive: true });
  });
  return egress;
}

function gatewayOf(text: string) {
  const { proxy: gateway, wrong } = parseProxyUrl(text);
  if (gateway === undefined) throw new Error(wrong);
  return gateway;
}

/** A connection that was had; rejects with the `ConnectError`. */
export function connectBy(connector: Connector): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    connector.connect((error, socket) => {
      if (socket !== null) {
        onTestFinished(() => void socket.destroy());
        resolve(socket);
      } else reject(error ?? new Error("neither a socket nor an error"));
    });
  });
}

/** The failure of an attempt that must fail. */
export async function failureOf(connector: Connector): Promise<ConnectError> {
  try {
    await connectBy(connector);
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("the connection was had");
}

/** Sends a request on a connection and reads until the other side ends it. */
export function askOver(socket: TLSSocket, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => (text += chunk));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    socket.write(request);
  });
}
