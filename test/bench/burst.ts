import { connect } from "node:net";

import { answer, queryPath } from "./upstream.ts";

/** When the first and the last answer were there: milliseconds from the start of all calls. */
export interface Burst {
  readonly firstMs: number;
  readonly lastMs: number;
}

const limitMs = 10_000;

/**
 * So many calls at once, each on a connection of its own, written byte by byte: a client library would cost more
 * than what is measured. Rejects unless each is answered with 200 and the right bytes.
 */
export async function makeBurst(port: number, calls: number): Promise<Burst> {
  const request = `GET ${queryPath} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`;
  const startedAt = performance.now();
  const times = await Promise.all(Array.from({ length: calls }, () => callOnce(port, request)));
  return { firstMs: Math.min(...times) - startedAt, lastMs: Math.max(...times) - startedAt };
}

/** Resolves with the time of the whole answer. */
function callOnce(port: number, request: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no answer within ${limitMs / 1000} s`)));
    socket.setEncoding("latin1");
    socket.once("connect", () => socket.write(request));
    socket.on("data", (piece: string) => {
      text += piece;
      if (!text.includes(answer)) return;
      const at = performance.now();
      socket.destroy();
      if (text.startsWith("HTTP/1.1 200 ")) resolve(at);
      else reject(new Error(`a call of the burst was answered ${JSON.stringify(text.slice(0, 300))}`));
    });
    socket.on("error", reject);
    // After an answer this comes too late to matter.
    socket.once("close", () =>
      reject(new Error(`a call of the burst was not answered: ${JSON.stringify(text.slice(0, 300))}`)),
    );
  });
}
