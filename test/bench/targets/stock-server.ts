/**
 * @fastify/http-proxy as its README shows it, with the three things that a fair comparison needs: certificates
 * are checked (it does not by default), the bearer token is attached, and a caller may close its connection.
 */
import { readFileSync } from "node:fs";

import proxy from "@fastify/http-proxy";
import fastify from "fastify";

const { PORT, UPSTREAM = "", CA_FILE = "", TOKEN } = process.env;
const app = fastify();
await app.register(proxy, {
  upstream: UPSTREAM,
  undici: { connections: 256, connect: { ca: readFileSync(CA_FILE), rejectUnauthorized: true } },
  replyOptions: {
    // Or a caller who asks to close is told "keep-alive", and waits for ever.
    rewriteHeaders: ({ connection: _connection, ...headers }) => headers,
    rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization: `Bearer ${TOKEN}` }),
  },
});
await app.listen({ port: Number(PORT), host: "127.0.0.1" });
