import type { Server } from "node:net";

/** Where a listener is bound. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly mode: number };

/** As it is written in the configuration and told to people: `127.0.0.1:7380`, `[::1]:7380`, `unix:/path`. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** A server that listens. */
export interface BoundListener {
  /** Where: as it was asked for, but with the port that the system chose where 0 was asked. */
  readonly address: ListenAddress;
  /**
   * Unlinks the socket file, if there is one and it is still the one that was made here.
   * For before the server is closed: after that, another's file may look like it. Never rejects;
   * calling it twice does nothing.
   */
  release(): Promise<void>;
}

/** Calls `listen` and resolves once `server` listens; rejects with the system's error if it can't. */
export function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onListening = (): void => {
      server.off("error", onError);
      resolve();
    };
    const onError = (error: Error): void => {
      server.off("listening", onListening);
      reject(error);
    };
    server.once("listening", onListening);
    server.once("error", onError);
    listen();
  });
}
