import { loadListeners } from "../config/load-listeners.ts";
import { examineConfig, loadConfig } from "../config/load.ts";
import type { ConfigProblem } from "../config/parse.ts";
import type { Config } from "../config/sections.ts";
import { faultOfContact } from "../doctor/check-registration.ts";
import { type DoctorOptions, exitCodeOf, type Finding } from "../doctor/finding.ts";
import { examine } from "../doctor/run.ts";
import { CommandError } from "../errors.ts";
import { isObject } from "../lib/json.ts";
import type { ListenAddress } from "../listen/address.ts";
import { notStored } from "../renewal/types.ts";
import { type Arguments, type Io, readDurationOption, type Run } from "./command.ts";
import { readStatus } from "./sidecar-client.ts";
import { printable, printJson, printLine } from "./terminal.ts";

/** Looks at everything that must hold, and says how each thing that does not is mended. Changes nothing. */
export const doctor: Run = async (args, io) => {
  const contact = readContact(args);
  const options = { ...readOptions(io), contact };
  const findings = await examine(options, {
    clock: io.clock,
    limitMs: limitOf(args, options),
    readStatus: async () => readStatus(io, loadListeners(io.env).adminListen),
  });
  if (args.flag("json")) printJson(io, findings.map(toRow));
  else printFindings(io, findings);
  return exitCodeOf(findings);
};

function readContact(args: Arguments): string | undefined {
  const contact = args.text("contact");
  const fault = contact === undefined ? undefined : faultOfContact(contact);
  if (fault !== undefined) throw new CommandError("usage", `--contact ${fault}.`);
  return contact;
}

/** Milliseconds beside those for a connection and an exchange: a token that is refused is asked about twice, 2 s apart. */
const besidesMs = 5_000;
/** Where there is nothing outside to ask. */
const withoutUpstreamMs = 30_000;

function limitOf(args: Arguments, { upstream }: Pick<DoctorOptions, "upstream">): number {
  if (args.text("timeout") !== undefined) return readDurationOption(args, "timeout", "").ms;
  return upstream === undefined
    ? withoutUpstreamMs
    : upstream.connectTimeoutMs + upstream.timeoutMs + besidesMs;
}

function readOptions(io: Io): Omit<DoctorOptions, "contact"> {
  const { config, problems } = examineConfig(io.env, io.execArgv);
  return config === undefined ? withoutConfig(io, problems) : fromConfig(io, config);
}

function fromConfig(io: Io, config: Config): Omit<DoctorOptions, "contact"> {
  const { warnings, store, issuing = "not-issuing", egressCheck } = config;
  return {
    configuration: { problems: [], warnings },
    store,
    issuing,
    // What only a process that issues has in its memory, nobody reads from the store.
    unstoredToken: config.issuing === undefined ? undefined : () => askForUnstored(io, config.adminListen),
    upstream: config,
    egressCheck,
  };
}

/** What `/status` of a sidecar that runs here says of it; undefined where none does, or all is stored. */
async function askForUnstored(io: Io, admin: ListenAddress): Promise<string | undefined> {
  const { renewal } = await readStatus(io, admin);
  const end = isObject(renewal) ? renewal["last_end"] : undefined;
  if (!isObject(end) || end["kind"] !== notStored.kind) return undefined;
  return `${notStored.detail} It is so since ${typeof end["at"] === "string" ? printable(end["at"]) : "a while"}.`;
}

/** A configuration that no sidecar starts with may still tell where the token is, and where Presto. */
function withoutConfig(io: Io, problems: readonly ConfigProblem[]): Omit<DoctorOptions, "contact"> {
  const nothing = {
    configuration: { problems, warnings: [] },
    store: undefined,
    issuing: undefined,
    upstream: undefined,
    egressCheck: undefined,
  };
  try {
    const { store, upstream } = loadConfig(io.env, io.execArgv, "read-store");
    return { ...nothing, store, upstream };
  } catch (error) {
    if (error instanceof CommandError) return nothing;
    throw error;
  }
}

/** As machines read it; `notice` only where there is one. */
function toRow(finding: Finding): object {
  const { check, result, detail, mend } = finding;
  const notice = noticeOf(finding);
  return { check, result, detail, mend, ...(notice === undefined ? {} : { notice }) };
}

function printFindings(io: Io, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, result, detail, mend } of findings) {
    const line = `${result.padEnd(4)}  ${check.padEnd(width)}  ${detail}${mend === null ? "" : ` ${mend}`}`;
    printLine(io, line);
  }
  for (const notice of findings.flatMap((finding) => noticeOf(finding) ?? [])) {
    printLine(io, "");
    printLine(io, "The notice to send to Presto:");
    printLine(io, "");
    io.stdout.write(notice);
  }
}

function noticeOf(finding: Finding): string | undefined {
  return finding.result === "FAIL" ? finding.notice : undefined;
}
