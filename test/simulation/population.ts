import type { IssuingDeps } from "../../src/app/renewal.ts";
import type { ConnectError } from "../../src/connect/errors.ts";
import { createAsk, createProbe, plainVerdict } from "../../src/presto/probe.ts";
import type { Secret } from "../../src/secret.ts";
import type { WritableStore } from "../../src/store/contract.ts";
import type { TokenImport } from "../../src/store/import.ts";
import { createKnownRejected, type KnownRejected } from "./known-rejected.ts";
import { createOwnRequests } from "./own-requests.ts";
import { importOnce, resetOnce } from "./person.ts";
import type { Places } from "./places.ts";
import { createRandom } from "./random.ts";
import type { Import, Scenario } from "./scenario.ts";
import { createSimIssuer } from "./sim-issuer.ts";
import type { SimLocks } from "./sim-locks.ts";
import { createSimProcess } from "./sim-process.ts";
import type { SimProcess } from "./sim-process.ts";
import { createSimReset } from "./sim-reset.ts";
import { createSimSidecar } from "./sim-sidecar.ts";
import type { SimSidecar } from "./sim-sidecar.ts";
import type { SimToken } from "./sim-token.ts";
import { createTraffic } from "./traffic.ts";

const dayMs = 24 * 3_600_000;
/** How often a person tries. */
const mostImports = 4;

/** How far the wall clock of each host is off Presto's: all of them alike, and each by its own. */
function createHostClocks({ seed, apartMs }: Scenario): { offset(role: string): number } {
  // A stream of its own: what it draws shifts nothing in the world.
  const random = createRandom(seed);
  const off = (): number => random.between(-apartMs, apartMs);
  const common = off();
  const offsets = new Map<string, number>();
  return {
    offset(role) {
      const known = offsets.get(role) ?? common + off();
      offsets.set(role, known);
      return known;
    },
  };
}

/** The processes of a world. Whichever dies comes back after a while. */
export interface Population {
  /** Starts all of them. */
  start(): void;
  /** A person has the password changed, and runs the command again until that is settled. */
  resetPassword(): void;
  /** A person puts a token into the store, and tries again a few times where that does not work out. */
  importToken(kind: Import["token"]): void;
  /** As soon as the record names its home, another site gets a copy of it, and a rotator. */
  startClone(): void;
  /** Is a token being imported? */
  isImporting(): boolean;
  /** Callers' connections break for so long. */
  breakConnections(ms: number): void;
}

export function createPopulation(places: Places, alive: Map<SimProcess, SimSidecar>): Population {
  const { scenario, timeline, random, story, faults, operate, presto, store, locks, credentials } = places;
  const { witness, wishes, callers, tokens, addresses } = places;
  const known = new Map<SimProcess, KnownRejected>();
  const isFile = scenario.topology === "file";
  const surroundings = { scenario, timeline, random: random.fork(), story, faults, presto };
  const onConnectFailed = (process: SimProcess, error: ConnectError): void =>
    alive.get(process)?.note({ type: "connect-failed", error });
  const issuing = {
    ...surroundings,
    addresses,
    heldBack: [],
    onBegin: witness.issueBegins,
    onExecuted: witness.executed,
    onHeard(process: SimProcess, token: SimToken) {
      witness.heard(process, token);
      wishes.heard(token.secret);
    },
    onConnectFailed,
  };
  const resetting = { ...surroundings, onReset: () => witness.checkPassword() };
  const asking = {
    timeline,
    random: random.fork(),
    operate,
    presto,
    addresses,
    isBlind: scenario.kind === "blind",
    onProbed(process: SimProcess, token: Secret, isLetIn: boolean) {
      known.get(process)?.probed(tokens.nameOf(token), isLetIn);
      if (isLetIn) witness.letIn(process, token);
    },
  };
  const hosts = createHostClocks(scenario);
  let brokenUntil = 0;
  let importing = 0;
  const traffic = {
    timeline,
    random: random.fork(),
    presto,
    tokens,
    addresses,
    callOf: callers.callOf,
    knownOf(process: SimProcess) {
      const made = createKnownRejected({
        process,
        lastRead: () => alive.get(process)?.tokens.lastRead()?.found,
        isLying: scenario.lagMs > 0,
      });
      known.set(process, made);
      process.onDeath(() => known.delete(process));
      return made;
    },
    isBroken: () => timeline.now() < brokenUntil,
    onMoney: callers.moneyMoved,
    onConnectFailed,
  };

  function createProcess(role: string, life: number): SimProcess {
    const wallOffset = random.between(-scenario.skewMs, scenario.skewMs) + hosts.offset(role);
    const { epoch } = scenario;
    const process = createSimProcess({
      role,
      life,
      timeline,
      random: random.fork(),
      story,
      epoch,
      wallOffset,
    });
    story.tell(() => `${process.name} starts`);
    return process;
  }

  function spawn(name: string, life: number): void {
    const process = createProcess(name, life);
    const site = name.startsWith("clone") ? (places.clone ?? places) : places;
    const opened = site.store.open(process, !name.startsWith("proxy"), () => {});
    const role = isFile ? "all" : name.startsWith("proxy") ? "proxy" : "rotator";
    const sidecar = createSimSidecar({
      scenario,
      process,
      random: random.fork(),
      story,
      witness,
      wishes,
      role,
      parts: {
        store: opened.forRequests,
        dispatcher: createTraffic(traffic, process),
        openPool: createOwnRequests(asking, process),
        checkUrls: addresses.checkUrls(process),
        issuing: role === "proxy" ? undefined : createIssuing(process, site.locks, opened.forIssuing),
      },
    });
    alive.set(process, sidecar);
    process.onDeath(() => {
      alive.delete(process);
      timeline.after(random.between(200, 40_000), () => spawn(name, life + 1));
    });
    void begin(sidecar);
  }

  function createIssuing(process: SimProcess, siteLocks: SimLocks, forIssuing: WritableStore): IssuingDeps {
    let serial = 0;
    return {
      store: forIssuing,
      lock: siteLocks.forProcess(process, "renewal", forIssuing),
      credentials: credentials.forProcess(process),
      createIssuer: (onResponse) => createSimIssuer(issuing, process, onResponse),
      holder: process.holder,
      newId() {
        serial += 1;
        return `${process.name}#${serial}`;
      },
    };
  }

  async function begin(sidecar: SimSidecar): Promise<void> {
    // Where the first read fails the program ends; here it goes on, and reads again.
    await sidecar.prepare().catch(() => {});
    sidecar.start();
    if (sidecar.role !== "rotator") callers.callAt(sidecar);
  }

  function runReset(life: number): void {
    const process = createProcess("reset", life);
    const again = (): void => void timeline.after(random.between(3_000, 30_000), () => runReset(life + 1));
    process.onDeath(again);
    const { forIssuing } = store.open(process, true, () => {});
    const command = resetOnce(
      {
        process,
        store: forIssuing,
        lock: locks.forProcess(process, "account", forIssuing),
        credentials: credentials.forProcess(process),
        issuer: createSimReset(resetting, process),
      },
      "new password",
    );
    void command.then((isDone) => {
      story.tell(() => `${process.name} ends: the password is ${isDone ? "changed" : "not settled"}`);
      if (!isDone) again();
    });
  }

  function tokenFor(kind: Import["token"]): TokenImport | undefined {
    const expiresAt = new Date(presto.wallClock() + scenario.tokenDays * dayMs);
    const name = "by hand";
    if (kind === "stored") {
      const token = store.current()?.record.token ?? null;
      return token === null ? undefined : { token, name, expiresAt: null };
    }
    if (kind === "new") {
      witness.issuedAbroad();
      return { token: presto.issue("a person", expiresAt).secret, name, expiresAt };
    }
    const dead = tokens.make({ bornAt: 0, issuedAt: new Date(0), expiresAt, madeFor: "nobody any more" });
    return { token: dead.secret, name, expiresAt };
  }

  function runImport(wanted: TokenImport, life: number): void {
    if (faults.isOver()) return;
    const process = createProcess("import", life);
    importing += 1;
    process.onDeath(() => {
      importing -= 1;
    });
    const again = (): void => {
      if (life < mostImports && !isStored)
        timeline.after(random.between(3_000, 30_000), () => runImport(wanted, life + 1));
    };
    process.onDeath(again);
    let isStored = false;
    witness.importBegins(process);
    const { forIssuing, forRequests } = store.open(process, true, () => {});
    const ask = createAsk({
      openPool: createOwnRequests(asking, process),
      reference: "made-up",
      timeoutMs: 15_000,
      clock: process.clock,
    });
    const probe = createProbe({ ask, clock: process.clock });
    const command = importOnce(
      {
        process,
        store: { ...forRequests, ...forIssuing },
        lock: locks.forProcess(process, "record", forIssuing),
        probe: async (token) => plainVerdict(await probe(token)),
      },
      wanted,
    );
    void command.then((isDone) => {
      story.tell(() => `${process.name} ends: the token is ${isDone ? "stored" : "not stored"}`);
      if (isDone) isStored = true;
      process.kill("the command has ended");
    });
  }

  return {
    isImporting: () => importing > 0,
    startClone() {
      const { clone } = places;
      if (clone === undefined) return;
      const look = (): void => {
        const record = store.current()?.record;
        if ((record?.home ?? null) === null || record === undefined) timeline.after(1_000, look);
        else {
          clone.store.put(record);
          spawn("clone-1", 1);
        }
      };
      timeline.after(random.between(1_000, 60_000), look);
    },
    start() {
      const issuers = isFile ? "all" : "rotator";
      for (let index = 1; index <= scenario.rotators; index += 1) spawn(`${issuers}-${index}`, 1);
      for (let index = 1; index <= scenario.proxies; index += 1) spawn(`proxy-${index}`, 1);
    },
    resetPassword: () => runReset(1),
    importToken(kind) {
      const wanted = tokenFor(kind);
      if (wanted !== undefined) runImport(wanted, 1);
    },
    breakConnections(ms) {
      brokenUntil = timeline.now() + ms;
    },
  };
}
