import { rmSync } from "node:fs";
import { join } from "node:path";

import { checks } from "../../src/doctor/finding.ts";
import type { DoctorStage } from "./doctor-stage.ts";

/** A state of things, and what the doctor makes of it. */
export interface Situation {
  readonly what: string;
  readonly env?: (stage: DoctorStage) => NodeJS.ProcessEnv;
  readonly spoil?: (stage: DoctorStage) => unknown;
  readonly code: number;
  /** Every check that is not OK or SKIP, and what its line says. */
  readonly found: Readonly<Record<string, readonly ["WARN" | "FAIL", RegExp]>>;
  /** Checks that can't be looked at then. */
  readonly skipped?: readonly string[];
}

const dayMs = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * dayMs);

/** Of this machine: the configuration, and the files of a sidecar. */
export const situationsHere: readonly Situation[] = [
  { what: "everything holds", code: 0, found: {} },
  {
    what: "the configuration has two mistakes",
    env: () => ({ PRESTO_URL: undefined, PRESTO_ROLE: "rotator" }),
    code: 78,
    found: { configuration: ["FAIL", /2 problems: .*PRESTO_URL: is required.*PRESTO_CREDENTIALS/] },
    skipped: checks.slice(checks.indexOf("credentials")),
  },
  {
    what: "a variable is wrong, so that nothing can be trusted",
    env: () => ({ PRESTO_TIMEOUT: "soon" }),
    code: 78,
    found: { configuration: ["FAIL", /PRESTO_TIMEOUT: "soon" is not a duration/] },
    skipped: [...checks].slice(1),
  },
  {
    what: "the configuration is odd",
    env: () => ({ PRESTO_TIMEOUT: "26s" }),
    code: 0,
    found: { configuration: ["WARN", /PRESTO_TIMEOUT is longer than PRESTO_DRAIN_MAX/] },
  },
  {
    what: "the store key is another",
    env: () => ({ PRESTO_STORE_KEY: Buffer.alloc(32, 12).toString("base64") }),
    code: 78,
    found: { store: ["FAIL", /was sealed with the store key .* PRESTO_STORE_KEY/] },
    skipped: ["token", "token-life", "renewal", "token-accepted"],
  },
  {
    what: "there is no token, in a role that can't issue one",
    spoil: ({ folder }) => rmSync(join(folder, "token")),
    code: 66,
    found: { token: ["FAIL", /no token in the store.*token import/] },
    skipped: ["token-life", "renewal", "token-accepted"],
  },
  {
    what: "there is no token yet, in a role that issues",
    env: ({ issuing }) => issuing,
    spoil: ({ folder }) => rmSync(join(folder, "token")),
    code: 0,
    found: { token: ["WARN", /none yet/] },
    skipped: ["token-life", "renewal", "token-accepted"],
  },
  {
    what: "the token file of env: is not there yet",
    env: ({ folder }) => ({
      PRESTO_STORE: "env:",
      PRESTO_STORE_KEY: undefined,
      PRESTO_TOKEN_FILE: join(folder, "later"),
    }),
    code: 66,
    found: { store: ["FAIL", /later \(PRESTO_TOKEN_FILE\) is not there yet/] },
    skipped: ["token", "token-life", "renewal", "token-accepted"],
  },
  {
    what: "the token has expired",
    spoil: (s) => s.record({ expiresAt: inDays(-1) }).then(() => s.sandbox.revokeToken()),
    code: 77,
    found: {
      "token-life": ["FAIL", /has expired/],
      "token-accepted": ["FAIL", /Presto refuses the stored token/],
    },
  },
  {
    what: "the token lives, but not for long",
    spoil: (s) => s.record({ expiresAt: inDays(3.5) }),
    code: 0,
    found: { "token-life": ["WARN", /lives for 3 days/] },
  },
  {
    what: "the alarm is latched, in a role that issues",
    env: ({ issuing }) => issuing,
    spoil: (s) => s.record({ stopped: { reason: "somebody else issues tokens", at: inDays(-1) } }),
    code: 77,
    found: { renewal: ["FAIL", /somebody else issues tokens\. .*--force/] },
  },
  {
    what: "the account's credentials are not there",
    env: ({ issuing }) => issuing,
    spoil: ({ folder }) => rmSync(join(folder, "credentials")),
    code: 78,
    found: { credentials: ["FAIL", /credentials import/] },
  },
  {
    what: "a password reset is not settled",
    env: ({ issuing }) => issuing,
    spoil: (s) => s.credentials("Marked-doctor-Passw0rd-2"),
    code: 0,
    found: { credentials: ["WARN", /password reset/] },
  },
];
