import type { ConfigurationFacts } from "./doctor-options.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** All that is wrong with the configuration, in one line. */
export function judgeConfiguration({ problems, warnings }: ConfigurationFacts): Finding {
  if (problems.length > 0) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    const wrong = problems.map(({ variable, wrong: what }) => `${variable}: ${what}`).join("; ");
    const examples = problems.map(({ example }) => example).join(", ");
    return fail("configuration", "configuration", `${count}: ${wrong}.`, `Write it as in: ${examples}`);
  }
  if (warnings.length > 0) {
    return warn("configuration", warnings.join(" "), "See whether that is what you want; it stops nothing.");
  }
  return ok("configuration", "Every variable is right.");
}
