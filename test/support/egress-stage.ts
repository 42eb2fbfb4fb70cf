import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "../../src/clock.ts";
import { parseCheckUrls } from "../../src/config/parse-addresses.ts";
import { openEgress } from "../../src/connect/open.ts";
import { createEgressCheck, type EgressCheck } from "../../src/egress-ip/check.ts";
import { askedUrls, createUnauthenticatedProbe } from "../../src/egress-ip/open.ts";
import { ignore } from "../../src/lib/events.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import type { Token } from "../../src/token/token.ts";
import type { Call, Response } from "../../src/upstream/call.ts";
import { createConnections, createPoolOpener } from "../../src/upstream/connections.ts";
import { createSend } from "../../src/upstream/dispatch.ts";
import { networksOf } from "./egress-bench.ts";

export interface EgressStage {
  readonly check: EgressCheck;
  /** A send over real connections that is watched. */
  readonly send: (call: Call, token: Token) => Promise<Response>;
  /** Reasons with which readiness was closed, and undefined where it was opened. */
  readonly latch: (string | undefined)[];
  /** When it was closed last, by `performance.now()`. */
  closedAt(): number | undefined;
  close(): Promise<void>;
}

export interface EgressStageOptions {
  readonly sandbox: Pick<Sandbox, "url" | "port">;
  readonly caPem: string;
  /** PRESTO_EGRESS_IPS and PRESTO_EGRESS_CHECK_URL. */
  readonly ips: readonly string[];
  readonly urls: string;
  readonly pins?: readonly string[];
}

/** What a call that is kept back is refused with here. */
export class KeptBack extends Error {}

/** The check, and what it watches, put together as the program does it, over real TLS. */
export async function openEgressStage(options: EgressStageOptions): Promise<EgressStage> {
  const { sandbox, caPem, ips, urls, pins = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "presto-egress-stage-"));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, caPem);
  const origin = { url: sandbox.url, host: "localhost", port: sandbox.port };
  const watch: { check?: EgressCheck } = {};
  const egress = await openEgress(
    { origin, trust: { caFile, caOnly: true, pins }, connectTimeoutMs: 2_000 },
    {
      clock: systemClock,
      emit(event) {
        if (event.type === "connect-failed") watch.check?.connectFailed(event.error);
      },
    },
  );
  const latch: (string | undefined)[] = [];
  let closedAt: number | undefined;
  const { connector, connectorTo } = egress;
  const openPool = createPoolOpener({ origin, connector, timeoutMs: 5_000, clock: systemClock });
  const check = createEgressCheck({
    registered: networksOf(ips),
    urls: askedUrls(parseCheckUrls(urls), { connectorTo, clock: systemClock }),
    unauthenticatedProbe: createUnauthenticatedProbe({
      openPool,
      reference: "TRX000000000",
      clock: systemClock,
    }),
    latch: {
      close(reason) {
        closedAt = performance.now();
        latch.push(reason);
      },
      open: () => latch.push(undefined),
    },
    clock: systemClock,
    random: () => 0.5,
    emit: ignore,
  });
  watch.check = check;
  const pool = createConnections({
    origin,
    connector,
    connections: 32,
    timeoutMs: 5_000,
    clock: systemClock,
  });
  const send = createSend({
    connections: pool,
    clock: systemClock,
    egress: { gate: check, refuse: (reason) => new KeptBack(reason) },
  });
  return {
    check,
    latch,
    closedAt: () => closedAt,
    send: (call, token) =>
      new Promise((answered, failed) => {
        send(call, token, { answered, failed });
      }),
    async close() {
      check.close();
      egress.close();
      await pool.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
