import { loadListeners } from "../config/load-listeners.ts";
import { loadConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { parseObject } from "../lib/json.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type Arguments, type Io, readDurationOption, type Run, type WrittenDuration } from "./command.ts";
import { explainAlarm, issuingConfig, renewLocally, youngToken } from "./renew-locally.ts";
import { isNobodyThere, requestSidecar, type SidecarResponse } from "./sidecar-client.ts";
import { expirySentence, printable, printNote, printResult, printWarnings } from "./terminal.ts";

/** Renews the token: by the sidecar that runs here, or by itself where none does. */
export const tokenRenew: Run = async (args, io) => {
  const options = { force: args.flag("force"), wait: readWait(args) };
  const { controlListen } = loadListeners(io.env);
  if (controlListen !== undefined) {
    const renewed = await untilStopped(io.signal, requestRenewal(io, controlListen, options));
    if (renewed !== undefined) {
      const { generation, expiresAt } = renewed;
      printResult(
        io,
        args.flag("json"),
        { renewed: true, generation, expires_at: expiresAt },
        `The sidecar has stored a new token, generation ${generation}.`,
        expirySentence(expiresAt),
      );
      return 0;
    }
  }
  const config = issuingConfig(loadConfig(io.env, io.execArgv));
  printWarnings(io, config);
  printNote(io, "No sidecar answers on the control listener, so this command renews by itself.");
  return renewLocally(
    config,
    { command: "token renew", force: options.force, asJson: args.flag("json") },
    io,
  );
};

/** A sidecar keeps nobody waiting for longer. */
const longestWaitMs = 10 * 60_000;

function readWait(args: Arguments): WrittenDuration {
  const wait = readDurationOption(args, "wait", "30s");
  if (wait.ms <= longestWaitMs) return wait;
  throw new CommandError("usage", "--wait: 10m is the most. The renewal goes on without it.");
}

/** A token that a running sidecar has stored. */
interface RenewedBySidecar {
  readonly generation: number;
  readonly expiresAt: string | null;
}

/** The sidecar answers when the time is over at the latest; this is for its way here, on a machine on its knees. */
const moreMs = 5_000;

/**
 * Asks a running sidecar to renew, and waits for the end.
 * @returns undefined where no sidecar listens there
 * @throws CommandError: `try-again` if it takes longer, `refused`, `unreachable`
 */
async function requestRenewal(
  io: Io,
  control: ListenAddress,
  options: { readonly force: boolean; readonly wait: WrittenDuration },
): Promise<RenewedBySidecar | undefined> {
  try {
    const answer = await requestSidecar(control, {
      method: "POST",
      path: `/renew?wait=${options.wait.text}${options.force ? "&force=1" : ""}`,
      withinMs: options.wait.ms + moreMs,
      clock: io.clock,
      variable: "PRESTO_CONTROL_LISTEN",
    });
    return understand(answer, control, options.force);
  } catch (error) {
    if (isNobodyThere(error)) return undefined;
    throw error;
  }
}

function understand(
  { status, body }: SidecarResponse,
  control: ListenAddress,
  force: boolean,
): RenewedBySidecar {
  const reply = parseObject(body) ?? {};
  const detail = textOf(reply["detail"]) ?? `It answered ${status}.`;
  switch (status) {
    case 200: {
      const { generation, expires_at: expiresAt } = reply;
      if (typeof generation === "number") return { generation, expiresAt: textOf(expiresAt) ?? null };
      throw stranger(status, control);
    }
    case 202:
      throw new CommandError(
        "try-again",
        `The renewal is still under way in the sidecar (state ${textOf(reply["state"]) ?? "unknown"}), and stays due. See how it goes with: presto-sidecar status`,
      );
    case 400:
      if (reply["code"] === undefined) throw stranger(status, control);
      throw new CommandError(
        "refused",
        `The sidecar did not understand the request: it is of another version. ${detail}`,
      );
    case 409:
      if (reply["code"] === undefined) throw stranger(status, control);
      throw new CommandError(
        "refused",
        `The sidecar did not renew. ${reply["code"] === "role-cannot-issue" ? detail : explainAlarm(detail)}`,
      );
    case 502:
      throw new CommandError("refused", `The sidecar did not renew. ${detail}`);
    case 503:
      if (reply["code"] === "young-token") throw new CommandError("try-again", youngToken(detail));
      if (reply["code"] === "lock-held") throw lockHeld(detail, reply["pod"], force);
      throw new CommandError("unreachable", `The sidecar did not renew. ${detail}`);
    default:
      throw stranger(status, control);
  }
}

/** The one that renews is in another Pod: that is the one to ask. */
function lockHeld(detail: string, pod: unknown, force: boolean): CommandError {
  const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(textOf(pod) ?? "") ?? [];
  const command = `presto-sidecar token renew${force ? " --force" : ""}`;
  const line =
    namespace === undefined ? "" : ` There it is: kubectl exec -n ${namespace} ${name} -- ${command}`;
  return new CommandError("try-again", `The sidecar did not renew. ${detail}${line}`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? printable(value) : undefined;
}

function stranger(status: number, control: ListenAddress): CommandError {
  return new CommandError(
    "refused",
    `What listens at ${formatListenAddress(control)} answered ${status} to POST /renew. See that PRESTO_CONTROL_LISTEN names a sidecar's control listener.`,
  );
}
