import type { FastifyReply, FastifyRequest } from "fastify";

import type { Clock } from "../clock.ts";
import type { EgressReport } from "../egress-ip/observed.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Recent } from "../observe/recent.ts";
import type { RenewalReport } from "../renewal/types.ts";
import { isReady, type Latch, type Readiness } from "./readiness.ts";
import { type BoundableServer, createServer, type ServerOptions } from "./server.ts";
import { statusPage, statusPagePolicy } from "./status-page.ts";
import { fullReport, type FullReport, type StatusReport } from "./status.ts";

export interface AdminServerOptions extends Pick<ServerOptions, "mostConnections"> {
  readonly readiness: Pick<Readiness, "all">;
  readonly status: () => StatusReport;
  /** Only in a role that issues. */
  readonly renewal?: () => RenewalReport;
  /** Only where egress is watched. */
  readonly egress?: () => EgressReport;
  readonly metrics: Pick<Metrics, "text" | "contentType">;
  readonly recent: Pick<Recent, "report">;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit<Warning>;
}

/**
 * Health, metrics and status, for reading only. It may be bound to an address that others
 * reach, so whatever it can say must be fit for them: it is given no secret to begin with.
 */
export function createAdminServer({
  readiness,
  status,
  renewal,
  egress,
  metrics,
  recent,
  clock,
  emit,
  ...limits
}: AdminServerOptions): Promise<BoundableServer> {
  const report = (): FullReport => fullReport(status(), readiness.all(), renewal?.(), egress?.());

  const health =
    (check: string, latches: () => readonly Latch[]) => (request: FastifyRequest, reply: FastifyReply) => {
      const { status: code, body } = healthAnswer(check, latches(), asksVerbose(request));
      return reply.code(code).type("text/plain; charset=utf-8").send(body);
    };

  return createServer({
    ...limits,
    emit,
    methods: ["GET", "HEAD"],
    routes(app) {
      // A process that can answer lives; restarting it would mend none of the latches.
      app.get(
        "/livez",
        health("livez", () => []),
      );
      app.get(
        "/readyz",
        health("readyz", () => readiness.all()),
      );
      // Kubernetes starts the app's own container after this one. Waiting for a token is readiness' part.
      app.get(
        "/startupz",
        health("startupz", () => readiness.all().filter(({ name }) => name === "started")),
      );
      app.get("/metrics", async (_request, reply) =>
        reply.type(metrics.contentType).send(await metrics.text()),
      );
      app.get("/status", (_request, reply) => reply.send(report()));
      app.get("/", (_request, reply) =>
        reply
          .header("content-security-policy", statusPagePolicy)
          .type("text/html; charset=utf-8")
          .send(statusPage(report(), recent.report(), clock.now())),
      );
    },
  });
}

/** As the Kubernetes API server has it: the parameter's presence counts, not its value. */
function asksVerbose(request: FastifyRequest): boolean {
  return new URLSearchParams(request.url.split("?")[1] ?? "").has("verbose");
}

/** A health check's reply, as plain text. */
export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: string;
}

/**
 * `ok`, or the closed latches, one a line. With `verbose`, all of them, in the form of the
 * Kubernetes API server's own `/readyz?verbose`: `[+]name ok`, `[-]name: reason`. What does
 * not decide, and is closed, stands there as `[!]name: reason`: a mark that says neither
 * passed nor failed, and the last line and the status are as if it were open.
 * @param check the name that stands in the verbose form's last line
 */
export function healthAnswer(check: string, latches: readonly Latch[], verbose: boolean): HealthAnswer {
  const ready = isReady(latches);
  const lines = latches.flatMap((latch) => {
    if (!latch.closed) return verbose ? [`[+]${latch.name} ok`] : [];
    const line = `${latch.name}: ${oneLine(latch.reason)}`;
    if (verbose) return [`${latch.advisory ? "[!]" : "[-]"}${line}`];
    return latch.advisory ? [] : [line];
  });
  if (verbose) lines.push(`${check} check ${ready ? "passed" : "failed"}`);
  else if (ready) lines.push("ok");
  return { status: ready ? 200 : 503, body: `${lines.join("\n")}\n` };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
