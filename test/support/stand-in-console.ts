import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { runHere, type Ran } from "./command-io.ts";

/** A request as the stand-in saw it. */
export interface SeenRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
}

/** Something that answers where an admin or control listener would. */
export interface StandInConsole {
  /** For PRESTO_ADMIN_LISTEN or PRESTO_CONTROL_LISTEN. */
  readonly address: string;
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

export type StandInAnswer = (request: SeenRequest, response: ServerResponse) => void;

/** Listens on a free port, or at a Unix socket's path. */
async function openStandInConsole(answer: StandInAnswer, at: string | number = 0): Promise<StandInConsole> {
  const seen: SeenRequest[] = [];
  const server: Server = createServer((request, response) => {
    const { method, url, headers } = request;
    seen.push({ method, url, headers });
    answer({ method, url, headers }, response);
  });
  if (typeof at === "string") server.listen(at);
  else server.listen(at, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const address = bound !== null && typeof bound === "object" ? `127.0.0.1:${bound.port}` : `unix:${bound}`;
  return {
    address,
    seen,
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** Answers everything alike. */
export function always(status: number, body: string): StandInAnswer {
  return (_request, response) => void response.writeHead(status).end(body);
}

/** An address at which nobody listens. */
export async function nowhere(): Promise<string> {
  const standIn = await openStandInConsole(() => {});
  await standIn.close();
  return standIn.address;
}

interface Closable {
  close(): Promise<void> | void;
}

/** Opens stand-ins for a test, and closes all of them after it. */
export interface Consoles {
  readonly open: (answer: StandInAnswer, at?: string) => Promise<StandInConsole>;
  readonly closeLater: (opened: Closable) => void;
  readonly close: () => Promise<void>;
}

export function createConsoles(): Consoles {
  const opened: Closable[] = [];
  return {
    async open(answer, at) {
      const standIn = await openStandInConsole(answer, at);
      opened.push(standIn);
      return standIn;
    },
    closeLater: (other) => void opened.push(other),
    async close() {
      for (const each of opened.splice(0)) await each.close();
    },
  };
}

/** Runs a command in this process against these listeners. */
export function runAgainst(argv: readonly string[], admin: string, control = "off"): Promise<Ran> {
  return runHere(argv, { env: { PRESTO_ADMIN_LISTEN: admin, PRESTO_CONTROL_LISTEN: control } });
}
