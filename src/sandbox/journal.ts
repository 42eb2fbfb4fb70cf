/** A request that was read whole, byte for byte, whatever became of it. */
export interface ReceivedRequest {
  readonly method: string;
  /** As it stood in the request line, with its query. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Address that the sandbox saw. */
  readonly address: string;
  /** Number of its connection, from 1: tells reused ones from new ones. */
  readonly connection: number;
}

/** What the sandbox saw on its wires. Everything is kept in memory; of requests the newest 1000. */
export interface Journal {
  /** A TCP connection came; its number, from 1. */
  connected(): number;
  /** A request's head came. */
  counted(method: string, path: string): void;
  received(request: ReceivedRequest): void;
  /** The HTTP parser refused what came. */
  refused(): void;
  requests(): readonly ReceivedRequest[];
  counts(): JournalCounts;
  /** Forgets everything. Connections go on counting: their numbers stay unique. */
  reset(): void;
}

/** See {@link Journal}. */
export interface JournalCounts {
  /** By `METHOD /path`, without the query: heads that came, whatever became of them. */
  readonly requests: Readonly<Record<string, number>>;
  /** TCP connections, since the start or the last reset. */
  readonly connections: number;
  /** Pieces of input that were not HTTP. */
  readonly malformed: number;
}

const kept = 1000;

/** Creates an empty journal. */
export function createJournal(): Journal {
  let counts = new Map<string, number>();
  let received: ReceivedRequest[] = [];
  let connections = 0;
  let connectionsBefore = 0;
  let malformed = 0;
  return {
    connected: () => (connections += 1),
    counted(method, path) {
      const key = `${method} ${path}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    received(request) {
      received.push(request);
      if (received.length > kept) received.shift();
    },
    refused() {
      malformed += 1;
    },
    requests: () => [...received],
    counts: () => ({
      requests: Object.fromEntries(counts),
      connections: connections - connectionsBefore,
      malformed,
    }),
    reset() {
      counts = new Map();
      received = [];
      connectionsBefore = connections;
      malformed = 0;
    },
  };
}
