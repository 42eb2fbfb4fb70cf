import type { AuditPlace } from "../audit/types.ts";
import { faultOfPath } from "../files/io.ts";
import { InvalidValue, quote } from "./parse.ts";

/** Owner only, unless the address says otherwise. */
const ownerOnly = 0o600;

/**
 * Where the record of money calls is kept: `off`, `stdout`, `file:/path` or `file:/path?mode=0640`.
 * @throws InvalidValue
 */
export function parseAudit(text: string): AuditPlace | "off" {
  if (text === "off") return text;
  if (text === "stdout") return { kind: "stdout" };
  if (!text.startsWith("file:")) {
    throw new InvalidValue(`${quote(text)} is none of off, stdout and file:/path`);
  }
  const [path = "", query, more] = text.slice("file:".length).split("?");
  const fault = faultOfPath(path);
  if (fault !== undefined) throw new InvalidValue(`names a path that ${fault}`);
  return { kind: "file", path, mode: query === undefined ? ownerOnly : parseMode(query, more) };
}

function parseMode(query: string, more: string | undefined): number {
  const [, octal] = /^mode=0?([0-7]{3})$/.exec(query) ?? [];
  if (octal === undefined || more !== undefined) {
    throw new InvalidValue("has something other than a mode behind the question mark; write ?mode=0640");
  }
  const mode = Number.parseInt(octal, 8);
  if ((mode & 0o007) !== 0) {
    throw new InvalidValue(
      "opens the record to every user of the machine; the last digit of the mode must be 0",
    );
  }
  if ((mode & 0o600) !== 0o600) {
    throw new InvalidValue("has a mode that locks out its owner; 0600 is the least");
  }
  if ((mode & 0o111) !== 0) {
    throw new InvalidValue("has a mode that makes the record a program; 0600, 0640 or 0660 will do");
  }
  return mode;
}

/**
 * What a record that can't be written does to calls that move money.
 * @throws InvalidValue
 */
export function parseAuditFull(text: string): "refuse" | "continue" {
  if (text === "refuse" || text === "continue") return text;
  throw new InvalidValue(`${quote(text)} is neither refuse nor continue`);
}
