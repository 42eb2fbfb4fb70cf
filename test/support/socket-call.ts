import { type Agent, request } from "node:http";

import { systemCode } from "../../src/errors.ts";
import { parseObject, type JsonObject } from "../../src/lib/json.ts";

/** What came back of a call over a Unix socket. `nobody`: no connection could be had. `nothing`: it broke, or its caller left. */
export type SocketReply =
  | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
      readonly body: JsonObject;
    }
  | { readonly kind: "nobody" | "nothing" };

export interface SocketCallOptions {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The second half of the body comes so much later, milliseconds. */
  readonly bodyAfterMs?: number;
  /** The caller goes away so long after it has begun, milliseconds. */
  readonly leavesAfterMs?: number | undefined;
  /** A connection of its own unless given. */
  readonly agent?: Agent;
}

/** Makes one call, with no time limit of its own. Never rejects. */
export function callOverSocket(socketPath: string, options: SocketCallOptions): Promise<SocketReply> {
  const { method, path, body = "", bodyAfterMs = 0, leavesAfterMs, agent = false } = options;
  const headers: Record<string, string> = { Host: "localhost", ...options.headers };
  if (body !== "") {
    headers["Content-Type"] = "application/json";
    headers["Content-Length"] = String(Buffer.byteLength(body));
  }
  return new Promise((resolve) => {
    const broken = (error: Error): void => {
      const code = systemCode(error) ?? "";
      resolve({ kind: code === "ECONNREFUSED" || code === "ENOENT" ? "nobody" : "nothing" });
    };
    const sent = request({ socketPath, agent, path, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", broken);
      response.on("end", () =>
        resolve({
          kind: "reply",
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: parseObject(text) ?? {},
        }),
      );
    });
    sent.on("error", broken);
    if (leavesAfterMs !== undefined) setTimeout(() => sent.destroy(new Error("gone")), leavesAfterMs);
    if (bodyAfterMs === 0) sent.end(body);
    else {
      const half = Math.floor(body.length / 2);
      sent.write(body.slice(0, half));
      setTimeout(() => sent.end(body.slice(half)), bodyAfterMs);
    }
  });
}
