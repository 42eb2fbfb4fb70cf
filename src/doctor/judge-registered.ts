import { changeNotice } from "../egress-check/change-notice.ts";
import type { CheckAnswer } from "../egress-ip/check-url.ts";
import { describeAnswers, findOut } from "../egress-ip/observed.ts";
import type { EgressCheckSettings } from "../egress-ip/open.ts";
import { fail, type Finding, ok, skip, warn } from "./finding.ts";
import { lateDetail, lateMend, sentenceOf, type Tried } from "./tried.ts";

/** What the address that calls leave from is judged by. */
export interface RegisteredFacts {
  readonly settings: EgressCheckSettings;
  /** What the check URLs said; undefined where there is no way out to ask them by. */
  readonly answers: Tried<readonly CheckAnswer[]> | undefined;
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
export function judgeRegistered(facts: RegisteredFacts): Finding {
  const { settings, answers: tried } = facts;
  if (settings.urls.length === 0) {
    return skip(
      "egress-registered",
      "PRESTO_EGRESS_CHECK_URL is not set, so nobody tells which address calls leave from.",
    );
  }
  if (tried === undefined) return skip("egress-registered", "There is no way out to ask by; see above.");
  if (tried.kind === "late") return fail("egress-registered", "unreachable", lateDetail, lateMend);
  if (tried.kind === "failed") {
    return warn("egress-registered", sentenceOf(tried.error), "See the lines above.");
  }
  return judgeAnswers(tried.value, facts);
}

function judgeAnswers(answers: readonly CheckAnswer[], facts: RegisteredFacts): Finding {
  const { registered } = facts.settings;
  const { addresses, strange, registered: verdict } = findOut(registered, answers);
  const seen = describeAnswers(registered, answers);
  const silent = answers.flatMap(({ name, error }) =>
    error === undefined ? [] : [`${name}: ${sentenceOf(error)}`],
  );
  const detail = [...seen, ...silent].join(" ");
  const urlMend = "See that PRESTO_EGRESS_CHECK_URL names servers that answer with the caller's address.";
  if (addresses.length === 0) return warn("egress-registered", detail, urlMend);
  if (registered.length === 0) return skip("egress-registered", detail);
  if (verdict === true) {
    return silent.length === 0 ? ok("egress-registered", detail) : warn("egress-registered", detail, urlMend);
  }
  if (verdict === false) return notRegistered(detail, strange, facts);
  return strange.length > 0
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

function notRegistered(detail: string, strange: readonly string[], facts: RegisteredFacts): Finding {
  const { settings, letIn, upstream, contact = noContact, now } = facts;
  const contradiction = letIn ? " Presto answers all the same." : "";
  const mend = letIn
    ? "If the address is registered, complete PRESTO_EGRESS_IPS; else leave from one that is, or send Presto the notice."
    : "Leave from a registered address, or send Presto the notice and wait until the new one is registered.";
  const notice = changeNotice({
    upstream,
    registered: settings.registered,
    strange,
    contact,
    at: new Date(now),
  });
  return { ...fail("egress-registered", "refused", `${detail}${contradiction}`, mend), notice };
}
