import { loadListeners } from "../config/load-listeners.ts";
import { formatDuration } from "../config/parse.ts";
import { CommandError, exitCodes } from "../errors.ts";
import { isObject, type JsonObject, parseObject } from "../lib/json.ts";
import { formatListenAddress, type ListenAddress } from "../listen/address.ts";
import { type Arguments, type Io, type Run, startTimeLimit, waitUntil } from "./command.ts";
import { confirm } from "./prompts.ts";
import { requestControl } from "./sidecar-client.ts";
import { printable, printJson, printLine, printNote, printResult } from "./terminal.ts";

/** Lists the calls that move money whose end is open, and those that were found out last. */
export const outcomes: Run = async (args, io) => {
  const waits = args.flag("wait");
  if (!waits && args.text("timeout") !== undefined)
    throw new CommandError("usage", "--timeout goes with --wait.");
  const limit = waits ? startTimeLimit(args, io) : undefined;
  const control = controlOf(io);
  let list = await readOutcomes(io, control);
  if (limit !== undefined) {
    const isNoneOpen = async (): Promise<boolean> => {
      list = await readOutcomes(io, control);
      return list.open.length === 0;
    };
    await waitUntil(
      io,
      limit,
      isNoneOpen,
      () =>
        `${countOf(list.open.length)} not known within ${limit.text}. "presto-sidecar outcomes" lists them.`,
    );
  }
  if (args.flag("json")) printJson(io, list.whole);
  else printList(io, list);
  return 0;
};

interface OutcomeList {
  readonly open: readonly JsonObject[];
  readonly recent: readonly JsonObject[];
  readonly whole: JsonObject;
}

function controlOf(io: Io): ListenAddress {
  const { controlListen } = loadListeners(io.env);
  if (controlListen !== undefined) return controlListen;
  throw new CommandError(
    "unreachable",
    "PRESTO_CONTROL_LISTEN is off, so there is nobody to ask. Name a control listener, for the sidecar and for this command.",
  );
}

async function readOutcomes(io: Io, control: ListenAddress): Promise<OutcomeList> {
  const response = await requestControl(io, control, "GET", "/outcomes");
  const whole = response.status === 200 ? parseObject(response.body) : undefined;
  if (whole === undefined || !Array.isArray(whole["open"]) || !Array.isArray(whole["recent"])) {
    throw new CommandError(
      "unreachable",
      `What answers at ${formatListenAddress(control)} is no sidecar's control listener of this version (HTTP ${response.status}). See that PRESTO_CONTROL_LISTEN is right.`,
    );
  }
  return { open: whole["open"].filter(isObject), recent: whole["recent"].filter(isObject), whole };
}

function printList(io: Io, { open, recent }: OutcomeList): void {
  printLine(
    io,
    open.length === 0 ? "No call that moves money has an open end." : `${countOf(open.length)} not known:`,
  );
  for (const one of open) printLine(io, `  ${openLine(one)}`);
  if (recent.length === 0) return;
  printLine(io, "Found out last:");
  for (const one of recent) printLine(io, `  ${recentLine(one)}`);
}

function countOf(open: number): string {
  return open === 1
    ? "What became of 1 call that moves money is"
    : `What became of ${open} calls that move money is`;
}

function openLine(one: JsonObject): string {
  const { age_seconds: age, unaskable, given_up: givenUp, status, asked_at: askedAt } = one;
  const heard =
    typeof askedAt === "string" ? `Presto last said ${show(status)} (${show(askedAt)})` : "nothing was heard";
  const why =
    typeof unaskable === "string"
      ? `; it can't be asked about (${show(unaskable)})`
      : givenUp === true
        ? "; nobody asks any more"
        : "";
  return `${nameOf(one)}  open for ${typeof age === "number" ? formatDuration(age * 1000) : "?"}; ${heard}${why}`;
}

function recentLine(one: JsonObject): string {
  const by = one["by"] === "person" ? "a person" : "Presto";
  const before = one["contradicts"] === true ? "; it was held to be otherwise before" : "";
  return `${nameOf(one)}  ${show(one["status"])}, said ${by} at ${show(one["settled_at"])}${before}`;
}

/** The reference, or, of a call that has none, its id: `resolve` takes either. */
function nameOf(one: JsonObject): string {
  const { reference, operation, request_id: requestId } = one;
  return `${show(reference ?? requestId)}  ${show(operation)}`;
}

function show(value: unknown): string {
  return typeof value === "string" ? printable(value) : "-";
}

/** Tells the sidecar what became of one, by the word of a person. */
export const outcomesResolve: Run = async (args, io) => {
  const [reference = ""] = args.operands;
  const as = readAs(args);
  const control = controlOf(io);
  if (!(await isAgreed(args, io, reference, as))) {
    printNote(io, "Nothing was changed.");
    return exitCodes.unexpected;
  }
  const query = new URLSearchParams({ reference, as });
  const { status, body } = await requestControl(io, control, "POST", `/outcomes/resolve?${query.toString()}`);
  const answer = parseObject(body);
  if (status === 200) {
    printResult(io, args.flag("json"), answer ?? {}, `${printable(reference)} is ${as} from now on.`);
    return 0;
  }
  const detail = answer?.["detail"];
  throw new CommandError(
    status === 409 ? "try-again" : "refused",
    typeof detail === "string" ? printable(detail) : `The sidecar answered ${status}.`,
  );
};

function readAs(args: Arguments): "completed" | "failed" {
  const as = args.text("as");
  if (as === "completed" || as === "failed") return as;
  throw new CommandError("usage", "Say what became of it: --as completed, or --as failed.");
}

async function isAgreed(
  args: Arguments,
  io: Io,
  reference: string,
  as: "completed" | "failed",
): Promise<boolean> {
  if (args.flag("yes")) return true;
  if (io.stdin.isTTY !== true)
    throw new CommandError(
      "usage",
      "There is no terminal to ask at. Give --yes if it is known what became of it.",
    );
  printNote(
    io,
    as === "failed"
      ? `From now on ${printable(reference)} may be sent again. If its money has moved after all, it then moves twice.`
      : `From now on ${printable(reference)} counts as paid, and is not sent again.`,
  );
  return confirm(io, `Is it known for sure that it has ${as}?`);
}
