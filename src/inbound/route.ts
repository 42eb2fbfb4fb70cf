import type { IncomingMessage, ServerResponse } from "node:http";

import httpProxy from "@fastify/http-proxy";
import fastify, { type FastifyReply, type FastifyRequest, LogController } from "fastify";

import { createServer } from "../lib/node-http.ts";
import { CallerRequest } from "./caller-request.ts";
import type { InboundCall } from "./request.ts";

export interface ProxyRouteOptions {
  readonly originUrl: string;
  /** Methods of the table of operations. */
  readonly methods: readonly string[];
  /** Reads the body of an accepted call; calls back when it is in memory, and not at all if the call has ended. */
  readonly receive: (call: InboundCall, request: IncomingMessage, done: () => void) => void;
  /** Performs a call whose body is in memory, and writes its reply. */
  readonly perform: (call: InboundCall) => void;
}

/** Sends an accepted call through Fastify and the proxy plugin. */
export interface ProxyRoute {
  route(call: InboundCall, request: CallerRequest, reply: ServerResponse): void;
  close(): Promise<void>;
}

/** What reply-from would send with: it can't. */
const noExchange = {
  request(): never {
    throw new Error("the proxy plugin's own exchange is never used");
  },
  destroy(): void {},
};

/**
 * The plugin routes; our exchange does the work, in the plugin's `preHandler`. Its own exchange
 * is never used: `reply.from` rewrites bodies and targets, and would send a second time what
 * ours has sent.
 *
 * The target has been judged by then, and is sent as it was judged, so what Fastify is given to
 * route is always `/`.
 */
export async function createProxyRoute(options: ProxyRouteOptions): Promise<ProxyRoute> {
  let handle: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;

  const app = fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    // Fastify keeps a server that never listens: ours are several, and share this one handler.
    serverFactory: (handler) => {
      handle = handler;
      return createServer();
    },
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (request, _payload, done) => {
    const call = callOf(request.raw);
    if (call === undefined) done(new Error("a request that was not judged"), undefined);
    else options.receive(call, request.raw, () => done(null, undefined));
  });

  await app.register(httpProxy, {
    upstream: options.originUrl,
    routes: ["/"],
    httpMethods: [...options.methods],
    proxyPayloads: false,
    undici: noExchange,
    // Before the plugin's handler, which would parse three URLs for each request: nothing goes on after it.
    preHandler: (request: FastifyRequest, reply: FastifyReply) => {
      reply.hijack();
      const call = callOf(request.raw);
      if (call === undefined) reply.raw.destroy();
      else options.perform(call);
    },
  });
  await app.ready();

  return {
    route(call, request, reply) {
      request.call = call;
      request.url = "/";
      // Fastify answers 415 to a malformed Content-Type by itself; ours is forwarded as it came, from rawHeaders.
      delete request.headers["content-type"];
      handle?.(request, reply);
    },
    close: () => app.close(),
  };
}

function callOf(request: IncomingMessage): InboundCall | undefined {
  return request instanceof CallerRequest ? request.call : undefined;
}
