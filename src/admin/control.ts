import type { FastifyReply, FastifyRequest } from "fastify";

import { readDuration } from "../lib/duration.ts";
import type { Emit, Warning } from "../lib/events.ts";
import type { Outcomes } from "../money/outcomes.ts";
import { describeError } from "../observe/describe-error.ts";
import { checkCaller } from "../policy/caller.ts";
import type { Renew, RenewReply, RenewRequest } from "../renewal/types.ts";
import { addOutcomeRoutes } from "./outcomes.ts";
import { allowTime, type BoundableServer, createServer, refuse, type ServerOptions } from "./server.ts";

const defaultWaitMs = 30_000;
/** Who wants to know more asks `/status`: a connection should not be kept open for hours. */
const longestWaitMs = 10 * 60_000;

/** A request to renew, or one sentence that says what was wrong with it and what to do. */
export type RenewRequestReading =
  | { readonly ok: true; readonly request: RenewRequest }
  | { readonly ok: false; readonly detail: string };

/**
 * Reads the query of `POST /renew`. Strictly: `force` revokes a token that works, so nothing
 * here is guessed at, and a parameter that was misspelt does not go by as one left out.
 * @param target the request target: `/renew?force=1&wait=30s`
 */
export function readRenewRequest(target: string): RenewRequestReading {
  const start = target.indexOf("?");
  let force: true | undefined;
  let waitMs: number | undefined;
  for (const [name, value] of new URLSearchParams(start < 0 ? "" : target.slice(start + 1))) {
    if (name === "force") {
      if (force !== undefined) return refused("The parameter force was given twice; give it once.");
      if (value !== "1") return refused("The parameter force takes the value 1 only; else leave it out.");
      force = true;
    } else if (name === "wait") {
      if (waitMs !== undefined) return refused("The parameter wait was given twice; give it once.");
      waitMs = readDuration(value);
      if (waitMs === undefined)
        return refused("The parameter wait is no duration; write it like 250ms, 10s or 5m.");
      if (waitMs > longestWaitMs)
        return refused("The parameter wait is too long; 10m is the most. The renewal goes on without it.");
    } else {
      return refused("POST /renew knows the parameters force=1 and wait=30s, and no other; leave it out.");
    }
  }
  return { ok: true, request: { force: force ?? false, waitMs: waitMs ?? defaultWaitMs } };
}

function refused(detail: string): RenewRequestReading {
  return { ok: false, detail };
}

/** The reply to `POST /renew`. */
export interface RenewAnswer {
  readonly status: 200 | 202 | 409 | 502 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** What is told of a token is told by generation and date; of an error, `{code, detail}`. */
  readonly body: Readonly<Record<string, string | number | null>>;
}

/** Where nothing can be issued, whatever is asked for. */
export const roleCannotIssue: RenewAnswer = refusal(
  409,
  "role-cannot-issue",
  "A sidecar of role proxy uses the token and can't issue one; ask the process of role rotator or all that looks after this account.",
);

/** What became of the request, in HTTP. */
export function renewAnswer(reply: RenewReply): RenewAnswer {
  switch (reply.kind) {
    case "renewed":
      return answer(200, {
        generation: reply.generation,
        expires_at: reply.expiresAt?.toISOString() ?? null,
      });
    case "under-way":
      return answer(202, { state: reply.state });
    case "stopped":
      return refusal(409, "alarm-latched", reply.detail);
    case "elsewhere":
      return refusal(409, "record-elsewhere", reply.detail);
    case "refused":
      return refusal(502, "refused", reply.detail);
    case "lock-held": {
      const { status, headers, body } = later(reply);
      return { status, headers, body: { ...body, pod: `${reply.pod.namespace}/${reply.pod.name}` } };
    }
    case "young-token":
    case "unreachable":
      return later(reply);
  }
}

function later({
  kind,
  detail,
  retryAfterMs,
}: Extract<RenewReply, { readonly retryAfterMs: number }>): RenewAnswer {
  return refusal(503, kind, detail, {
    // Whole seconds (RFC 9110, section 10.2.3), and 0 would ask for a busy loop.
    "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
  });
}

function answer(status: 200 | 202, body: RenewAnswer["body"]): RenewAnswer {
  return { status, headers: {}, body };
}

function refusal(
  status: 409 | 502 | 503,
  code: string,
  detail: string,
  headers: RenewAnswer["headers"] = {},
): RenewAnswer {
  return { status, headers, body: { code, detail } };
}

export interface ControlActions {
  /** Readiness goes and new calls are refused; the process stays. May be called again. */
  drain(): void;
  /** Drain, then exit 0. May be called again. */
  quit(): void;
  /** Reads again what comes from files; answers what was read. Throws where something could not be. */
  reload(): Promise<readonly string[]>;
  /** Has a token issued, or waits for the one that is being issued. Only in a role that issues. */
  readonly renew?: Renew;
}

export interface ControlServerOptions extends Pick<ServerOptions, "mostConnections"> {
  readonly actions: ControlActions;
  /** Calls that move money whose end is unclear. Not in a process that makes none. */
  readonly outcomes?: Outcomes;
  readonly emit: Emit<Warning>;
}

/** No other name reaches this listener: not the upstream's, and none that is configured. */
const noNames: ReadonlySet<string> = new Set();

/**
 * The verbs that act. Judged in this order: the method, the `Presto-Control` field (which no
 * form or link can send, and a script only after a preflight that is refused), `Origin` and
 * `Sec-Fetch-Site`, `Host` (which gives away a page that came by DNS rebinding).
 */
export async function createControlServer({
  actions,
  outcomes,
  emit,
  ...limits
}: ControlServerOptions): Promise<BoundableServer> {
  const bound = await createServer({
    ...limits,
    emit,
    methods: ["POST"],
    methodsAt: new Map([["/outcomes", ["GET"]]]),
    // Not judged by the socket's remote address: a TCP socket that was closed has none either.
    objection: (request) => objection(request, typeof bound.server.address() === "string"),
    routes(app) {
      app.post("/drain", (_request, reply) => {
        actions.drain();
        return reply.send({ state: "draining" });
      });
      app.post("/quit", (_request, reply) => {
        // Only once the reply is out, or the process might end before it.
        reply.raw.once("close", () => actions.quit());
        return reply.send({ state: "quitting" });
      });
      app.post("/reload", async (_request, reply) => {
        try {
          return { reloaded: await actions.reload() };
        } catch (error) {
          const message = "A reload that was asked for on the control listener failed.";
          emit({ type: "warning", message, cause: error });
          const detail =
            describeError(error).message ?? "Something could not be read again; the log says what.";
          return refuse(reply, 500, "reload-failed", detail);
        }
      });
      if (outcomes !== undefined) addOutcomeRoutes(app, outcomes);
      app.post("/renew", async (request, reply) => {
        if (actions.renew === undefined) return send(reply, roleCannotIssue);
        const reading = readRenewRequest(request.url);
        if (!reading.ok) return refuse(reply, 400, "bad-request", reading.detail);
        allowTime(request, reading.request.waitMs);
        // Not given up when the caller goes away: a renewal that is under way can't be taken back.
        return send(reply, renewAnswer(await actions.renew(reading.request)));
      });
    },
  });
  return bound;
}

function send(reply: FastifyReply, { status, headers, body }: RenewAnswer): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}

function objection(request: FastifyRequest, unixSocket: boolean): string | undefined {
  // Node joins repeated fields, so two of them are not "1" either.
  if (request.headers["presto-control"] !== "1") return "Send the header Presto-Control: 1, once.";
  const verdict = checkCaller(request.raw.rawHeaders, { unixSocket, names: noNames });
  if (verdict.ok) return undefined;
  return verdict.code === "browser-refused"
    ? verdict.detail
    : "The Host field must be one loopback name: localhost, 127.0.0.1 or [::1].";
}
