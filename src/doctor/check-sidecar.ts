import { isObject, type JsonObject } from "../lib/json.ts";
import { mendOf } from "../observe/lights.ts";
import { asSentence, type Attempted, fail, type Finding, ok, skip, warn } from "./finding.ts";

/** What a sidecar that runs here says of itself (`/status`); not done where none answers. */
export type StatusResult = Attempted<JsonObject>;

/** Those that nothing but a person ends, and that end the token in time. */
const failing: ReadonlySet<string> = new Set(["credentials-refused", "alarm"]);

/** Is the sidecar that runs here ready, and does it warn of nothing? */
export function checkSidecar(status: StatusResult): Finding {
  const check = "sidecar";
  if (status.kind !== "done") return skip(check, "None that runs here could be asked (PRESTO_ADMIN_LISTEN).");
  const lights = closedLatches(status.value);
  if (lights.length === 0) {
    return status.value["ready"] === true
      ? ok(check, "One runs here, is ready, and warns of nothing.")
      : warn(check, "One runs here, and is not ready.", "See its log.");
  }
  const ready = status.value["ready"] === true ? "is ready, and warns" : "is not ready";
  const detail = `One runs here, and ${ready}: ${lights.map(({ name, reason }) => `${name}: ${asSentence(reason)}`).join(" ")}`;
  const mend = lights.map(({ name }) => mendOf(name)).join(" ");
  return lights.some(({ name }) => failing.has(name))
    ? fail(check, "refused", detail, mend)
    : warn(check, detail, mend);
}

/** Why Presto refuses every password that the sidecar which runs here knows; undefined where it does not, or nobody says. */
export function refusedCredentials(status: StatusResult): string | undefined {
  if (status.kind !== "done") return undefined;
  const { renewal } = status.value;
  const reason = isObject(renewal) ? renewal["credentials_refused"] : undefined;
  return typeof reason === "string" ? asSentence(reason) : undefined;
}

interface Light {
  readonly name: string;
  readonly reason: string;
}

function closedLatches({ latches }: JsonObject): readonly Light[] {
  if (!isObject(latches)) return [];
  return Object.entries(latches).flatMap(([name, latch]) =>
    isObject(latch) && latch["closed"] === true
      ? [{ name: asName(name), reason: typeof latch["reason"] === "string" ? latch["reason"] : "closed" }]
      : [],
  );
}

/** Names come from a socket. */
function asName(text: string): string {
  return text.replaceAll(/[^a-z-]/g, "?");
}
