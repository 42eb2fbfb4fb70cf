// A program: a TLS server on port 443 of all addresses that answers each request with the address that it came from.
// node test/support/mirror-presto.ts CERTIFICATE KEY
import { readFileSync } from "node:fs";
import { createServer } from "node:tls";

const [, , certificate = "", key = ""] = process.argv;

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (socket) => {
  socket.on("error", () => {});
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (;;) {
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return;
      process.stdout.write(`request: ${text.slice(0, text.indexOf("\r\n"))}\n`);
      text = text.slice(end + 4);
      const seen = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
      const body = JSON.stringify({ data: { seen } });
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
  });
});
server.on("tlsClientError", () => {});
server.listen(443, "::", () => process.stdout.write("listening\n"));
