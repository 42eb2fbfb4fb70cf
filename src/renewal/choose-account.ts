import type { Account } from "../presto/auth.ts";
import { type RenewalEnd, unreachable } from "./renewal-end.ts";
import type { RenewalRun } from "./renewal-run.ts";

/** The account that a call would be made with, or, without one that Presto may accept, the run's end: nothing is begun then. */
export async function chooseAccount({ parts }: Pick<RenewalRun, "parts">): Promise<Account | RenewalEnd> {
  let account: Account | undefined;
  try {
    account = await parts.accounts.next();
  } catch (cause) {
    return unreachable("The account's credentials could not be had.", cause);
  }
  if (account !== undefined) return account;
  if (parts.accounts.mayBeRightLater()) {
    return {
      kind: "refused",
      credentials: false,
      detail:
        "Presto refused the account's passwords (401), and a reset that is not settled may still make the new one right. It is tried once more. To settle it, run: presto-sidecar password reset",
    };
  }
  return {
    kind: "refused",
    credentials: true,
    detail: "Presto refused the account's e-mail and password (401). They are tried again when they change.",
  };
}
