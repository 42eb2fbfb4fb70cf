import { connect } from "node:net";
import type { Socket } from "node:net";

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Fields by lower-case name; several lines are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** All bytes, of this answer and what came after it. */
  readonly raw: string;
}

/** A connection that sends bytes as they are, for requests that no HTTP library would make. */
export interface RawCaller {
  readonly socket: Socket;
  send(bytes: string | Buffer): void;
  /** Everything that has come so far. */
  received(): string;
  /** Waits until so many whole answers are there, or the connection has ended. */
  answers(count: number): Promise<readonly WireAnswer[]>;
  /** Waits until the other side has ended the connection. */
  ended(): Promise<void>;
  close(): void;
}

export interface RawCallerOptions {
  /** Goes on sending after the other side has ended the connection, as a hostile caller would. */
  readonly stubborn?: boolean;
}

export function openRawCaller(
  target: { readonly port: number } | { readonly path: string },
  options: RawCallerOptions = {},
): Promise<RawCaller> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...("port" in target ? { host: "127.0.0.1", port: target.port } : { path: target.path }),
      allowHalfOpen: options.stubborn === true,
    });
    let received = "";
    let over = false;
    const watchers = new Set<() => void>();
    const wake = (): void => {
      for (const watcher of watchers) watcher();
    };
    const until = (holds: () => boolean): Promise<void> =>
      new Promise((done) => {
        const look = (): void => {
          if (!holds()) return;
          watchers.delete(look);
          done();
        };
        watchers.add(look);
        look();
      });
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      wake();
    });
    const finish = (): void => {
      over = true;
      wake();
    };
    socket.on("end", finish);
    socket.on("close", finish);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.on("error", finish);
      resolve({
        socket,
        send: (bytes) => void socket.write(bytes),
        received: () => received,
        async answers(count) {
          await until(() => over || parseAnswers(received).length >= count);
          return parseAnswers(received);
        },
        ended: () => until(() => over),
        close: () => socket.destroy(),
      });
    });
  });
}

/** Sends one request and gives the first answer. */
export async function exchange(
  target: { readonly port: number } | { readonly path: string },
  bytes: string | Buffer,
): Promise<WireAnswer> {
  const caller = await openRawCaller(target);
  try {
    caller.send(bytes);
    const [answer] = await caller.answers(1);
    if (answer === undefined)
      throw new Error(`no whole answer came, but: ${JSON.stringify(caller.received())}`);
    return answer;
  } finally {
    caller.close();
  }
}

/** Answers with a length; `100 Continue` is passed over. */
function parseAnswers(text: string): WireAnswer[] {
  const answers: WireAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) return answers;
    const [statusLine = "", ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(statusLine.split(" ")[1]);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const name = line.slice(0, line.indexOf(":")).toLowerCase();
      const value = line.slice(line.indexOf(":") + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    const length = Number(headers["content-length"] ?? 0);
    if (rest.length < end + 4 + length) return answers;
    const raw = rest;
    const body = rest.slice(end + 4, end + 4 + length);
    rest = rest.slice(end + 4 + length);
    if (status >= 200) answers.push({ status, headers, body, raw });
  }
}
