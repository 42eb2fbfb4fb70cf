import type { Network } from "../lib/ip.ts";

export interface ChangeNoticeOptions {
  /** Origin of the API: which environment it is about. */
  readonly upstream: string;
  readonly registered: readonly Network[];
  /** The addresses that this process leaves from now, as the check URLs see them, that are not registered. */
  readonly strange: readonly string[];
  /** How the partner can reach the operator, given by the operator. */
  readonly contact: string;
  /** When the addresses were seen. */
  readonly at: Date;
}

/** Where changes of addresses are told to, in advance, as the API's documentation says. */
export const noticeGoesTo = "security@presto.com";

/**
 * The notice to send to Presto when the addresses of this institution change: a draft for a
 * person, who knows which of the old addresses are given up.
 */
export function changeNotice(options: ChangeNoticeOptions): string {
  const { upstream, registered, strange, contact, at } = options;
  return [
    `To: ${noticeGoesTo}`,
    "Subject: Change of source addresses, Financial Institutions API",
    "",
    "Hello,",
    "",
    `please change the source addresses that may call ${upstream} for our institution.`,
    "",
    "New addresses, to be registered:",
    ...listed(strange),
    "",
    "Addresses registered until now (strike out those that we keep, the others are to be removed):",
    ...listed(registered.map(({ text }) => text)),
    "",
    `The new addresses were seen in use at ${at.toISOString()}.`,
    `Please confirm the change, and when it takes effect, to ${contact}.`,
    "",
  ].join("\n");
}

function listed(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ["  (none)"] : lines.map((line) => `  ${line}`);
}

/** What is wrong with a contact address as the rest of a sentence, or undefined. It goes into a letter, so it is one line without anything odd. */
export function faultOfContact(contact: string): string | undefined {
  if (contact.trim() === "") return "is empty; give an e-mail address or a telephone number";
  if (contact.length > 254) return "is longer than 254 characters";
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(contact) ? "holds a control character or a line end" : undefined;
}
