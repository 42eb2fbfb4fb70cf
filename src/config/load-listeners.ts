import type { ListenAddress } from "../listen/address.ts";
import { faultOfControl, parseListenAddress, parseListenAddressOrOff } from "./parse-listen.ts";
import { type ConfigProblem, configError, InvalidValue } from "./parse.ts";
import type { VariableRow } from "./variable.ts";

/** Rows of the table that stand here, where a health check can read them without the rest of it. */
export const listenerVariables = {
  PRESTO_ADMIN_LISTEN: {
    parse: parseListenAddress,
    fallback: "127.0.0.1:7381",
    example: "0.0.0.0:7381",
    meaning: "Health, metrics and status page. It holds no secret, so any address may be named.",
  },
  PRESTO_CONTROL_LISTEN: {
    parse: parseListenAddressOrOff,
    fallback: "127.0.0.1:7382",
    example: "unix:/run/presto/control.sock",
    meaning:
      "Verbs that act (renew, reload, drain, quit). Loopback or a Unix socket only, without exception; `off` turns it off. Who reaches it may renew the token and stop the sidecar: where others share the loopback (a pod), use a Unix socket of the sidecar's own, or `off`.",
  },
} satisfies Record<string, VariableRow<unknown> & { readonly fallback: string }>;

/** Where a running sidecar is looked at and told what to do. */
export interface ListenersConfig {
  readonly adminListen: ListenAddress;
  /** Undefined where it is turned off. */
  readonly controlListen: ListenAddress | undefined;
}

/**
 * Reads those two addresses and nothing else: a health check must not fail, nor take long,
 * over a variable that it does not use. So envalid is not loaded here either.
 * @throws CommandError `configuration`
 */
export function loadListeners(env: NodeJS.ProcessEnv): ListenersConfig {
  const problems: ConfigProblem[] = [];
  const adminListen = read("PRESTO_ADMIN_LISTEN", listenerVariables.PRESTO_ADMIN_LISTEN);
  const controlListen = read("PRESTO_CONTROL_LISTEN", listenerVariables.PRESTO_CONTROL_LISTEN);
  if (adminListen === undefined || controlListen === undefined) throw configError(problems);
  return { adminListen, controlListen: controlListen === "off" ? undefined : controlListen };

  function read<T extends ListenAddress | "off">(
    variable: string,
    { parse, fallback }: { parse: (text: string) => T; fallback: string },
  ): T | undefined {
    const text = env[variable];
    try {
      const value = parse(text === undefined || text === "" ? fallback : text);
      const fault =
        variable === "PRESTO_CONTROL_LISTEN" && value !== "off" ? faultOfControl(value) : undefined;
      if (fault !== undefined) throw new InvalidValue(fault);
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
