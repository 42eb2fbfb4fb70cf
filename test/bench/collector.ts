/** `node collector.ts PORT`: stands in for an OpenTelemetry collector, which takes whatever it is sent and keeps none of it. */
import { createServer } from "node:http";

createServer((request, reply) => {
  request.resume();
  request.once("end", () => reply.writeHead(200, { "Content-Type": "application/x-protobuf" }).end());
}).listen(Number(process.argv[2]), "127.0.0.1");
