import { createServer } from "node:net";
import type { Socket } from "node:net";

/** A listener that nobody should ever connect to. */
export interface Decoy {
  /** `host:port`. */
  readonly authority: string;
  /** What came over each connection; a connection alone is one too many. */
  seen(): readonly string[];
  close(): Promise<void>;
}

/** Listens on a loopback address; port 0 is any free one. It answers nothing. */
export async function startDecoy(host: string, port = 0): Promise<Decoy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const index = seen.push("") - 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      seen[index] += chunk.toString("latin1");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  return {
    authority: `${host}:${bound}`,
    seen: () => seen,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
