import type { FastifyReply, FastifyRequest } from "fastify";

import { describeError } from "../observe/describe-error.ts";
import type { Signals } from "../observe/events.ts";
import { judgeCaller } from "../policy/caller.ts";
import type { Renew } from "../renewal/types.ts";
import { renewAnswer, type RenewAnswer, roleCannotIssue } from "./renew-answer.ts";
import { readRenewWish } from "./renew-wish.ts";
import { allowTime, type BoundableServer, createSmallServer, refuse } from "./small-server.ts";

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

export interface ControlServerOptions {
  readonly actions: ControlActions;
  readonly signals: Pick<Signals, "warned">;
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
  signals,
}: ControlServerOptions): Promise<BoundableServer> {
  const bound = await createSmallServer({
    signals,
    methods: ["POST"],
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
          signals.warned("A reload that was asked for on the control listener failed.", error);
          const detail =
            describeError(error).message ?? "Something could not be read again; the log says what.";
          return refuse(reply, 500, "reload-failed", detail);
        }
      });
      app.post("/renew", async (request, reply) => {
        if (actions.renew === undefined) return send(reply, roleCannotIssue);
        const reading = readRenewWish(request.url);
        if (!reading.ok) return refuse(reply, 400, "bad-request", reading.detail);
        allowTime(request, reading.wish.waitMs);
        // Not given up when the caller goes away: a renewal that is under way can't be taken back.
        return send(reply, renewAnswer(await actions.renew(reading.wish)));
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
  const verdict = judgeCaller(request.raw.rawHeaders, { unixSocket, names: noNames });
  if (verdict.ok) return undefined;
  return verdict.code === "browser-refused"
    ? verdict.detail
    : "The Host field must be one loopback name: localhost, 127.0.0.1 or [::1].";
}
