import type { ListenAddress } from "../listen/address.ts";
import { parseListenAddress, parseListenAddressOrOff } from "./parse-addresses.ts";
import { type ConfigProblem, configurationError, InvalidValue } from "./parse.ts";

/** Where a running sidecar is looked at and told what to do. */
export interface ListenersConfig {
  readonly adminListen: ListenAddress;
  /** Undefined where it is turned off. */
  readonly controlListen: ListenAddress | undefined;
}

/**
 * Reads those two addresses and nothing else: a health check must not fail, nor take long,
 * over a variable that it does not use. So envalid is not loaded here either, and the
 * defaults stand here a second time (a test compares them with the table).
 * @throws CommandError `configuration`
 */
export function loadListeners(env: NodeJS.ProcessEnv): ListenersConfig {
  const problems: ConfigProblem[] = [];
  const adminListen = read("PRESTO_ADMIN_LISTEN", "127.0.0.1:7381", parseListenAddress);
  const controlListen = read("PRESTO_CONTROL_LISTEN", "127.0.0.1:7382", parseListenAddressOrOff);
  if (adminListen === undefined || controlListen === undefined) throw configurationError(problems);
  return { adminListen, controlListen: controlListen === "off" ? undefined : controlListen };

  function read<T extends ListenAddress | "off">(
    variable: string,
    fallback: string,
    parse: (text: string) => T,
  ): T | undefined {
    const text = env[variable];
    try {
      const value = parse(text === undefined || text === "" ? fallback : text);
      if (value === "off" || value.kind !== "tcp" || value.port !== 0) return value;
      throw new InvalidValue(
        "port 0 is any free port, so where the sidecar listens can't be known from here; name a port",
      );
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      problems.push({ variable, wrong: error.message, example: `${variable}=${fallback}` });
      return undefined;
    }
  }
}
