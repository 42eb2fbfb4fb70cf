import { createAdminServer } from "./admin/admin.ts";
import { createControlServer } from "./admin/control.ts";
import { createReadiness } from "./admin/readiness.ts";
import { statusOf } from "./admin/status.ts";
import { createDrain } from "./app/drain.ts";
import { openLifecycle, localConsumer } from "./app/issuing.ts";
import { keepTokenLatch, startTokens } from "./app/token-readiness.ts";
import { keepNamesLatch, openUpstream } from "./app/upstream.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/sections.ts";
import { createProxyListener } from "./inbound/listener.ts";
import { within } from "./lib/async.ts";
import { version as readVersion } from "./lib/version.ts";
import { type BoundListener, formatListenAddress, type ListenAddress } from "./listen/address.ts";
import { bindServer } from "./listen/bind.ts";
import { createEvents } from "./observe/events.ts";
import { createLastSeen } from "./observe/last-seen.ts";
import { logEvents } from "./observe/log-events.ts";
import type { Log } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import type { Lifecycle } from "./renewal/lifecycle.ts";
import { openStore } from "./store/open.ts";
import { createTokenHealth } from "./token/health.ts";
import { createTokenSource } from "./token/source.ts";
import { createLimiter } from "./upstream/limiter.ts";
import { createReconcile } from "./upstream/reconcile.ts";
import { withToken } from "./upstream/with-token.ts";

export interface AppDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Somebody asked the control listener to end the process. */
  readonly onQuit: () => void;
}

/** Longest wait for the store when the process ends, milliseconds. */
const lastWriteMs = 500;

/** Where the program listens, with the ports that the system chose. */
export interface AppAddresses {
  readonly proxy: readonly ListenAddress[];
  readonly admin: ListenAddress;
  readonly control: ListenAddress | undefined;
}

export interface App {
  /**
   * Reads the token and begins to listen.
   * @throws CommandError: `configuration` for a record that can't be read, `system-refused` for an address that can't be had
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
 * @throws CommandError `configuration` if the CA file can't be used
 */
export async function createApp(config: Config, parts: AppDeps): Promise<App> {
  const { clock, log } = parts;
  const version = await readVersion();
  const startedAt = clock.now();

  const lastSeen = createLastSeen(clock);
  const metrics = createMetrics({
    operations: config.operations.map(({ name }) => name),
    lastSeen,
    version,
    startedAt,
    clock,
  });
  let lifecycle: Lifecycle | undefined;
  let alarmReason: string | undefined;
  const emit = createEvents(
    // First, so that the log tells of the latch before it tells what has moved it.
    keepTokenLatch({
      open: () => readiness.open("token"),
      close: (reason) => readiness.close("token", reason),
    }),
    keepNamesLatch({
      open: () => readiness.open("last-good-addresses"),
      close: (reason) => readiness.close("last-good-addresses", reason),
    }),
    lastSeen.note,
    logEvents(log),
    metrics.count,
    (event) => {
      if (event.type === "call-finished") lifecycle?.look();
      if (event.type === "connect-failed") check.connectFailed(event.error);
    },
  );
  const alarm = ({ proxy: undefined, rotator: "decisive", all: "advisory" } as const)[config.role];
  const readiness = createReadiness({
    emit,
    egress: config.egressCheck.urls.length > 0,
    ...(alarm === undefined ? {} : { alarm }),
  });

  const { origin } = config;
  const outbound = await openUpstream(config, { clock, emit, latch: readiness.latch("egress") });
  const { connector, check, send } = outbound;
  const tokenLatch = readiness.latch("token");
  const store = await openStore(config.store, { clock });
  const evidence = createTokenHealth(clock);
  const tokens = createTokenSource({
    store,
    clock,
    emit,
    holdMaxMs: config.holdMaxMs,
    health: evidence,
    onRecord: noticeRecord,
    onRejected: (id) => lifecycle?.tokenRejected(id),
  });

  const admission = createLimiter(config.admission);
  const perform = withToken(send, { tokens, limiter: admission });
  const proxy = await createProxyListener({
    ...config,
    admission,
    perform,
    askTransaction: createReconcile({ perform, clock }),
    clock,
    emit,
  });
  if (config.issuing !== undefined) {
    const whenQuiet = config.role === "all" ? admission.whenQuiet : undefined;
    lifecycle = await openLifecycle({
      ...config,
      issuing: config.issuing,
      connector,
      store,
      users: localConsumer({ tokens, evidence, whenQuiet, clock }),
      evidence,
      egressCheck: check,
      current: tokens.record,
      clock,
      emit(event) {
        // The alarm is told by noticeRecord, whichever process latched or cleared it.
        if (event.type !== "alarm-changed") emit(event);
      },
    });
  }
  const renewal = lifecycle === undefined ? {} : { renewal: lifecycle.report };
  metrics.measure({ load: admission.load, logLinesLost: log.lost, egress: check.report, ...renewal });

  const status = () =>
    statusOf({
      role: config.role,
      store: store.kind,
      upstream: origin.url,
      lastSeen,
      load: admission.load,
      version,
      startedAt,
    });
  const admin = await createAdminServer({
    readiness,
    status,
    metrics,
    emit,
    egress: check.report,
    ...renewal,
  });
  const renew = lifecycle === undefined ? {} : { renew: lifecycle.renew };
  const drain = createDrain({ ...config, readiness, proxy, lifecycle, clock });
  const control = await createControlServer({
    actions: { drain: drain.refuseNew, quit: parts.onQuit, reload, ...renew },
    emit,
  });
  const bound: BoundListener[] = [];

  /** The alarm stands in the record, whoever latched or cleared it. */
  function noticeRecord(): void {
    if (lifecycle === undefined) return;
    const stopped = tokens.record()?.stopped ?? null;
    if (stopped?.reason !== alarmReason) {
      alarmReason = stopped?.reason;
      emit({ type: "alarm-changed", alarm: stopped ?? undefined });
      if (stopped === null) readiness.open("alarm");
      else readiness.close("alarm", stopped.reason);
    }
    lifecycle.recordChanged();
  }

  async function reload(): Promise<readonly string[]> {
    const [anchors, token] = await Promise.allSettled([outbound.reload(), tokens.refresh()]);
    lifecycle?.credentialsChanged();
    if (anchors.status === "rejected") throw anchors.reason;
    if (token.status === "rejected") throw token.reason;
    return ["CA certificates", "token", ...(lifecycle === undefined ? [] : ["credentials"])];
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
      for (const message of config.warnings) emit({ type: "warning", message });
      await Promise.all([startTokens(tokens, tokenLatch, firstTokenHint(config)), check.start()]);
      const addresses = await listen();
      lifecycle?.start();
      readiness.open("started");
      log.write("info", "The sidecar listens.", {
        version,
        role: config.role,
        upstream: origin.url,
        store: store.kind,
        route: outbound.describeRoute(),
        listen: addresses.proxy.map(formatListenAddress).join(", "),
        admin: formatListenAddress(addresses.admin),
        control: addresses.control === undefined ? "off" : formatListenAddress(addresses.control),
      });
      return addresses;
    },
    reload,
    drain: drain.run,
    async close() {
      await Promise.all([proxy.close(), admin.close(), control.close()]);
      for (const listener of bound) listener.release();
      lifecycle?.close();
      // A token that was heard of at the last moment is still written once.
      if (lifecycle !== undefined) await within(clock, lastWriteMs, lifecycle.drain());
      tokens.close();
      store.close();
      outbound.close();
      await outbound.destroy();
      // What was cut off still says what became of it.
      await proxy.idle(clock.monotonic() + 1_000);
      metrics.close();
      await log.flush();
    },
  };
}

function firstTokenHint({ issuing }: Config): string {
  if (issuing === undefined) return "Put one in with: presto-sidecar token import";
  return issuing.automatic
    ? "The first one is being issued."
    : "PRESTO_RENEW is manual: have one issued with `presto-sidecar token renew`.";
}
