import { type StatusReport, statusOf } from "../admin/status.ts";
import { entryOf } from "../audit/credential-lines.ts";
import type { AuditRecord } from "../audit/types.ts";
import type { Clock } from "../clock.ts";
import type { ProxyListener } from "../inbound/listener.ts";
import { type Emit, ignore } from "../lib/events.ts";
import type { Origin } from "../lib/host.ts";
import { version as readVersion } from "../lib/version.ts";
import { createEvents, type Event, type Subscriber } from "../observe/events.ts";
import { createLastSeen } from "../observe/last-seen.ts";
import { logEvents } from "../observe/log-events.ts";
import type { Log } from "../observe/log.ts";
import { createMetrics, type Metrics } from "../observe/metrics.ts";
import { createRecent, type Recent } from "../observe/recent.ts";
import type { TracesOptions } from "../observe/traces.ts";
import type { Operation } from "../policy/operations.ts";
import type { TokenRecord, TokenStore } from "../store/contract.ts";
import type { Sidecar, SidecarOptions } from "./sidecar.ts";

export interface ObserversOptions {
  readonly role: SidecarOptions["role"];
  /** Where spans go; undefined where none are made. */
  readonly traces: Pick<TracesOptions, "endpoint" | "headers"> | undefined;
  readonly service: string;
  readonly origin: Origin;
  readonly operations: readonly Operation[];
}

/** Those who listen to what happens, and show it. */
export interface Observers {
  readonly emit: Emit<Event>;
  readonly metrics: Metrics;
  readonly recent: Recent;
  /** Sends the last spans. */
  close(): Promise<void>;
  /** This program's. */
  readonly version: string;
  /** From now on what concerns money and credentials stands in the record, too. */
  keepRecord(record: AuditRecord): void;
  /** The sidecar that is watched, once there is one. It hears what happens around it after everybody else. */
  watch(
    sidecar: Sidecar,
    store: Pick<TokenStore, "kind" | "report">,
    calls: Pick<ProxyListener, "underWay">,
  ): { readonly status: () => StatusReport };
}

export async function createObservers(
  { role, origin, operations, traces, service }: ObserversOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Observers> {
  const version = readVersion();
  const startedAt = clock.now();
  const lastSeen = createLastSeen(clock);
  const metrics = createMetrics({
    operations: operations.map(({ name }) => name),
    lastSeen,
    version,
    startedAt,
    clock,
  });
  const recent = createRecent(clock);
  let note: Subscriber = ignore;
  let record: AuditRecord | undefined;
  const logEvent = logEvents(log, clock);
  // The SDK is large: it is loaded where it is wanted alone.
  const spans =
    traces === undefined
      ? undefined
      : (await import("../observe/traces.ts")).createTraces(
          { ...traces, service, version },
          { clock, emit: logEvent },
        );
  const emit = createEvents(
    lastSeen.note,
    logEvent,
    metrics.count,
    recent.note,
    ...(spans === undefined ? [] : [spans.note]),
    (event) => {
      const entry = entryOf(event);
      if (entry !== undefined) record?.note(entry);
    },
    (event) => note(event),
  );
  return {
    emit,
    metrics,
    recent,
    async close() {
      metrics.close();
      await spans?.close();
    },
    version,
    keepRecord(opened) {
      record = opened;
    },
    watch(sidecar, store, { underWay }) {
      const { limiter, check, lifecycle, tokens } = sidecar;
      note = sidecar.note;
      const { load } = limiter;
      const renewal =
        lifecycle === undefined ? { alarm: () => isAlarmed(tokens.record()) } : { renewal: lifecycle.report };
      const { summary } = sidecar.outcomes;
      const audit = record === undefined ? {} : { audit: record.report };
      metrics.measure({
        load,
        logLinesLost: log.lost,
        store: () => store.report?.(),
        egress: check.report,
        outcomes: summary,
        ...renewal,
        ...audit,
      });
      const deps = {
        role,
        store,
        upstream: origin.url,
        lastSeen,
        load,
        underWay,
        outcomes: summary,
        version,
        startedAt,
      };
      return { status: () => statusOf(deps) };
    },
  };
}

function isAlarmed(record: TokenRecord | undefined): boolean | undefined {
  return record === undefined ? undefined : record.stopped !== null;
}
