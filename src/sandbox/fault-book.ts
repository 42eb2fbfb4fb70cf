import {
  type ConnectionEffect,
  type ConnectionFault,
  type Fault,
  isConnectionFault,
  type RequestEffect,
  type RequestFault,
} from "./fault.ts";

/** A fault that is set. */
export interface SetFault {
  readonly id: number;
  /** Ends it, and lets go what it holds. Doing it twice does nothing. */
  remove(): void;
}

/** A fault that is set, as it may be shown. */
export interface FaultState {
  readonly id: number;
  readonly fault: Fault;
  /** How many times it has struck. */
  readonly struck: number;
}

/** A fault that strikes now. `removed` resolves when somebody takes it out of the book. */
export interface Strike<Effect> {
  readonly effect: Effect;
  readonly removed: Promise<void>;
}

/** The faults that are set. The one set first strikes first; never two at once. */
export interface FaultBook {
  set(fault: Fault): SetFault;
  /** The fault for a new connection, now used once more; undefined if there is none. */
  takeForConnection(): Strike<ConnectionEffect> | undefined;
  /** The fault for a request, now used once more; undefined if there is none. */
  takeForRequest(method: string, path: string): Strike<RequestEffect> | undefined;
  /** Is any fault set that strikes new connections? */
  awaitsConnection(): boolean;
  list(): readonly FaultState[];
  /** False if there is no fault of that number. */
  remove(id: number): boolean;
  clear(): void;
}

interface Entry<Kind extends Fault> {
  readonly id: number;
  readonly fault: Kind;
  struck: number;
  readonly removed: Promise<void>;
  readonly release: () => void;
}

/** Creates a book without faults. */
export function createFaultBook(): FaultBook {
  let connection: Entry<ConnectionFault>[] = [];
  let request: Entry<RequestFault>[] = [];
  let lastId = 0;

  const enter = <Kind extends Fault>(fault: Kind): Entry<Kind> => {
    lastId += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    return { id: lastId, fault, struck: 0, removed: promise, release: resolve };
  };
  const remove = (id: number): boolean => {
    const entry = [...connection, ...request].find((known) => known.id === id);
    entry?.release();
    connection = connection.filter((known) => known.id !== id);
    request = request.filter((known) => known.id !== id);
    return entry !== undefined;
  };
  const take = <Kind extends Fault>(entry: Entry<Kind> | undefined): Strike<Kind> | undefined => {
    if (entry === undefined) return undefined;
    entry.struck += 1;
    // One that keeps something waiting stays in the book when it is used up: removing it lets go.
    const keeps = entry.fault.kind === "hold" || entry.fault.kind === "stall-at-connect";
    if (!isLeft(entry) && !keeps) remove(entry.id);
    return { effect: entry.fault, removed: entry.removed };
  };

  return {
    set(fault) {
      const entry = isConnectionFault(fault) ? enterConnection(fault) : enterRequest(fault);
      return { id: entry.id, remove: () => void remove(entry.id) };
    },
    takeForConnection: () => take(connection.find(isLeft)),
    takeForRequest: (method, path) =>
      take(request.find((entry) => isLeft(entry) && matches(entry.fault, method, path))),
    awaitsConnection: () => connection.some(isLeft),
    list: () =>
      [...connection, ...request]
        .map(({ id, fault, struck }) => ({ id, fault, struck }))
        .toSorted((one, other) => one.id - other.id),
    remove,
    clear() {
      for (const { id } of [...connection, ...request]) remove(id);
    },
  };

  function enterConnection(fault: ConnectionFault): Entry<ConnectionFault> {
    const entry = enter(fault);
    connection.push(entry);
    return entry;
  }

  function enterRequest(fault: RequestFault): Entry<RequestFault> {
    const entry = enter(fault);
    request.push(entry);
    return entry;
  }
}

function isLeft(entry: Entry<Fault>): boolean {
  return entry.fault.times === undefined || entry.struck < entry.fault.times;
}

function matches(fault: RequestFault, method: string, path: string): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.path === undefined) return true;
  return fault.path.endsWith("*") ? path.startsWith(fault.path.slice(0, -1)) : path === fault.path;
}
