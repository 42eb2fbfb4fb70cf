import type { IssuingDeps } from "../../src/app/renewal.ts";
import type { ConnectError } from "../../src/connect/errors.ts";
import { createOwnRequests } from "./own-requests.ts";
import { resetOnce } from "./person.ts";
import type { Places } from "./places.ts";
import { createSimIssuer } from "./sim-issuer.ts";
import { createSimProcess } from "./sim-process.ts";
import type { SimProcess } from "./sim-process.ts";
import { createSimReset } from "./sim-reset.ts";
import { createSimSidecar } from "./sim-sidecar.ts";
import type { SimSidecar } from "./sim-sidecar.ts";
import { createTraffic } from "./traffic.ts";

/** The processes of a world. Whichever dies comes back after a while. */
export interface Population {
  /** Starts all of them. */
  start(): void;
  /** A person has the password changed, and runs the command again until that is settled. */
  resetPassword(): void;
  /** Callers' connections break for so long. */
  breakConnections(ms: number): void;
}

export function createPopulation(places: Places, alive: Map<SimProcess, SimSidecar>): Population {
  const { scenario, timeline, random, story, faults, operate, presto, store, locks, credentials } = places;
  const { witness, callers, tokens, addresses } = places;
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
    onHeard: witness.heard,
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
  };
  let brokenUntil = 0;
  const traffic = {
    timeline,
    random: random.fork(),
    presto,
    tokens,
    addresses,
    callOf: callers.callOf,
    isBroken: () => timeline.now() < brokenUntil,
    onMoney: callers.moneyMoved,
    onConnectFailed,
  };

  function createProcess(role: string, life: number): SimProcess {
    const wallOffset = random.between(-scenario.skewMs, scenario.skewMs);
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
    const role = isFile ? "all" : name.startsWith("rotator") ? "rotator" : "proxy";
    const sidecar = createSimSidecar({
      scenario,
      process,
      random: random.fork(),
      story,
      witness,
      role,
      parts: {
        store: store.forRequests(process),
        dispatcher: createTraffic(traffic, process),
        openPool: createOwnRequests(asking, process),
        checkUrls: addresses.checkUrls(process),
        issuing: role === "proxy" ? undefined : createIssuing(process),
      },
    });
    alive.set(process, sidecar);
    process.onDeath(() => {
      alive.delete(process);
      timeline.after(random.between(200, 40_000), () => spawn(name, life + 1));
    });
    void begin(sidecar);
  }

  function createIssuing(process: SimProcess): IssuingDeps {
    let serial = 0;
    return {
      store: store.forIssuing(process),
      lock: locks.forProcess(process),
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
    const command = resetOnce(
      {
        process,
        store: store.forIssuing(process),
        lock: locks.forProcess(process),
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

  return {
    start() {
      const issuers = isFile ? "all" : "rotator";
      for (let index = 1; index <= scenario.rotators; index += 1) spawn(`${issuers}-${index}`, 1);
      for (let index = 1; index <= scenario.proxies; index += 1) spawn(`proxy-${index}`, 1);
    },
    resetPassword: () => runReset(1),
    breakConnections(ms) {
      brokenUntil = timeline.now() + ms;
    },
  };
}
