import type { AuditPlace } from "../audit/types.ts";
import { faultOfPath } from "../files/io.ts";
import { InvalidValue, parseMode, quote } from "./parse.ts";

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
  const [path = "", ...query] = text.slice("file:".length).split("?");
  const fault = faultOfPath(path);
  if (fault !== undefined) throw new InvalidValue(`names a path that ${fault}`);
  return { kind: "file", path, mode: query.length === 0 ? ownerOnly : readMode(query.join("?")) };
}

function readMode(query: string): number {
  const mode = parseMode(query, { what: "record", example: "0640" });
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
