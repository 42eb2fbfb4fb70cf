import { systemDisk } from "../audit/disk.ts";
import { formatHead, type Head, parseHead } from "../audit/line.ts";
import { type VerifiedChain, verifyRecord } from "../audit/verify.ts";
import { CommandError, exitCodes, systemCode } from "../errors.ts";
import type { Arguments, Io, Run } from "./command.ts";
import { printable, printError, printJson, printLine } from "./terminal.ts";

/** Checks files of the record: each line, and how the files go on from one another. */
export const auditVerify: Run = async (args, io) => {
  const head = readHead(args);
  const verified = await verifyRecord(systemDisk, args.operands, head).catch(unreadable);
  if (!verified.ok) {
    const { kind, path, line, seq, sentence } = verified.fault;
    if (args.flag("json"))
      printJson(io, { ok: false, fault: { kind, file: path, line, seq: seq ?? null, detail: sentence } });
    printError(io, printable(sentence));
    return exitCodes["input-refused"];
  }
  if (args.flag("json")) printJson(io, { ok: true, chains: verified.chains.map(chainObject) });
  else for (const chain of verified.chains) print(io, chain);
  return 0;
};

function readHead(args: Arguments): Head | undefined {
  const text = args.text("head");
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head !== undefined) return head;
  throw new CommandError(
    "usage",
    "--head is not SEQ:HASH: the number of a line, a colon, and 64 hexadecimal digits, as the log shows it.",
  );
}

function unreadable(error: unknown): never {
  const code = systemCode(error);
  if (code === undefined) throw error;
  const path =
    typeof error === "object" && error !== null && "path" in error && typeof error.path === "string"
      ? ` ${printable(error.path)}`
      : "";
  throw new CommandError("system-refused", `The file${path} can't be read (${code}).`, error);
}

function chainObject({ chain, writer, files, firstSeq, last, lines, notes }: VerifiedChain): object {
  return { chain, writer, files, first_seq: firstSeq, head: formatHead(last), lines, notes };
}

function print(io: Io, { writer, files, firstSeq, last, lines, notes }: VerifiedChain): void {
  const whose = writer === "sidecar" ? "a sidecar" : "commands";
  printLine(
    io,
    `The chain of ${whose} is whole: ${lines} lines in ${files.length === 1 ? "1 file" : `${files.length} files`}, seq ${firstSeq} to ${last.seq}. Its head is ${formatHead(last)}`,
  );
  for (const note of notes) printLine(io, `  ${printable(note)}`);
}
