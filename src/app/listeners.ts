import { createAdminServer } from "../admin/admin.ts";
import { type ControlActions, createControlServer } from "../admin/control.ts";
import type { StatusReport } from "../admin/status.ts";
import type { Clock } from "../clock.ts";
import { readDescriptorLimit } from "../files/proc.ts";
import { callerConnections, operatorConnections } from "../inbound/descriptors.ts";
import { createProxyListener, type ProxyListener, type ProxyListenerOptions } from "../inbound/listener.ts";
import type { Emit } from "../lib/events.ts";
import type { BoundListener, ListenAddress } from "../listen/address.ts";
import { bindServer } from "../listen/bind.ts";
import type { Event } from "../observe/events.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Recent } from "../observe/recent.ts";
import type { Sidecar } from "./sidecar.ts";

export type CallListenerOptions = Pick<
  ProxyListenerOptions,
  "origin" | "listen" | "hosts" | "operations" | "maxBody" | "timeoutMs" | "traceUpstream"
> & {
  readonly limits: { readonly maxInFlight: number };
  /** Undefined where nobody makes spans. */
  readonly traces: object | undefined;
};

export interface ListenerDeps {
  readonly sidecar: Sidecar;
  readonly clock: Clock;
  readonly emit: Emit<Event>;
}

/** Where apps call. */
export async function createCallListener(
  options: CallListenerOptions,
  { sidecar, clock, emit }: ListenerDeps,
): Promise<ProxyListener> {
  return createProxyListener({
    origin: options.origin,
    listen: options.listen,
    hosts: options.hosts,
    operations: options.operations,
    maxBody: options.maxBody,
    timeoutMs: options.timeoutMs,
    traceUpstream: options.traceUpstream,
    isTraced: options.traces !== undefined,
    mostConnections: callerConnections(await readDescriptorLimit(), options.limits.maxInFlight),
    limiter: sidecar.limiter,
    perform: sidecar.perform,
    clock,
    emit,
  });
}

export interface OperatorListenerOptions {
  readonly adminListen: ListenAddress;
  /** Undefined: off. */
  readonly controlListen: ListenAddress | undefined;
}

export interface OperatorListenerDeps extends ListenerDeps {
  readonly metrics: Metrics;
  readonly recent: Recent;
  readonly status: () => StatusReport;
  readonly actions: Omit<ControlActions, "renew">;
}

/** Where Kubernetes and people look, and act. */
export interface OperatorListeners {
  /** @throws CommandError `system-refused` for an address that can't be had */
  startAdmin(): Promise<ListenAddress>;
  /** Undefined where it is off. @throws CommandError `system-refused` for an address that can't be had */
  startControl(): Promise<ListenAddress | undefined>;
  close(): Promise<void>;
}

export async function createOperatorListeners(
  { adminListen, controlListen }: OperatorListenerOptions,
  { sidecar, clock, metrics, recent, status, actions, emit }: OperatorListenerDeps,
): Promise<OperatorListeners> {
  const { readiness, check, lifecycle, outcomes } = sidecar;
  const renewal = lifecycle === undefined ? {} : { renewal: lifecycle.report };
  const renew = lifecycle === undefined ? {} : { renew: lifecycle.renew };
  const mostConnections = operatorConnections(await readDescriptorLimit());
  const admin = await createAdminServer({
    mostConnections,
    readiness,
    status,
    metrics,
    recent,
    clock,
    emit,
    egress: check.report,
    ...renewal,
  });
  const control = await createControlServer({
    mostConnections,
    actions: { ...actions, ...renew },
    outcomes,
    emit,
  });
  const bound: BoundListener[] = [];

  async function bind(server: typeof admin.server, address: ListenAddress): Promise<ListenAddress> {
    const listener = await bindServer(server, address);
    bound.push(listener);
    return listener.address;
  }

  return {
    startAdmin: () => bind(admin.server, adminListen),
    startControl: async () => (controlListen === undefined ? undefined : bind(control.server, controlListen)),
    async close() {
      await Promise.all(bound.map((listener) => listener.release()));
      await Promise.all([admin.close(), control.close()]);
    },
  };
}
