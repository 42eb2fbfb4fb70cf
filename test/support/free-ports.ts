import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Server } from "node:net";

import { systemCode } from "../../src/errors.ts";

/** A port of 127.0.0.1 that was free a moment ago: for a program that can't be asked which one it got. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Several at once, no two of them the same. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = await listenOn(outOfReach());
    if (server !== undefined) servers.push(server);
  }
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  });
  for (const server of servers) server.close();
  return ports;
}

const lowest = 12_000;
const least = 4_000;

/** Between here and its use the system must give it to nobody else, who asked for any port or opens a connection: ip(7), ip_local_port_range. */
function outOfReach(): number {
  const end = firstOfSystem();
  return end < lowest + least ? 0 : randomInt(lowest, end);
}

function firstOfSystem(): number {
  try {
    return Number.parseInt(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch {
    return 0;
  }
}

/** Undefined where somebody has it. */
async function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if (systemCode(error) === "EADDRINUSE") return undefined;
    throw error;
  }
}
