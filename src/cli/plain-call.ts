import { request, type IncomingHttpHeaders } from "node:http";

/** A call as an app makes it: plain HTTP, no token. */
export interface PlainCall {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** JSON text, sent byte for byte. */
  readonly body?: string;
}

export interface PlainReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Makes the call on a connection of its own. Rejects with the system's error. */
export function callPlainly(call: PlainCall): Promise<PlainReply> {
  return new Promise((resolve, reject) => {
    const asked = request(call.url, {
      method: call.method,
      agent: false,
      headers:
        call.body === undefined
          ? {}
          : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(call.body) },
    });
    asked.once("error", reject);
    asked.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    asked.end(call.body);
  });
}
