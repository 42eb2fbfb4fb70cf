import { createServer, type Server } from "node:net";

/**
 * For each wished-for port of 127.0.0.1 that port if it is free, else one that the system
 * chooses; no two are the same. Whoever binds one next may still lose it to somebody
 * faster; that is told then as any taken port.
 */
export async function freePorts(wishes: readonly number[]): Promise<number[]> {
  const held: Held[] = [];
  try {
    // Held until all are chosen, or the system could choose one twice.
    for (const wish of wishes)
      held.push((await hold(wish)) ?? (await hold(0)) ?? { port: wish, server: undefined });
    return held.map(({ port }) => port);
  } finally {
    for (const { server } of held) await closed(server);
  }
}

interface Held {
  readonly port: number;
  readonly server: Server | undefined;
}

function hold(port: number): Promise<Held | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const address = server.address();
      resolve({ server, port: address !== null && typeof address === "object" ? address.port : port });
    });
  });
}

function closed(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined) resolve();
    else server.close(() => resolve());
  });
}
