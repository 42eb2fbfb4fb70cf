import { request } from "node:http";

import { walletPaths } from "./wallet-call.ts";

/** An answer over a Unix socket; status 0: there was none. */
export interface Asked {
  readonly status: number;
  readonly text: string;
}

/** Asks a listener of the program. With `POST` as whoever may do so at the control listener. */
export function ask(socketPath: string, path: string, method: "GET" | "POST" = "GET"): Promise<Asked> {
  return new Promise((resolve) => {
    const headers = { Host: "localhost", ...(method === "POST" ? { "Presto-Control": "1" } : {}) };
    const sent = request({ socketPath, path, method, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("error", () => resolve({ status: 0, text }));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once("error", () => resolve({ status: 0, text: "" }));
    sent.end();
  });
}

/** Asks for a transaction that there is none of: 404 is Presto's own answer to a token that lives. */
export async function askForNone(proxy: string): Promise<number> {
  return (await ask(proxy, `${walletPaths.transaction}/TRX000000000`)).status;
}

/** What the admin listener says at `/status`. */
export async function statusOf(admin: string): Promise<Readonly<Record<string, unknown>>> {
  const { status, text } = await ask(admin, "/status");
  const parsed: unknown = status === 200 ? JSON.parse(text) : undefined;
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
}
