import { connect, createServer, type Socket } from "node:net";

/** A way to servers on loopback that can fail as networks do. */
export interface Relay {
  readonly port: number;
  /** Connections that came so far. */
  connections(): number;
  /** Connections that still carry bytes. */
  open(): number;
  /** Requests that came, where they come in plain HTTP/1.1. */
  requests(): number;
  /** What is up now carries no byte any more, and neither side is told: a NAT that forgot them, a host that is gone. What comes later does. */
  freeze(): void;
  /** Resets what is up now. */
  cut(): void;
  close(): Promise<void>;
}

interface Carried {
  readonly client: Socket;
  readonly server: Socket;
}

const requestLine = /^[A-Z]{3,7} \//;

/** Hands each connection to the first of these ports that takes it, as a load balancer does. */
export async function startRelay(ports: readonly number[]): Promise<Relay> {
  const carried = new Set<Carried>();
  const frozen = new Set<Carried>();
  let connections = 0;
  let requests = 0;

  const relay = createServer((client) => {
    connections += 1;
    client.on("error", () => client.destroy());
    lead(client, ports);
  });

  function lead(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: "127.0.0.1", port });
    const onRefused = (): void => lead(client, others);
    server.once("error", onRefused);
    server.once("connect", () => {
      server.off("error", onRefused);
      join({ client, server });
    });
  }

  function join(pair: Carried): void {
    const { client, server } = pair;
    carried.add(pair);
    const end = (): void => {
      // What is frozen stays up on either side.
      if (frozen.has(pair)) return;
      carried.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
    }
    client.on("data", (chunk: Buffer) => {
      if (requestLine.test(chunk.toString("latin1", 0, 16))) requests += 1;
    });
    client.pipe(server);
    server.pipe(client);
    if (client.destroyed) end();
  }

  await new Promise<void>((resolve) => {
    relay.listen(0, "127.0.0.1", resolve);
  });
  const address = relay.address();
  if (address === null || typeof address === "string") throw new Error("the relay does not listen");
  return {
    port: address.port,
    connections: () => connections,
    open: () => carried.size,
    requests: () => requests,
    freeze() {
      for (const pair of carried) {
        carried.delete(pair);
        frozen.add(pair);
        pair.client.unpipe(pair.server);
        pair.server.unpipe(pair.client);
        pair.client.pause();
        pair.server.pause();
      }
    },
    cut() {
      for (const pair of carried) {
        pair.client.resetAndDestroy();
        pair.server.destroy();
      }
    },
    async close() {
      for (const { client, server } of [...carried, ...frozen]) {
        client.destroy();
        server.destroy();
      }
      await new Promise((resolve) => {
        relay.close(resolve);
      });
    },
  };
}
