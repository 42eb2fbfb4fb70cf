/** More callers than any one machine has. */
const mostConnections = 8_192;

/** Descriptors for what is not a connection of a call, nor one of an operator: listeners, store, watches, log, names. */
const forTheRest = 48;

/** Probes, scrapers and people need a handful; what is left out of each listener's share is room for a flood of them. */
const mostOperators = 128;
const leastOperators = 8;

/** How many connections may be open on the admin listener, and on the control listener as many. */
export function operatorConnections(limit: number | undefined): number {
  if (limit === undefined) return mostOperators;
  return Math.min(Math.max(Math.floor(limit / 64), leastOperators), mostOperators);
}

/**
 * How many callers' connections may be open. A process without a descriptor left accepts and
 * closes a connection without a word to itself or the caller (libuv's uv__emfile_trick), and can
 * neither connect to Presto nor read a token: so callers leave room for that.
 * @param limit descriptors that this process may have open; undefined where that is not known
 */
export function callerConnections(limit: number | undefined, maxInFlight: number): number {
  if (limit === undefined) return mostConnections;
  const left = limit - forTheRest - 2 * operatorConnections(limit);
  // Each caller may have a call in flight, which takes a connection to Presto as well.
  const room = Math.max(left - maxInFlight, Math.floor(left / 2), 1);
  return Math.min(room, mostConnections);
}
