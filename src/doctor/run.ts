import type { Clock } from "../clock.ts";
import type { Egress } from "../connect/open.ts";
import type { CheckAnswer } from "../egress-ip/check-url.ts";
import { askedUrls, type RegistrationOptions } from "../egress-ip/open.ts";
import type { JsonObject } from "../lib/json.ts";
import { createAsk, createProbe } from "../presto/probe.ts";
import type { Secret } from "../secret.ts";
import type { StoredCredentials } from "../store/contract.ts";
import { explainElsewhere, isAtHome } from "../store/home.ts";
import { inspectLock, inspectPlace } from "../store/inspect.ts";
import type { Inspection } from "../store/inspection.ts";
import {
  type CredentialOptions,
  openCredentials,
  type StoredCredentialOptions,
  type StoreOptions,
} from "../store/open.ts";
import { createPoolOpener } from "../upstream/connections.ts";
import type { OwnPool } from "../upstream/request-once.ts";
import {
  checkConfiguration,
  checkCredentials,
  checkStore,
  checkToken,
  readRecord,
  type TokenOptions,
} from "./check-local.ts";
import { checkRoute, checkTls } from "./check-network.ts";
import { checkFollowing, checkLock, checkServer } from "./check-place.ts";
import {
  checkAccepted,
  checkClock,
  checkReached,
  type ProbeResult,
  probeUnauthenticated,
  type ReachedResult,
  wasLetIn,
} from "./check-presto.ts";
import { checkRegistered } from "./check-registration.ts";
import { checkSidecar, refusedCredentials } from "./check-sidecar.ts";
import {
  dial,
  type DialOptions,
  isTrusted,
  openRoute,
  readRouteParts,
  resolveAlone,
  type RouteResult,
} from "./dial.ts";
import {
  attempt,
  type Attempted,
  type Check,
  checks,
  type DoctorOptions,
  type Finding,
  type IssuingOptions,
  needsConfiguration,
  skip,
} from "./finding.ts";

/** What the examination is made with. */
export interface DoctorDeps {
  readonly clock: Clock;
  /** Milliseconds for all of it. */
  readonly limitMs: number;
  /** Asks the sidecar that runs here what it says of itself (`/status`). */
  readonly readStatus: () => Promise<JsonObject>;
}

/**
 * Looks at everything that must hold, as one process beside others: it opens no listener, takes
 * no lock, writes nothing, and asks Presto nothing that acts. What can't be looked at is
 * skipped, with the reason.
 * @returns one finding for each check, in their order
 */
export async function examine(
  options: DoctorOptions,
  { clock, limitMs, readStatus }: DoctorDeps,
): Promise<readonly Finding[]> {
  const stop = new AbortController();
  const timer = clock.after(limitMs, () => stop.abort());
  try {
    const found = await lookAtAll(options, { clock, readStatus, stop: stop.signal });
    return checks.map(
      (check) => found.find((finding) => finding.check === check) ?? skip(check, needsConfiguration),
    );
  } finally {
    timer.cancel();
  }
}

interface LookDeps extends Pick<DoctorDeps, "clock" | "readStatus"> {
  /** Aborted when time is over. */
  readonly stop: AbortSignal;
}

async function lookAtAll(options: DoctorOptions, { clock, readStatus, stop }: LookDeps): Promise<Finding[]> {
  const { store, issuing, upstream, egressCheck, contact } = options;
  const read = store === undefined ? undefined : attempt(stop, () => readRecord(store, clock));
  const token = Promise.resolve(read).then((attempted) =>
    attempted?.kind === "done" ? (attempted.value.stored?.record.token ?? undefined) : undefined,
  );
  const urls = egressCheck?.urls ?? [];
  const roleThatIssues = issuing === "not-issuing" ? undefined : issuing;
  const [attempted, unstored, inspected, lock, status, credentials, answers] = await Promise.all([
    read,
    options.unstoredToken === undefined ? undefined : attempt(stop, options.unstoredToken),
    store === undefined ? undefined : attempt(stop, () => inspectAll(store, roleThatIssues, clock)),
    store === undefined || roleThatIssues === undefined
      ? undefined
      : attempt(stop, () => inspectLock(store, clock)),
    attempt(stop, readStatus),
    roleThatIssues === undefined
      ? undefined
      : attempt(stop, () => readCredentials(roleThatIssues.credentials, clock)),
    upstream === undefined ? undefined : probeUpstream({ upstream, urls, token, clock, stop }),
  ]);

  const findings: Finding[] = [checkConfiguration(options.configuration), checkSidecar(status)];
  const recorded: TokenOptions | undefined =
    store === undefined || attempted?.kind !== "done"
      ? undefined
      : {
          record: attempted.value.stored?.record,
          elsewhere: isAtHome(attempted.value.stored) ? undefined : explainElsewhere(attempted.value.stored),
          store,
          issuing: roleThatIssues,
          now: clock.now(),
        };
  if (store !== undefined && attempted !== undefined) {
    const inMemory = unstored?.kind === "done" ? unstored.value : undefined;
    findings.push(
      checkStore(attempted, store, { mustWrite: roleThatIssues !== undefined, inMemory }),
      ...checkServer(store, inspected),
      checkFollowing(store, status, clock.now()),
      checkLock(lock),
    );
    findings.push(
      ...(recorded === undefined ? unread(["token", "token-life", "renewal"]) : checkToken(recorded)),
    );
  }
  if (issuing === "not-issuing") {
    findings.push(skip("credentials", "The role proxy holds none, as it should."));
  } else if (issuing !== undefined && credentials !== undefined) {
    findings.push(checkCredentials(credentials, issuing.credentials, refusedCredentials(status)));
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
        registration: egressCheck,
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

/** Asks the servers of the token's place and of the account's, where there are any. */
async function inspectAll(
  store: StoreOptions,
  issuing: IssuingOptions | undefined,
  clock: Clock,
): Promise<readonly Inspection[]> {
  const places: StoredCredentialOptions[] = [store];
  if (issuing !== undefined && "address" in issuing.credentials) places.push(issuing.credentials);
  const use = issuing === undefined ? "follow" : "renew";
  const inspected = await Promise.all(places.map((place) => inspectPlace(place, use, clock)));
  return inspected.filter((each) => each !== undefined);
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
    await store.logOut?.();
    store.close();
  }
}

export interface ProbeUpstreamOptions extends DialOptions {
  readonly urls: RegistrationOptions["urls"];
  /** The stored one, once it was read. */
  readonly token: Promise<Secret | undefined>;
}

/** All that was heard from outside this machine. */
export interface UpstreamResult {
  readonly route: RouteResult;
  readonly reached: ReachedResult;
  readonly probed: ProbeResult;
  /** Undefined where there is no egress to ask by. */
  readonly seenFrom: Attempted<readonly CheckAnswer[]> | undefined;
}

/** Asks everybody outside: at the same time, unless one answer is needed for the next question. Never rejects. */
async function probeUpstream(options: ProbeUpstreamOptions): Promise<UpstreamResult> {
  const { upstream } = options;
  const parts = await readRouteParts(options);
  const opened = await openRoute(parts, options);
  if (opened?.kind !== "done") {
    const addresses = await resolveAlone(options);
    const route = { ...parts, upstream, connection: opened, addresses };
    return { route, reached: undefined, probed: undefined, seenFrom: undefined };
  }
  const egress = opened.value;
  try {
    const checkUrls = parts.anchors.kind === "done" ? requestCheckUrls(egress, options) : undefined;
    const dialled = await dial(egress, parts, options);
    const asked = isTrusted(dialled.connection, upstream.trust.pins)
      ? await probePresto(egress, options)
      : { reached: undefined, probed: undefined };
    return { route: { ...parts, upstream, ...dialled }, ...asked, seenFrom: await checkUrls };
  } finally {
    egress.close();
  }
}

function requestCheckUrls(
  { connectorTo }: Egress,
  { urls, clock, stop }: ProbeUpstreamOptions,
): Promise<UpstreamResult["seenFrom"]> {
  return attempt(stop, () => Promise.all(askedUrls(urls, { connectorTo, clock }).map(({ ask }) => ask())));
}

/** First without the token, which is shown to nobody but Presto's own application. */
async function probePresto(
  { connector }: Egress,
  { upstream, token, clock, stop }: ProbeUpstreamOptions,
): Promise<Pick<UpstreamResult, "reached" | "probed">> {
  const { origin, timeoutMs, probe } = upstream;
  const open = new Set<OwnPool>();
  let over = false;
  const openAnother = createPoolOpener({ origin, connector, timeoutMs, clock });
  const openPool = (): OwnPool => {
    if (over) throw new Error("time is over");
    const connection = openAnother();
    open.add(connection);
    return connection;
  };
  try {
    const reached = await attempt(stop, () => probeUnauthenticated({ ...probe, openPool, clock, stop }));
    const stored = wasLetIn(reached) ? await token : undefined;
    if (stored === undefined) return { reached, probed: undefined };
    const ask = createAsk({ ...probe, openPool, clock });
    return { reached, probed: await attempt(stop, () => createProbe({ ask, clock })(stored)) };
  } finally {
    over = true;
    // A question that is still under way when time is over is given up.
    await Promise.all([...open].map((connection) => connection.destroy()));
  }
}
