import { request as httpRequest } from "node:http";
import type { Agent } from "node:http";

/** A reply with its bytes and header lines as they came. */
export interface WholeReply {
  readonly status: number | undefined;
  /** Name, value, name, value… */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Every value of a field, by its name in lower case. */
  values(name: string): string[];
}

export interface WholeCall {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value…; sent as they are given, besides Host and the length. */
  readonly headers?: readonly string[];
  readonly body?: Buffer;
  readonly agent?: Agent;
}

/** Makes a call with Node's own client, whose way of reading answers is not ours. Rejects if the answer is cut. */
export function makeCall({ port, method, path, headers = [], body, agent }: WholeCall): Promise<WholeReply> {
  const length = body === undefined ? [] : ["Content-Length", String(body.length)];
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: "127.0.0.1", port, method, path, agent, headers: ["Host", "localhost", ...headers, ...length] },
      (response) => {
        const { statusCode: status, rawHeaders } = response;
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status,
            rawHeaders,
            body: Buffer.concat(chunks),
            values: (name) =>
              rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
