import type { Clock } from "../clock.ts";
import type { StoredCredentials } from "../store/contract.ts";
import { type CredentialOptions, openCredentials } from "../store/open.ts";
import {
  checkConfiguration,
  checkCredentials,
  checkStore,
  checkToken,
  readRecord,
  type TokenOptions,
} from "./check-local.ts";
import { checkTls, checkRoute } from "./check-network.ts";
import { checkAccepted, checkClock, checkReached, wasLetIn } from "./check-presto.ts";
import { checkRegistered } from "./check-registration.ts";
import {
  type Check,
  checks,
  type DoctorOptions,
  type Finding,
  needsConfiguration,
  skip,
  attempt,
} from "./finding.ts";
import { probeUpstream } from "./gather.ts";

/** What the examination is made with. */
export interface DoctorDeps {
  readonly clock: Clock;
  /** Milliseconds for all of it. */
  readonly limitMs: number;
}

/**
 * Looks at everything that must hold, as one process beside others: it opens no listener, takes
 * no lock, writes nothing, and asks Presto nothing that acts. What can't be looked at is
 * skipped, with the reason.
 * @returns one finding for each check, in their order
 */
export async function examine(options: DoctorOptions, parts: DoctorDeps): Promise<readonly Finding[]> {
  const stop = new AbortController();
  const timer = parts.clock.after(parts.limitMs, () => stop.abort());
  try {
    const found = await lookAtAll(options, parts.clock, stop.signal);
    return checks.map(
      (check) => found.find((finding) => finding.check === check) ?? skip(check, needsConfiguration),
    );
  } finally {
    timer.cancel();
  }
}

async function lookAtAll(options: DoctorOptions, clock: Clock, stop: AbortSignal): Promise<Finding[]> {
  const { store, issuing, upstream, egressCheck, contact } = options;
  const read = store === undefined ? undefined : attempt(stop, () => readRecord(store, clock));
  const token = Promise.resolve(read).then((attempted) =>
    attempted?.kind === "done" ? (attempted.value.stored?.record.token ?? undefined) : undefined,
  );
  const urls = egressCheck?.urls ?? [];
  const [attempted, credentials, answers] = await Promise.all([
    read,
    issuing === undefined || issuing === "not-issuing"
      ? undefined
      : attempt(stop, () => readCredentials(issuing.credentials, clock)),
    upstream === undefined ? undefined : probeUpstream({ upstream, urls, token, clock, stop }),
  ]);

  const findings: Finding[] = [checkConfiguration(options.configuration)];
  const roleThatIssues = issuing === "not-issuing" ? undefined : issuing;
  const recorded: TokenOptions | undefined =
    store === undefined || attempted?.kind !== "done"
      ? undefined
      : { record: attempted.value.stored?.record, store, issuing: roleThatIssues, now: clock.now() };
  if (store !== undefined && attempted !== undefined) {
    findings.push(checkStore(attempted, store, roleThatIssues !== undefined));
    findings.push(
      ...(recorded === undefined ? unread(["token", "token-life", "renewal"]) : checkToken(recorded)),
    );
  }
  if (issuing === "not-issuing") {
    findings.push(skip("credentials", "The role proxy holds none, as it should."));
  } else if (issuing !== undefined && credentials !== undefined) {
    findings.push(checkCredentials(credentials, issuing.credentials));
  }
  if (upstream === undefined || answers === undefined) return findings;
  const { route, reached, probed, seenFrom } = answers;
  findings.push(
    ...checkRoute(route),
    ...checkTls(route, clock.now()),
    checkReached(reached),
    checkClock(reached),
  );
  findings.push(...(recorded === undefined ? unread(["token-accepted"]) : [checkAccepted(recorded, probed)]));
  if (egressCheck !== undefined) {
    findings.push(
      checkRegistered({
        settings: egressCheck,
        answers: seenFrom,
        letIn: wasLetIn(reached),
        upstream: upstream.origin.url,
        contact,
        now: clock.now(),
      }),
    );
  }
  return findings;
}

function unread(names: readonly Check[]): Finding[] {
  return names.map((check) => skip(check, "The store could not be read; see store."));
}

/** Reads them as a renewal does. They are looked at, and shown to nobody. */
async function readCredentials(
  options: CredentialOptions,
  clock: Clock,
): Promise<StoredCredentials | undefined> {
  const store = await openCredentials(options, { clock });
  try {
    return await store.read();
  } finally {
    store.close();
  }
}
