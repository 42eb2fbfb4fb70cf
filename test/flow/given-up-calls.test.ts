import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

import { afterEach, beforeEach, expect, it } from "vitest";

import { exchange, openRawCaller } from "../support/raw-caller.ts";
import { startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { eventually, loadOf, noLoad } from "../support/sidecar-load.ts";
import { queryCall } from "../support/wallet-call.ts";

/** A door before Presto: while it is stuck, connections are accepted and nothing more. */
let door: Server;
let stuck: boolean;
let connections: number;
const waiting = new Set<Socket>();
let presto: RawPresto;
let sidecar: RunningSidecar;

beforeEach(async () => {
  presto = await startRawPresto();
  stuck = true;
  connections = 0;
  door = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {});
    if (!stuck) {
      const inner = connect(presto.port, "127.0.0.1").on("error", () => socket.destroy());
      socket.pipe(inner).pipe(socket);
      return;
    }
    waiting.add(socket);
    socket.on("close", () => waiting.delete(socket));
    // Read, or the end of the connection would not be seen; but never answered.
    socket.resume();
  });
  await new Promise<void>((resolve) => {
    door.listen(0, "127.0.0.1", resolve);
  });
  const address = door.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  sidecar = await startSidecar({
    url: `https://localhost:${port}`,
    caPem: presto.authority.certPem,
    env: { PRESTO_MAX_IN_FLIGHT: "2", PRESTO_CONNECT_TIMEOUT: "30s", PRESTO_TIMEOUT: "20s" },
  });
});

afterEach(async () => {
  await sidecar.close();
  for (const socket of waiting) socket.destroy();
  await presto.close();
  await new Promise<void>((resolve) => {
    door.close(() => resolve());
  });
});

// undici keeps a request that waits for a connection, body and all, until it is told that nobody wants it.
it("calls that were given up before they had a connection leave nothing behind that a later call would wait for", async () => {
  for (let round = 0; round < 15; round += 1) {
    const callers = [await openRawCaller(sidecar), await openRawCaller(sidecar)];
    for (const caller of callers) caller.send(queryCall(`DEAD${round}`));
    await eventually(() => loadOf(sidecar)).toMatchObject({ inFlight: 2 });
    for (const caller of callers) caller.close();
    await eventually(() => loadOf(sidecar)).toEqual(noLoad);
  }
  // Attempts that nobody waits for are given up.
  await eventually(() => waiting.size).toBe(0);

  stuck = false;
  connections = 0;
  expect((await exchange(sidecar, queryCall("LIVE"))).status).toBe(200);
  expect(connections).toBe(1);
  expect(presto.requests.map(({ requestLine }) => requestLine.includes("LIVE"))).toEqual([true]);
});
