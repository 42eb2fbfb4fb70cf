import type { CheckAnswer } from "../egress-ip/check-url.ts";
import { describeAnswers, findOut } from "../egress-ip/observed.ts";
import type { RegistrationOptions } from "../egress-ip/open.ts";
import type { Network } from "../lib/ip.ts";
import {
  fail,
  type Finding,
  lateDetail,
  lateMend,
  ok,
  sentenceOf,
  skip,
  type Attempted,
  warn,
} from "./finding.ts";

/** What the address that calls leave from is checked against. */
export interface RegisteredOptions {
  readonly registration: RegistrationOptions;
  /** What the check URLs said; undefined where there is no egress to ask them by. */
  readonly answers: Attempted<readonly CheckAnswer[]> | undefined;
  /** Presto's own application has answered from here. */
  readonly letIn: boolean;
  /** Origin of the API. */
  readonly upstream: string;
  readonly contact: string | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly now: number;
}

/** What stands in the letter where the operator did not say how to be reached. */
export const noContact = "(your e-mail address; give it with --contact)";

/** Do calls leave from an address that is registered with Presto? Where not, with the letter that tells Presto. */
export function checkRegistered(options: RegisteredOptions): Finding {
  const { registration, answers: attempted } = options;
  if (registration.urls.length === 0) {
    return skip(
      "egress-registered",
      "PRESTO_EGRESS_CHECK_URL is not set, so nobody tells which address calls leave from.",
    );
  }
  if (attempted === undefined) return skip("egress-registered", "There is no way out to ask by; see above.");
  if (attempted.kind === "late") return fail("egress-registered", "unreachable", lateDetail, lateMend);
  if (attempted.kind === "failed") {
    return warn("egress-registered", sentenceOf(attempted.error), "See the lines above.");
  }
  return checkAnswers(attempted.value, options);
}

function checkAnswers(answers: readonly CheckAnswer[], options: RegisteredOptions): Finding {
  const { registered } = options.registration;
  const { addresses, unregistered, registered: isRegistered } = findOut(registered, answers);
  const seen = describeAnswers(registered, answers);
  const silent = answers.flatMap(({ name, error }) =>
    error === undefined ? [] : [`${name}: ${sentenceOf(error)}`],
  );
  const detail = [...seen, ...silent].join(" ");
  const urlMend = "See that PRESTO_EGRESS_CHECK_URL names servers that answer with the caller's address.";
  if (addresses.length === 0) return warn("egress-registered", detail, urlMend);
  if (registered.length === 0) return skip("egress-registered", detail);
  if (isRegistered === true) {
    return silent.length === 0 ? ok("egress-registered", detail) : warn("egress-registered", detail, urlMend);
  }
  if (isRegistered === false) return notRegistered(detail, unregistered, options);
  return unregistered.length > 0
    ? warn(
        "egress-registered",
        `The check URLs contradict each other. ${detail}`,
        "See whether calls leave by more than one way; each address has to be registered.",
      )
    : warn(
        "egress-registered",
        detail,
        "Complete PRESTO_EGRESS_IPS, or have PRESTO_EGRESS_ADDRESS choose the version of IP that is registered.",
      );
}

function notRegistered(detail: string, unregistered: readonly string[], options: RegisteredOptions): Finding {
  const { registration, letIn, upstream, contact = noContact, now } = options;
  const contradiction = letIn ? " Presto answers all the same." : "";
  const mend = letIn
    ? "If the address is registered, complete PRESTO_EGRESS_IPS; else leave from one that is, or send Presto the notice."
    : "Leave from a registered address, or send Presto the notice and wait until the new one is registered.";
  const notice = changeNotice({
    upstream,
    registered: registration.registered,
    unregistered,
    contact,
    at: new Date(now),
  });
  return { ...fail("egress-registered", "refused", `${detail}${contradiction}`, mend), notice };
}

export interface ChangeNoticeOptions {
  /** Origin of the API: which environment it is about. */
  readonly upstream: string;
  readonly registered: readonly Network[];
  /** The addresses that this process leaves from now, as the check URLs see them, that are not registered. */
  readonly unregistered: readonly string[];
  /** How the partner can reach the operator, given by the operator. */
  readonly contact: string;
  /** When the addresses were seen. */
  readonly at: Date;
}

/** Where changes of addresses are told to, in advance, as the API's documentation says. */
const noticeGoesTo = "security@presto.com";

/**
 * The notice to send to Presto when the addresses of this institution change: a draft for a
 * person, who knows which of the old addresses are given up.
 */
export function changeNotice(options: ChangeNoticeOptions): string {
  const { upstream, registered, unregistered, contact, at } = options;
  return [
    `To: ${noticeGoesTo}`,
    "Subject: Change of source addresses, Financial Institutions API",
    "",
    "Hello,",
    "",
    `please change the source addresses that may call ${upstream} for our institution.`,
    "",
    "New addresses, to be registered:",
    ...listed(unregistered),
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
