import { Worker } from "node:worker_threads";

import { type Authority, createAuthority } from "../../src/sandbox/certificates.ts";

/** How it answers: with these bytes, as soon as so many have come (one, unless given), and then it ends so; `keep` reads on after a while. */
export interface EarlyAnswer {
  readonly bytes: string;
  readonly after?: number;
  readonly end: "destroy" | "reset" | "keep";
  /** Leaves Nagle's algorithm on (RFC 1122 section 4.2.3.4), as servers do by default. */
  readonly nagle?: boolean;
}

export interface EarlyPresto {
  readonly url: string;
  readonly authority: Authority;
  /** What is done with requests from now on: each connection takes the next of these, the last one for ever. */
  answer(answers: readonly EarlyAnswer[]): void;
  /** So many calls were begun; questions about earlier ones, which come when they like, are not counted. */
  begun(): number;
  close(): Promise<void>;
}

const code = `
const { createServer } = require("node:tls");
const { parentPort, workerData } = require("node:worker_threads");
let answers = [];
const carriers = new Map();
const server = createServer({ key: workerData.keyPem, cert: workerData.certPem }, (socket) => {
  let seen = 0;
  let answer;
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    const isFirst = seen === 0;
    if (isFirst) {
      answer = answers.length > 1 ? answers.shift() : answers[0];
      if (bytes.toString("latin1", 0, 5) === "POST ") parentPort.postMessage("begun");
      // Else what is written behind something that was not acknowledged waits, and the reset takes it away before it was sent.
      socket.setNoDelay(answer.nagle !== true);
    }
    const before = seen;
    seen += bytes.length;
    const due = Math.max(answer.after ?? 0, 1);
    if (before >= due || seen < due) return;
    // Nothing more is read: what still comes stays in the kernel.
    socket.pause();
    socket.write(answer.bytes, "latin1");
    if (answer.end === "keep") setTimeout(() => socket.resume(), 300);
    const carrier = carriers.get(socket.remotePort);
    if (answer.end === "destroy") setImmediate(() => socket.destroy());
    if (answer.end === "reset") setImmediate(() => carrier.resetAndDestroy());
  });
});
server.on("connection", (carrier) => carriers.set(carrier.remotePort, carrier));
parentPort.on("message", (next) => { answers = next; });
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

/** A Presto on a thread of its own that answers before it has read a request, and closes hard. */
export async function startEarlyPresto(): Promise<EarlyPresto> {
  const authority = await createAuthority();
  const { keyPem, certPem } = await authority.issue();
  const worker = new Worker(code, { eval: true, workerData: { keyPem, certPem } });
  let begun = 0;
  const port = await new Promise<number>((resolve) => {
    worker.on("message", (message) => {
      if (typeof message === "number") resolve(message);
      else begun += 1;
    });
  });
  return {
    url: `https://localhost:${port}`,
    authority,
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    answer: (answers) => worker.postMessage(answers),
    begun: () => begun,
    close: async () => void (await worker.terminate()),
  };
}
