/**
 * The floor: the least that a proxy of this kind can do in Node. No checks, no limits, no time-outs, nothing
 * buffered: node:http in, undici's dispatch out, the bearer token attached. Not to be used for anything else.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { Pool } from "undici";

const { PORT, UPSTREAM = "", CA_FILE = "", TOKEN } = process.env;
const pool = new Pool(UPSTREAM, {
  connections: 256,
  pipelining: 1,
  allowH2: false,
  connect: { ca: readFileSync(CA_FILE), rejectUnauthorized: true },
});

createServer((request, response) => {
  const { host: _host, connection: _connection, ...headers } = request.headers;
  headers.authorization = `Bearer ${TOKEN}`;
  const body = request.method === "GET" ? null : request;
  pool.dispatch(
    { path: request.url ?? "/", method: request.method ?? "GET", headers, body },
    {
      onRequestStart() {},
      onResponseStart(_controller, status, replyHeaders) {
        delete replyHeaders["connection"];
        delete replyHeaders["keep-alive"];
        response.writeHead(status, replyHeaders);
      },
      onResponseData(_controller, chunk) {
        response.write(chunk);
      },
      onResponseEnd() {
        response.end();
      },
      onResponseError() {
        response.destroy();
      },
    },
  );
}).listen(Number(PORT), "127.0.0.1");
