import { exchange } from "./raw-caller.ts";
import type { WireAnswer } from "./raw-caller.ts";
import { rawRequest, statusOf } from "./raw-exchange.ts";
import type { RunningSidecar } from "./running-sidecar.ts";
import { eventually } from "./sidecar-load.ts";
import { initCall } from "./wallet-call.ts";

/** What `POST /renew` was answered. */
export interface RenewAnswer {
  readonly status: number;
  readonly body: unknown;
  /** The head, in small letters. */
  readonly head: string;
}

/** A sidecar of a role that issues, as a person and an app meet it. */
export interface IssuingSidecar extends RunningSidecar {
  readonly controlPort: number;
  /** `/status`. */
  status(): Promise<unknown>;
  /** The metrics' text. */
  metrics(): Promise<string>;
  readyz(verbose?: boolean): Promise<{ readonly status: number; readonly body: string }>;
  /** Waits until `/status` says this of the renewal. */
  renewalSays(fields: Readonly<Record<string, unknown>>): Promise<void>;
  renew(query?: string): Promise<RenewAnswer>;
  /** A call of an app that moves nothing. */
  call(): Promise<WireAnswer>;
  /** When each issue call began and how it ended, by the log: milliseconds since 1970. */
  issueCalls(): readonly { readonly begunAt: number; readonly endedAt: number; readonly end: string }[];
}

export function openIssuingSidecar<S extends Omit<RunningSidecar, "app">>(
  sidecar: S,
): S & Omit<IssuingSidecar, "app"> {
  const { control } = sidecar.addresses;
  const controlPort = control?.kind === "tcp" ? control.port : 0;
  const get = async (path: string): Promise<{ readonly status: number; readonly body: string }> => {
    const reply = await rawRequest(sidecar.adminPort, `GET ${path} HTTP/1.1`, "Host: localhost");
    return { status: statusOf(reply), body: reply.slice(reply.indexOf("\r\n\r\n") + 4) };
  };
  const status = async (): Promise<unknown> => JSON.parse((await get("/status")).body);
  let closed: Promise<void> | undefined;

  return {
    ...sidecar,
    controlPort,
    status,
    metrics: async () => (await get("/metrics")).body,
    readyz: (verbose = false) => get(verbose ? "/readyz?verbose" : "/readyz"),
    async renewalSays(fields) {
      await eventually(status).toMatchObject({ renewal: fields });
    },
    renew: (query = "") => askToRenew(controlPort, query),
    call: () => exchange(sidecar, initCall()),
    issueCalls() {
      const lines = sidecar.lines().filter((line) => typeof line["intent"] === "string" && line["audit"]);
      const begun = lines.filter((line) => line["end"] === undefined);
      return begun.map((line) => {
        const end = lines.find((other) => other["intent"] === line["intent"] && other["end"] !== undefined);
        return {
          begunAt: Date.parse(String(line["time"])),
          endedAt: Date.parse(String(end?.["time"])),
          end: String(end?.["end"]),
        };
      });
    },
    // Tests end one in the middle, and their bench ends it again.
    close: () => (closed ??= sidecar.close()),
  };
}

/** `POST /renew` on a control listener. */
async function askToRenew(port: number, query = ""): Promise<RenewAnswer> {
  const reply = await rawRequest(
    port,
    `POST /renew${query} HTTP/1.1`,
    "Host: localhost",
    "Presto-Control: 1",
  );
  const [head = "", body = "null"] = reply.split("\r\n\r\n");
  return { status: statusOf(reply), body: JSON.parse(body), head: head.toLowerCase() };
}
