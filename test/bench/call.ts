import { request } from "node:http";

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** One plain call on a connection of its own. Rejects where nobody answers within two seconds. */
export function call(url: string, body?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const outgoing = request(
      url,
      { method: body === undefined ? "GET" : "POST", agent: false, headers, timeout: 2000 },
      (incoming) => {
        let text = "";
        incoming
          .setEncoding("utf8")
          .on("data", (chunk: string) => {
            text += chunk;
          })
          .on("end", () => resolve({ status: incoming.statusCode ?? 0, body: text }))
          .on("error", reject);
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("nobody answered within 2 s")));
    outgoing.on("error", reject).end(body);
  });
}
