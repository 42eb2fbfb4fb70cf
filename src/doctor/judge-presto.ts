import { ConnectError } from "../connect/errors.ts";
import type { OutcomeKind } from "../egress-ip/outcomes.ts";
import type { DoorAnswer } from "./ask-presto.ts";
import { fail, type Finding, ok, skip, warn } from "./finding.ts";
import { lateDetail, lateMend, sentenceOf, type Tried } from "./tried.ts";

/** What was heard at Presto's door; undefined where no connection could be had to ask over. */
export type DoorFacts = Tried<DoorAnswer> | undefined;

/** Has Presto's own application answered, so that this address is let in? */
export function wasLetIn(door: DoorFacts): boolean {
  return outcomeOf(door) === "app-refused";
}

function outcomeOf(door: DoorFacts): OutcomeKind | undefined {
  return door?.kind === "done" && door.value.kind === "answered" ? door.value.outcome : undefined;
}

const noConnection = "No connection was had to ask over; see above.";

/** Does Presto's application answer? */
export function judgeDoor(door: DoorFacts): Finding {
  if (door === undefined) return skip("presto", noConnection);
  if (door.kind === "late") return fail("presto", "unreachable", lateDetail, lateMend);
  if (door.kind === "failed") {
    return fail("presto", "unreachable", sentenceOf(door.error), "See the lines above.");
  }
  const answer = door.value;
  if (answer.kind === "no-answer") {
    return fail(
      "presto",
      "unreachable",
      noAnswer(answer),
      "See Presto's own status; a firewall that does not know this address may do the same.",
    );
  }
  return judgeAnswer(answer.status, answer.outcome);
}

function noAnswer({ late, error }: Extract<DoorAnswer, { kind: "no-answer" }>): string {
  if (late) return "Nothing was answered in time, though a connection was had.";
  // Other messages of a call warn that Presto may have acted, which it can't on this question.
  return error instanceof ConnectError
    ? sentenceOf(error)
    : "The connection broke before an answer was whole.";
}

function judgeAnswer(status: number, outcome: OutcomeKind): Finding {
  switch (outcome) {
    case "app-refused":
      return ok("presto", `Its application answers (${status} to a question without a token).`);
    case "rate-limited":
      return warn(
        "presto",
        `Its application answers, but with ${status}: there were too many requests.`,
        "See who calls so often from this address.",
      );
    case "forbidden":
    case "block-page":
      return fail(
        "presto",
        "refused",
        `${status} was answered${outcome === "block-page" ? " with an HTML page" : ""}, as an address that is not registered may be met.`,
        "See egress-registered (or ask your network's operator) for the address that calls leave from, and have it registered with Presto.",
      );
    case "failing":
      return fail(
        "presto",
        "unreachable",
        `It answers with an error of its own (${status}).`,
        "Wait until Presto has mended it, and see its status.",
      );
    default:
      return fail(
        "presto",
        "unreachable",
        `${status} was answered to a question without a token, which is not how Presto's application answers.`,
        "See that PRESTO_URL names Presto itself, and nothing that redirects or answers in its place.",
      );
  }
}
