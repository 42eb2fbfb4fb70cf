import { localConsumer } from "../../src/app/issuing.ts";
import type { Emit, Warning } from "../../src/lib/events.ts";
import type { Issuer } from "../../src/presto/auth.ts";
import { createProbe, type ProbeAnswer } from "../../src/presto/probe.ts";
import { createAccounts } from "../../src/renewal/accounts.ts";
import type { RenewalEvent } from "../../src/renewal/events.ts";
import { createLifecycle, type Lifecycle } from "../../src/renewal/lifecycle.ts";
import { createRenewal } from "../../src/renewal/machine.ts";
import type { RenewalDeps, TokenConsumer, WritableStore } from "../../src/renewal/run.ts";
import { dueAt, isDueAt } from "../../src/renewal/schedule.ts";
import type { Secret } from "../../src/secret.ts";
import type { CredentialStore, RenewalLock, TokenStore } from "../../src/store/contract.ts";
import { createTokenHealth, type TokenHealth } from "../../src/token/health.ts";
import { createTokenSource, type TokenEvent, type TokenSource } from "../../src/token/source.ts";
import { createSend, withReconnect } from "../../src/upstream/dispatch.ts";
import { createLimiter } from "../../src/upstream/limiter.ts";
import { type Perform, withToken } from "../../src/upstream/with-token.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Story } from "./story.ts";
import type { createTraffic } from "./traffic.ts";

/** The parts of the program that run in one simulated process: the real ones, over simulated surroundings. */
export interface SimSidecar {
  readonly process: SimProcess;
  readonly tokens: TokenSource;
  /** Undefined in a process that serves nobody. */
  readonly perform: Perform | undefined;
  /** Undefined in a process that does not issue. */
  readonly lifecycle: Lifecycle | undefined;
  readonly parts: RenewalDeps | undefined;
}

/** What surrounds one process. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly process: SimProcess;
  readonly random: Random;
  readonly story: Story;
  readonly serves: boolean;
  /** Undefined where the role does not issue. */
  readonly issuing: IssuingSurroundings | undefined;
  readonly requestStore: TokenStore;
  readonly dispatcher: ReturnType<typeof createTraffic>;
}

export interface IssuingSurroundings {
  readonly store: WritableStore;
  readonly lock: RenewalLock;
  readonly issuer: Pick<Issuer, "issueToken">;
  readonly credentials: CredentialStore;
  readonly ask: (token: Secret) => Promise<ProbeAnswer>;
  readonly onIntends: (intent: string) => void;
}

/** As the composition root puts them together, role by role. */
export function createSimSidecar(surroundings: Surroundings): SimSidecar {
  const { scenario, process, serves, issuing, requestStore, dispatcher } = surroundings;
  const { clock } = process;
  const evidence = createTokenHealth(clock);
  const emit = createEmit(surroundings);
  const tokens = createTokenSource({
    store: requestStore,
    clock,
    emit,
    holdMaxMs: scenario.holdMaxMs,
    pollMs: scenario.pollMs,
    onRecord: () => lifecycle?.recordChanged(),
    onRejected: (id) => lifecycle?.tokenRejected(id),
    health: evidence,
  });
  const admission = createLimiter({ maxInFlight: 16, maxQueue: 200, maxBuffered: 1_000_000 });
  const whenQuiet = serves ? admission.whenQuiet : undefined;
  const users = localConsumer({ tokens, evidence, whenQuiet, clock });
  const issues =
    issuing === undefined
      ? undefined
      : createIssues({ surroundings, issuing, emit, users, tokens, evidence });
  const lifecycle = issues?.lifecycle;
  const perform = serves
    ? withToken(withReconnect(createSend({ dispatcher, clock }), clock), { tokens, limiter: admission })
    : undefined;
  return { process, tokens, perform, lifecycle, parts: issues?.parts };
}

interface IssuesOptions {
  readonly surroundings: Surroundings;
  readonly issuing: IssuingSurroundings;
  readonly emit: Emit<RenewalEvent | Warning>;
  readonly users: TokenConsumer;
  readonly tokens: TokenSource;
  readonly evidence: TokenHealth;
}

/** The part of a process that issues. */
function createIssues(options: IssuesOptions): { parts: RenewalDeps; lifecycle: Lifecycle } {
  const { issuing, emit, users, tokens, evidence } = options;
  const { scenario, process, random } = options.surroundings;
  const { clock } = process;
  const automatic = scenario.kind !== "manual";
  const schedule = { renewAt: scenario.renewAt, window: undefined, jitter: random.next() };
  const parts: RenewalDeps = {
    store: issuing.store,
    lock: issuing.lock,
    issuer: issuing.issuer,
    accounts: createAccounts(issuing.credentials, { clock, settleMs: scenario.times.settleMs }),
    probe: createProbe({ ask: issuing.ask, clock, evidence }),
    mayLeave: () => true,
    consumer: users,
    clock,
    emit,
    times: scenario.times,
    holder: process.holder,
    newId: createIds(process.name),
    random: () => random.next(),
    tokenName: "simulated",
    tokenDays: scenario.tokenDays,
    isDue: (record) => automatic && isDueAt(clock.now(), record, schedule),
    automatic,
  };
  const lifecycle = createLifecycle({
    parts,
    renewal: createRenewal(parts),
    current: () => tokens.record(),
    dueAt: (record) => dueAt(record, schedule),
    acceptedSince: evidence.acceptedSince,
  });
  issuing.credentials.watch(lifecycle.credentialsChanged);
  return { parts, lifecycle };
}

function createIds(name: string): () => string {
  let serial = 0;
  return () => {
    serial += 1;
    return `${name}#${serial}`;
  };
}

function createEmit({ process, story, issuing }: Surroundings): Emit<TokenEvent | RenewalEvent | Warning> {
  return (event) => {
    switch (event.type) {
      case "renewal-moved":
        story.tell(() => `${process.name}: ${event.from} → ${event.to}`);
        break;
      case "issue-begun":
        issuing?.onIntends(event.intent);
        break;
      case "issue-ended":
        story.tell(() => `${process.name}: the issue call ended ${event.end}`);
        break;
      case "renewal-ended": {
        const { end } = event;
        story.tell(
          () => `${process.name}: the renewal ended ${end.kind}${"detail" in end ? `: ${end.detail}` : ""}`,
        );
        break;
      }
      case "alarm-changed":
        story.tell(() => `${process.name}: ALARM ${event.alarm === undefined ? "cleared" : "set"}`);
        break;
      default:
    }
  };
}
