import { createAdminServer } from "./admin/admin-server.ts";
import { createControlServer } from "./admin/control-server.ts";
import { createReadiness } from "./admin/readiness.ts";
import type { StatusReport } from "./admin/status-report.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { createAskTransaction } from "./egress/ask-transaction.ts";
import { createConnector } from "./egress/connect.ts";
import { createPool } from "./egress/pool.ts";
import { createSend } from "./egress/send.ts";
import { watchTrust } from "./egress/watch-trust.ts";
import { withReconnect } from "./egress/with-reconnect.ts";
import { withToken } from "./egress/with-token.ts";
import { createAdmission } from "./inbound/admission.ts";
import { createProxyListener } from "./inbound/proxy-listener.ts";
import { bindServer } from "./listen/bind.ts";
import type { BoundListener } from "./listen/bound-listener.ts";
import { formatListenAddress } from "./listen/listen-address.ts";
import type { ListenAddress } from "./listen/listen-address.ts";
import { combineSignals } from "./observe/combine-signals.ts";
import { createLastSeen } from "./observe/last-seen.ts";
import { logSignals } from "./observe/log-signals.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import { openStore } from "./store/open-store.ts";
import { startTokens, withTokenLatch } from "./token/token-latch.ts";
import { createTokenSource } from "./token/token-source.ts";
import { version as readVersion } from "./version.ts";

export interface AppParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Somebody asked the control listener to end the process. */
  readonly onQuit: () => void;
}

/** Milliseconds of the drain's time that are kept for the replies to calls that are cut off. */
const lastWordsMs = 500;

/** Where the program listens, with the ports that the system chose. */
export interface AppAddresses {
  readonly proxy: readonly ListenAddress[];
  readonly admin: ListenAddress;
  readonly control: ListenAddress | undefined;
}

export interface App {
  /**
   * Reads the token and begins to listen.
   * @throws Failure: `configuration` for a record that can't be read, `system-refused` for an address that can't be had
   */
  start(): Promise<AppAddresses>;
  /** Reads the token and the CA file again. @throws what could not be read; what was in hand stays */
  reload(): Promise<readonly string[]>;
  /** Keeps accepting for `drainMinMs`, then refuses new calls and waits for those under way, until `drainMaxMs`. */
  drain(): Promise<"clean" | "cut-off">;
  close(): Promise<void>;
}

/**
 * The composition root: what the program is made of, in the order in which it is made.
 * Closing goes the other way.
 * @throws Failure `configuration` if the CA file can't be used
 */
export async function createApp(config: Config, parts: AppParts): Promise<App> {
  const { clock, log } = parts;
  const version = await readVersion();
  const startedAt = clock.now();

  const lastSeen = createLastSeen(clock);
  const metrics = createMetrics({
    operations: config.operations.map(({ name }) => name),
    lastSeen,
    version,
    startedAt,
  });
  const signals = combineSignals(lastSeen.signals, logSignals(log), metrics.signals);
  const readiness = createReadiness({ signals });

  const { origin, trust } = config;
  const connector = createConnector({ origin, trust, timeoutMs: config.connectTimeoutMs, clock, signals });
  const trustWatch = watchTrust({ connector, trust, clock, signals });
  const pool = createPool({
    origin,
    connector,
    connections: config.admission.maxInFlight,
    timeoutMs: config.timeoutMs,
  });
  const tokenLatch = {
    open: () => readiness.open("token"),
    close: (reason: string) => readiness.close("token", reason),
  };
  const store = await openStore(config.store, { clock });
  const tokens = createTokenSource({
    store,
    clock,
    signals: withTokenLatch(signals, tokenLatch),
    holdMaxMs: config.holdMaxMs,
  });

  const admission = createAdmission(config.admission);
  const send = withReconnect(createSend({ dispatcher: pool, clock }), clock);
  const perform = withToken(send, { tokens, turns: admission });
  const proxy = await createProxyListener({
    ...config,
    admission,
    perform,
    askTransaction: createAskTransaction({ perform, clock }),
    clock,
    signals,
  });
  metrics.measure({ load: admission.load, logLinesLost: log.lost });

  const admin = await createAdminServer({ readiness, status, metrics, signals });
  const control = await createControlServer({
    actions: { drain: refuseNew, quit: parts.onQuit, reload },
    signals,
  });
  const bound: BoundListener[] = [];
  let refusing = false;

  function status(): StatusReport {
    const token = lastSeen.token();
    const { inFlight, queued } = admission.load();
    return {
      role: config.role,
      store: store.kind,
      upstream: origin.url,
      generation: token?.generation ?? null,
      token_id: token?.id ?? null,
      token_state: lastSeen.tokenState(),
      expires_at: token?.expiresAt?.toISOString() ?? null,
      seconds_left: wholeOrNull(lastSeen.tokenSecondsLeft()),
      certificate_days_left: wholeOrNull(lastSeen.certificateDaysLeft()),
      in_flight: inFlight,
      queued,
      started_at: new Date(startedAt).toISOString(),
      versions: { presto_sidecar: version, node: process.versions.node },
    };
  }

  function refuseNew(): void {
    refusing = true;
    readiness.close("draining", "The sidecar takes no new calls.");
    proxy.refuseNew();
  }

  async function reload(): Promise<readonly string[]> {
    const [anchors, token] = await Promise.allSettled([Promise.try(connector.reload), tokens.refresh()]);
    if (anchors.status === "rejected") throw anchors.reason;
    if (token.status === "rejected") throw token.reason;
    return ["CA certificates", "token"];
  }

  async function listen(): Promise<AppAddresses> {
    const adminAt = await bindServer(admin.server, config.adminListen);
    bound.push(adminAt);
    const controlAt =
      config.controlListen === undefined ? undefined : await bindServer(control.server, config.controlListen);
    if (controlAt !== undefined) bound.push(controlAt);
    return { proxy: await proxy.start(), admin: adminAt.address, control: controlAt?.address };
  }

  return {
    async start() {
      for (const warning of config.warnings) signals.warned(warning);
      await startTokens(tokens, tokenLatch);
      const addresses = await listen();
      readiness.open("started");
      log.write("info", "The sidecar listens.", {
        version,
        role: config.role,
        upstream: origin.url,
        store: store.kind,
        listen: addresses.proxy.map(formatListenAddress).join(", "),
        admin: formatListenAddress(addresses.admin),
        control: addresses.control === undefined ? "off" : formatListenAddress(addresses.control),
      });
      return addresses;
    },
    reload,
    async drain() {
      const endsAt = clock.monotonic() + config.drainMaxMs;
      readiness.close("draining", "The sidecar is shutting down.");
      if (!refusing) await clock.sleep(config.drainMinMs);
      refuseNew();
      // What can't be finished is told to its caller, and for that a moment is kept back.
      const wordsMs = Math.min(lastWordsMs, config.drainMaxMs / 10);
      if ((await proxy.idle(endsAt - wordsMs)) === "clean") return "clean";
      proxy.expireAll(endsAt - wordsMs / 2);
      await proxy.idle(endsAt);
      return "cut-off";
    },
    async close() {
      await Promise.all([proxy.close(), admin.close(), control.close()]);
      for (const listener of bound) listener.release();
      tokens.close();
      store.close();
      trustWatch.close();
      await pool.destroy();
      // What was cut off still says what became of it.
      await proxy.idle(clock.monotonic() + 1_000);
      metrics.close();
      await log.flush();
    },
  };
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.floor(value);
}
