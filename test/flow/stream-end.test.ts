import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { Worker } from "node:worker_threads";

import { expect, it, onTestFinished } from "vitest";

import { rememberCarrier, type StreamEnd, watchStreamEnd } from "../../src/connect/stream-end.ts";
import { createAuthority } from "../../src/sandbox/certificates.ts";

/** On another thread, so that what it does reaches the kernel while this one stands still. */
const serverCode = `
const { createServer } = require("node:tls");
const { parentPort, workerData } = require("node:worker_threads");
const carriers = [];
const server = createServer({ key: workerData.keyPem, cert: workerData.certPem, maxVersion: workerData.version }, (socket) => {
  socket.on("error", () => {});
  socket.setNoDelay(true);
  socket.once("data", () => {
    const carrier = carriers.at(-1);
    const end = () => {
      if (workerData.how === "notify") socket.end();
      if (workerData.how === "fin") carrier.end();
      if (workerData.how === "reset") carrier.resetAndDestroy();
    };
    socket.write("all of it", () => setTimeout(end, workerData.afterMs));
  });
});
server.on("connection", (carrier) => carriers.push(carrier));
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

const authority = await createAuthority();
const certificate = await authority.issue();

/** Is the end announced? This thread reads nothing for a while after it has asked. */
async function endOf(how: string, afterMs: number, version: string, stillMs: number): Promise<boolean> {
  const workerData = { keyPem: certificate.keyPem, certPem: certificate.certPem, how, afterMs, version };
  const worker = new Worker(serverCode, { eval: true, workerData });
  onTestFinished(async () => void (await worker.terminate()));
  const port = await new Promise<number>((resolve) => {
    worker.once("message", resolve);
  });
  const carrier = connectTcp(port, "127.0.0.1");
  carrier.on("error", () => {});
  await new Promise((resolve) => {
    carrier.once("connect", resolve);
  });
  return new Promise((resolve) => {
    let end: StreamEnd | undefined;
    const socket = connectTls({ socket: carrier, servername: "localhost", ca: authority.certPem }, () => {
      rememberCarrier(socket, carrier);
      socket.write("?");
      setTimeout(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stillMs);
      }, 1);
    });
    socket.on("error", () => {});
    socket.on("readable", () => {
      if (socket.read() !== null) end ??= watchStreamEnd(socket);
    });
    socket.on("end", () => resolve(end?.isAnnounced() === true));
    socket.on("close", () => resolve(end?.isAnnounced() === true));
  });
}

it.each(
  ["TLSv1.3", "TLSv1.2"].flatMap((version) =>
    [
      ["notify", 0],
      ["notify", 100],
      ["fin", 0],
      ["fin", 100],
      ["reset", 0],
      ["reset", 100],
    ].flatMap(([how, afterMs]) => [
      [version, how, afterMs, 0],
      [version, how, afterMs, 300],
    ]),
  ),
)(
  "an end over %s by %s after %i ms, met by a reader that stood still for %i ms",
  async (version, how, afterMs, stillMs) => {
    const announced = await endOf(String(how), Number(afterMs), String(version), Number(stillMs));
    expect(announced).toBe(how === "notify");
  },
);
